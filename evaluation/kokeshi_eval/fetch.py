"""Documents by their ids: whether an index has them, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kokeshi.engines import Engine
from kokeshi.types import Json

BATCH: Final = 500
"""Documents in one search; the engines give 10,000 at most."""


def fetch_documents(
    engine: Engine, index: str, ids: Sequence[str], fields: Sequence[str] = ()
) -> dict[str, Json]:
    """Return id -> those fields, of the documents that there are. Raises EngineError."""
    distinct = list(dict.fromkeys(ids))
    found: dict[str, Json] = {}
    for start in range(0, len(distinct), BATCH):
        answer = engine.search(index, build_fetch(distinct[start : start + BATCH], fields))
        found |= {hit["_id"]: hit.get("_source", {}) for hit in answer["hits"]["hits"]}
    return found


def build_fetch(ids: Sequence[str], fields: Sequence[str]) -> Json:
    """Return the body that finds documents by their ids."""
    return {
        "query": {"ids": {"values": list(ids)}},
        "size": len(ids),
        "_source": list(fields) or False,
        "track_total_hits": False,
    }
