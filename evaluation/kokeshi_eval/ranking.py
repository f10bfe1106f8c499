"""What came back for a query, by which path, and when it may not be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kokeshi.errors import EngineError, InputError
from kokeshi.types import Json

_NOT_SERVED: Final = ("size", "from", "_source")
_SHOWN = 5


@dataclass(frozen=True)
class Ranking:
    """What came back for one query.

    ids: the hits, best first. engine: measure -> the engine's own figure; empty by `_msearch`.
    """

    ids: tuple[str, ...]
    engine: Mapping[str, float] = field(default_factory=dict)


def without_paging(body: Json) -> Json:
    """Return a search body without the keys that say which part of the ranking is shown."""
    return {key: value for key, value in body.items() if key not in _NOT_SERVED}


def check_whole_grades(grades: Mapping[str, Mapping[str, int]]) -> None:
    """Raise InputError for a grade that is no whole number from 0 on.

    The engine would cut 2.5 to 2, and take a negative one for a gain below 0.
    """
    for query, row in grades.items():
        for doc_id, grade in row.items():
            if not isinstance(grade, int) or grade < 0:
                raise InputError(
                    f"query '{query}', document '{doc_id}': grade {grade}; "
                    "a whole number from 0 on is expected"
                )


def check_index(what: str, query: str, hits: Iterable[Json], index: str) -> None:
    """Raise EngineError where hits are of another index than the one that was asked."""
    if strangers := {hit["_index"] for hit in hits} - {index}:
        raise EngineError(
            f"{what} of '{query}' was answered by {quoted(sorted(strangers))}, not '{index}': "
            "the alias moved; run it again"
        )


def check_failures(what: str, failures: Mapping[str, str], asked: int) -> None:
    """Raise EngineError where any query failed: a mean over the others would say nothing.

    what: was asked, such as `_rank_eval`. failures: query -> reason. asked: how many queries were sent.
    """
    if not failures:
        return
    shown = list(failures.items())[:_SHOWN]
    reasons = "; ".join(f"'{query}': {first_line(reason)}" for query, reason in shown)
    more = f"; and {len(failures) - len(shown)} more" if len(failures) > len(shown) else ""
    raise EngineError(
        f"{what} failed for {len(failures)} of {asked} queries, so no mean holds: {reasons}{more}"
    )


def first_line(reason: object) -> str:
    """Return what an engine says first: parsers add lines that say where in a text without names."""
    return str(reason).partition("\n")[0]


def quoted(names: Sequence[str]) -> str:
    """Return the first few names as a message shows them."""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN])
