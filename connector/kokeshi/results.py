"""The answers of a search, parsed."""

from __future__ import annotations

from dataclasses import asdict, dataclass

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

    total: how many documents were candidates: those that match the words, at most k of a shortlist
    for each shard. total_is_exact: False where the engine stopped counting there.
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
