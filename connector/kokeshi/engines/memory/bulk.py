"""`_bulk` in memory: each document is taken, or refused, alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import orjson

from kokeshi.engines.memory.refusal import Refusal, not_in_memory
from kokeshi.engines.memory.store import Store
from kokeshi.merging import merge
from kokeshi.types import Json

_OPERATIONS: Final = ("index", "update", "delete")
_TARGET: Final = frozenset(
    {"_id", "version", "version_type", "if_seq_no", "if_primary_term", "retry_on_conflict"}
)


def answer_bulk(store: Store, content: bytes) -> Json:
    """Answer `_bulk`; raises Refusal where the body is none, of which nothing is indexed then."""
    items = [_perform(store, *action) for action in list(_read_actions(content))]
    return {"items": items, "errors": any("error" in item for (item,) in map(dict.values, items))}


def _read_actions(content: bytes) -> Iterator[tuple[str, Json, Json]]:
    """Yield operation, what it says of its target, and document."""
    lines = iter(content.splitlines())
    for line in lines:
        operation, target = _read_action(line)
        yield operation, target, {} if operation == "delete" else _read_json(next(lines, b""))


def _read_action(line: bytes) -> tuple[str, Json]:
    action = _read_json(line)
    operation, target = next(iter(action.items()), ("", None))
    if operation not in _OPERATIONS or not isinstance(target, dict):
        reason = f"Malformed action/metadata line, found [{operation}]: index, update or delete is expected"
        raise Refusal(400, "illegal_argument_exception", reason)
    if not target.get("_id"):
        raise Refusal(400, "illegal_argument_exception", "in memory each action needs an _id")
    if unknown := sorted(set(target) - _TARGET):
        raise not_in_memory(f"'{unknown[0]}' in a bulk action", "leave it out")
    if operation == "update" and "version" in target:
        reason = "Update requests do not support versioning. Please use `if_seq_no` and `if_primary_term`"
        raise Refusal(400, "illegal_argument_exception", reason)
    return operation, target


def _read_json(line: bytes) -> Json:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "json_parse_exception", f"{error}: {line[:40]!r}") from None
    if not isinstance(found, dict):
        raise Refusal(400, "json_parse_exception", f"an object is expected, found {line[:40]!r}")
    return found


def _perform(store: Store, operation: str, target: Json, source: Json) -> Json:
    id_ = target["_id"]
    try:
        status = _take(store, operation, target, source)
    except Refusal as refusal:
        return {operation: {"_id": id_, **refusal.body}}
    return {operation: {"_id": id_, "status": status}}


def _take(store: Store, operation: str, target: Json, source: Json) -> int:
    id_ = target["_id"]
    version = _check(store, target)
    if operation == "delete":
        return 200 if store.delete(id_, version) else 404
    if operation == "update":
        old = store.get(id_)
        if old is None:
            raise Refusal(404, "document_missing_exception", f"[{id_}]: document missing")
        source = merge(old, source["doc"])
    return 201 if store.put(id_, source, version) else 200


def _check(store: Store, target: Json) -> int | None:
    """Return the version that an action gives; raises Refusal where it may not be taken."""
    id_, version = target["_id"], target.get("version")
    current = store.versions.get(id_, 0)
    if version is not None and target.get("version_type") != "external_gte":
        raise not_in_memory("versions but those of version_type external_gte", "give that")
    if version is not None and version < current:
        reason = (
            f"[{id_}]: version conflict, current version [{current}] is higher than the one provided "
            f"[{version}]"
        )
        raise Refusal(409, "version_conflict_engine_exception", reason)
    wanted = target.get("if_seq_no")
    if wanted is not None and (store.get(id_) is None or store.places[id_] != wanted):
        reason = f"[{id_}]: version conflict, required seqNo [{wanted}]"
        raise Refusal(409, "version_conflict_engine_exception", reason)
    found: int | None = version
    return found
