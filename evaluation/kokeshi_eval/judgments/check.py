"""Whether judgments can tell rankings apart, and whether they are of the index that is searched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kokeshi.engines import Engine
from kokeshi.errors import InputError
from kokeshi_eval.fetch import fetch_documents
from kokeshi_eval.judgments.model import Judgments
from kokeshi_eval.queries import EvalQuery
from kokeshi_eval.ranking import quoted


@dataclass(frozen=True)
class Unknown:
    """Judged documents that an index does not have. by_query: query -> their ids, in order."""

    index: str
    by_query: Mapping[str, Sequence[str]]

    @property
    def count(self) -> int:
        """How many judgments are of such documents."""
        return sum(map(len, self.by_query.values()))


def check_any_positive(judgments: Judgments) -> None:
    """Raise InputError where every grade is 0, or there is none: all rankings are equally good then."""
    if not judgments.max_grade:
        raise InputError(
            f"{judgments.name}: all {judgments.count:,} grades are 0, so no ranking is better than "
            "another; grade what is relevant with 1 or more"
        )


def check_queries(judgments: Judgments, queries: Iterable[EvalQuery]) -> tuple[str, ...]:
    """Return the ids of queries that no judgment is about; raises InputError where that is all."""
    ids = [query.id for query in queries]
    ungraded = tuple(id_ for id_ in ids if id_ not in judgments.grades)
    if ids and len(ungraded) == len(ids):
        raise InputError(
            f"{judgments.name}: none of the {len(ids):,} queries has a judgment, such as "
            f"'{ids[0]}'; judgments name a query by its id, which is its text where the "
            f"query set has no column id; theirs are such as '{next(iter(judgments.grades), '')}'"
        )
    return ungraded


def check_indices(judgments: Judgments, concrete: str, alias: str) -> str | None:
    """Return a sentence to warn with where files name another index than is searched; else None.

    concrete, alias: the names of that index; the same where it has no alias.
    """
    others = [name for name in judgments.indices if name not in (concrete, alias)]
    if not others:
        return None
    return (
        f"{judgments.name}: written for {quoted(others)}, not for '{alias}': grades hold only if ids "
        "mean the same documents in both"
    )


def find_unknown(engine: Engine, index: str, judgments: Judgments) -> Unknown:
    """Return the judged documents that an index does not have.

    Raises InputError where that is all of them, and EngineError where the engine cannot say.
    """
    ids = list(dict.fromkeys(id_ for found in judgments.grades.values() for id_ in found))
    known = fetch_documents(engine, index, ids)
    if ids and not known:
        raise InputError(
            f"{judgments.name}: none of its {len(ids):,} documents is in the index '{index}', such as "
            f"'{ids[0]}'; they are judgments of another index, or of another id field"
        )
    missing = {
        query: [id_ for id_ in found if id_ not in known]
        for query, found in judgments.grades.items()
    }
    return Unknown(index, {query: found for query, found in missing.items() if found})
