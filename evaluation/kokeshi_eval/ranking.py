"""What came back for a query, by which path, and when it may not be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from kokeshi.errors import EngineError
from kokeshi.types import Json

Path = Literal["_rank_eval", "_msearch"]
"""The API that hits came from. Only `_rank_eval` also gives an nDCG of the engine's own."""

_NOT_SERVED: Final = ("size", "from", "_source")
_SHOWN = 5


@dataclass(frozen=True)
class Ranking:
    """What came back for one query. ids: the hits, best first. ndcg: the engine's, None by `_msearch`."""

    ids: tuple[str, ...]
    ndcg: float | None = None

    @property
    def path(self) -> Path:
        """The API that the hits came from."""
        return "_msearch" if self.ndcg is None else "_rank_eval"


@dataclass(frozen=True)
class Route:
    """The path of all hits of one plan. why: it has no figures of the engine's, None where it has."""

    path: Path
    why: str | None = None


def without_paging(body: Json) -> Json:
    """Return a search body without the keys that say which part of the ranking is shown."""
    return {key: value for key, value in body.items() if key not in _NOT_SERVED}


def check_index(path: Path, query: str, hits: Iterable[Json], index: str) -> None:
    """Raise EngineError where hits are of another index than the one that was asked."""
    if strangers := {hit["_index"] for hit in hits} - {index}:
        raise EngineError(
            f"{path} of '{query}' was answered by {quoted(sorted(strangers))}, not '{index}': "
            "the alias moved; run it again"
        )


def check_failures(path: Path, failures: Mapping[str, str], asked: int) -> None:
    """Raise EngineError where any query failed: a mean over the others would say nothing.

    failures: query -> reason. asked: how many queries were sent.
    """
    if not failures:
        return
    shown = list(failures.items())[:_SHOWN]
    reasons = "; ".join(f"'{query}': {reason}" for query, reason in shown)
    more = f"; and {len(failures) - len(shown)} more" if len(failures) > len(shown) else ""
    raise EngineError(
        f"{path} failed for {len(failures)} of {asked} queries, so no mean holds: {reasons}{more}"
    )


def quoted(names: Sequence[str]) -> str:
    """Return the first few names as a message shows them."""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN])
