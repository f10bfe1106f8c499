"""The answers of a search, parsed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from kokeshi.schema import Rrf
from kokeshi.types import Json


@dataclass(frozen=True)
class Hit:
    """One document. score: higher is better; vector plans use the scale of `kokeshi.codes.spaces`."""

    id: str
    score: float
    source: Json


@dataclass(frozen=True)
class SearchResult:
    """The hits in order. took_ms: the engine's own time.

    total: how many documents the engine counted: those that match the words; where vectors are compared
    at least those asked for, and how many more depends on the engine. `Index.count` counts by a filter.
    total_is_exact: False where the engine stopped counting there.
    """

    hits: tuple[Hit, ...]
    total: int
    total_is_exact: bool
    took_ms: int

    @property
    def ids(self) -> list[str]:
        """The ids in order."""
        return [hit.id for hit in self.hits]

    def to_json(self) -> Json:
        """Return what `--json` prints."""
        return asdict(self)


def parse_search(response: Json) -> SearchResult:
    """Parse the response of `_search`."""
    found = response["hits"]
    hits = (Hit(hit["_id"], hit["_score"], hit.get("_source", {})) for hit in found["hits"])
    total = found["total"]
    return SearchResult(tuple(hits), total["value"], total["relation"] == "eq", response["took"])


def fuse_ranks(
    results: Sequence[SearchResult], rrf: Rrf, size: int, offset: int = 0
) -> SearchResult:
    """Fuse rankings of the same documents by reciprocal rank; see `Rrf`.

    Equal sums keep the order of the first ranking that has them. total: how many documents were
    ranked by any. took_ms: of the slower search, as they run side by side.
    """
    scores: dict[str, float] = {}
    hits: dict[str, Hit] = {}
    for result in results:
        for rank, hit in enumerate(result.hits[: rrf.window], start=1):
            scores[hit.id] = scores.get(hit.id, 0.0) + 1 / (rrf.rank_constant + rank)
            hits.setdefault(hit.id, hit)
    order = sorted(scores, key=lambda id_: -scores[id_])
    shown = tuple(replace(hits[id_], score=scores[id_]) for id_ in order[offset : offset + size])
    took = max((result.took_ms for result in results), default=0)
    return SearchResult(shown, len(scores), total_is_exact=False, took_ms=took)
