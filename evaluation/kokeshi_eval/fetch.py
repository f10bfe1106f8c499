"""The documents behind hits, for lists side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kokeshi.types import Json
from kokeshi_eval.contenders import Contender

BATCH: Final = 500
"""Documents in one search; the engines give 10,000 at most."""


def fetch_documents(
    contender: Contender, ids: Sequence[str], fields: Sequence[str] | None = None
) -> dict[str, Json]:
    """Return id -> fields of the documents that there are.

    fields: None takes the id's, the words' and the filters' fields of the spec, never a vector. Raises
    EngineError.
    """
    spec, engine = contender.index.spec, contender.index.engine
    shown = [*spec.text, *spec.metadata] if fields is None else list(fields)
    distinct = list(dict.fromkeys(ids))
    found: dict[str, Json] = {}
    for start in range(0, len(distinct), BATCH):
        answer = engine.search(spec.index, build_fetch(distinct[start : start + BATCH], shown))
        found |= {hit["_id"]: hit.get("_source", {}) for hit in answer["hits"]["hits"]}
    return found


def build_fetch(ids: Sequence[str], fields: Sequence[str]) -> Json:
    """Return the body that finds documents by their ids."""
    query = {"ids": {"values": list(ids)}}
    return {"size": len(ids), "_source": list(fields) or False, "query": query}
