"""The answers of the memory engine, in the JSON of the real ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final, cast

import orjson

from kokeshi.engines.memory.refusal import Refusal, not_in_memory
from kokeshi.engines.memory.search import Found, find
from kokeshi.engines.memory.store import Store
from kokeshi.types import Json

_KNOWN: Final = frozenset({"size", "from", "query", "_source", "track_total_hits"})
_COUNTED = 10_000
"""Hits that are counted exactly where nothing else is asked for; also the last that can be shown."""

SHARDS: Final = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}


def answer_search(index: str, store: Store, body: Json) -> Json:
    """Answer `_search`; raises Refusal, and CapabilityError for what no plan of Kokeshi asks."""
    if other := sorted(set(body) - _KNOWN):
        raise not_in_memory(f"'{other[0]}' in a search", "send it to OpenSearch or Elasticsearch")
    started = perf_counter()
    start, size = body.get("from", 0), body.get("size", 10)
    if start + size > _COUNTED:
        reason = f"Result window is too large, from + size must be at most [{_COUNTED}]"
        raise Refusal(400, "illegal_argument_exception", reason)
    found = find(store.columns, body.get("query"))
    hits = [_hit(index, store, body, found, row) for row in found.best(start, size)]
    return {
        "took": int((perf_counter() - started) * 1000),
        "timed_out": False,
        "_shards": SHARDS,
        "hits": {"total": _total(body, int(found.hits.sum())), "hits": hits},
    }


def answer_msearch(find_store: Callable[[], tuple[str, Store]], content: bytes) -> Json:
    """Answer `_msearch`: one that is refused fails alone, as all do where there is no index."""
    bodies = map(orjson.loads, content.splitlines()[1::2])
    return {"responses": [_answer_one(find_store, body) for body in bodies]}


def _answer_one(find_store: Callable[[], tuple[str, Store]], body: Json) -> Json:
    try:
        return answer_search(*find_store(), body) | {"status": 200}
    except Refusal as refusal:
        return refusal.body


def _hit(index: str, store: Store, body: Json, found: Found, row: int) -> Json:
    document = store.columns.documents[row]
    hit: Json = {"_index": index, "_id": document.id, "_score": float(found.scores[row])}
    wanted = body.get("_source", True)
    if wanted is not False:
        hit["_source"] = filter_source(document.source, wanted)
    return hit


def _total(body: Json, count: int) -> Json:
    if body.get("track_total_hits") is True or count <= _COUNTED:
        return {"value": count, "relation": "eq"}
    return {"value": _COUNTED, "relation": "gte"}


def filter_source(source: Json, wanted: Json | Sequence[str] | bool) -> Json:
    """Return the part of a document that `_source` asks for.

    >>> filter_source({"a": {"b": 1, "c": 2}, "d": 3}, ["a.b", "d"])
    {'a': {'b': 1}, 'd': 3}
    """
    if isinstance(wanted, bool):
        return source
    if not isinstance(wanted, dict):
        wanted = {"includes": wanted}
    includes, excludes = (_pattern(wanted.get(key, ())) for key in ("includes", "excludes"))
    (part,) = _part(source, "", includes, excludes) or ({},)
    return cast(Json, part)


def _pattern(names: Sequence[str]) -> re.Pattern[str] | None:
    """Match a path that one of the names stands for, or that lies below it."""
    if not names:
        return None
    either = "|".join(re.escape(name).replace(r"\*", ".*") for name in names)
    return re.compile(rf"(?:{either})(?:\..*)?")


def _part(
    value: Any,  # noqa: ANN401
    path: str,
    includes: re.Pattern[str] | None,
    excludes: re.Pattern[str] | None,
) -> list[Any]:
    """Return what is left of a value, alone in a list; nothing is left in an empty one."""
    if path and excludes and excludes.fullmatch(path):
        return []
    if path and includes and includes.fullmatch(path):
        includes = None
    if isinstance(value, dict):
        below = f"{path}." if path else ""
        found = {k: _part(v, f"{below}{k}", includes, excludes) for k, v in value.items()}
        parts = {key: part for key, kept in found.items() for part in kept}
        return [parts] if parts or not includes else []
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        left = (part for item in value for part in _part(item, path, includes, excludes))
        items = [part for part in left if part != {}]
        return [items] if items or not includes else []
    return [] if includes else [value]
