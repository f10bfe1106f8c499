"""`_bulk` in memory: each document is taken, or refused, alone."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from kokeshi.engines.memory.refusal import Refusal
from kokeshi.engines.memory.store import Store
from kokeshi.types import Json


def answer_bulk(store: Store, content: bytes) -> Json:
    """Answer `_bulk`; raises Refusal where the body is none, of which nothing is indexed then."""
    items = [_perform(store, *action) for action in list(_read_actions(content))]
    return {"items": items, "errors": any("error" in item for (item,) in map(dict.values, items))}


def _read_actions(content: bytes) -> Iterator[tuple[str, str, Json]]:
    """Yield operation, id and document."""
    lines = iter(content.splitlines())
    for line in lines:
        operation, id_ = _read_action(line)
        yield operation, id_, {} if operation == "delete" else _read_json(next(lines, b""))


def _read_action(line: bytes) -> tuple[str, str]:
    action = _read_json(line)
    operation, target = next(iter(action.items()), ("", None))
    if operation not in ("index", "delete") or not isinstance(target, dict):
        reason = f"Malformed action/metadata line, found [{operation}]: index or delete is expected"
        raise Refusal(400, "illegal_argument_exception", reason)
    if not target.get("_id"):
        raise Refusal(400, "illegal_argument_exception", "in memory each action needs an _id")
    return operation, target["_id"]


def _read_json(line: bytes) -> Json:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "json_parse_exception", f"{error}: {line[:40]!r}") from None
    if not isinstance(found, dict):
        raise Refusal(400, "json_parse_exception", f"an object is expected, found {line[:40]!r}")
    return found


def _perform(store: Store, operation: str, id_: str, source: Json) -> Json:
    try:
        if operation == "delete":
            status = 200 if store.delete(id_) else 404
        else:
            status = 201 if store.put(id_, source) else 200
    except Refusal as refusal:
        return {operation: {"_id": id_, **refusal.body}}
    return {operation: {"_id": id_, "status": status}}
