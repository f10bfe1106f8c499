"""The requests that only versions and snapshots need, as values; both engines share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import quote

from kokeshi.engines.calls import Answer, Call
from kokeshi.types import Json

WAIT_S: Final = 20
"""Seconds that the engine itself waits for an index: less than any sensible timeout of a request."""


Health = Literal["whole", "coming", "broken"]
"""Of an index: every primary shard answers, some are being made or recovered, or some are not even that."""


def put_meta(index: str, meta: Json) -> Call[None]:
    """Replace the `_meta` of an index's mapping."""
    return Call(
        "put_mapping", "PUT", f"/{_quoted(index)}/_mapping", _nothing, index, {"_meta": meta}
    )


def put_settings(index: str, settings: Json) -> Call[None]:
    """Change settings of an index."""
    return Call("put_settings", "PUT", f"/{_quoted(index)}/_settings", _nothing, index, settings)


def get_settings(index: str) -> Call[dict[str, Json]]:
    """Return the settings by concrete index, as flat keys."""
    return Call(
        "get_settings",
        "GET",
        f"/{_quoted(index)}/_settings",
        lambda answer: {name: found["settings"] for name, found in answer.body.items()},
        index,
        params={"flat_settings": "true"},
    )


def get_index(index: str) -> Call[dict[str, Json]]:
    """Return mappings and aliases by concrete index, of one moment; nothing where there is no such index."""
    return Call(
        "get_index",
        "GET",
        f"/{_quoted(index)}",
        lambda answer: dict(_found(answer)),
        index,
        accept=frozenset({404}),
    )


def index_aliases(indices: str) -> Call[dict[str, dict[str, Json]]]:
    """Return the aliases of indices, with their filter and routing; names can have wildcards."""
    return Call(
        "index_aliases",
        "GET",
        f"/{_quoted(indices)}/_alias",
        lambda answer: {name: found["aliases"] for name, found in _found(answer).items()},
        indices,
        accept=frozenset({404}),
    )


def clone_index(index: str, target: str, settings: Json) -> Call[None]:
    """Copy an index that is closed for writing; the engine links its files where it can."""
    path = f"/{_quoted(index)}/_clone/{_quoted(target)}"
    return Call("clone", "POST", path, _nothing, index, {"settings": settings}, repeatable=False)


def wait_for_index(index: str) -> Call[Health]:
    """Wait until every primary shard of an index answers, for a short time; returns how it stands then."""
    params = {
        "wait_for_status": "yellow",
        "wait_for_no_initializing_shards": "true",
        "level": "indices",
        "timeout": f"{WAIT_S}s",
    }
    path = f"/_cluster/health/{_quoted(index)}"
    accept = frozenset({408})
    return Call("wait_for_index", "GET", path, _read_health, index, params=params, accept=accept)


def index_stats(indices: str) -> Call[dict[str, Json]]:
    """Return documents and bytes by concrete index; nothing for names without an index."""
    return Call(
        "index_stats",
        "GET",
        f"/{_quoted(indices)}/_stats/docs,store",
        lambda answer: _found(answer).get("indices", {}),
        indices,
        accept=frozenset({404}),
    )


def get_repository(repository: str) -> Call[Json | None]:
    """Return the type and settings of a place for snapshots; None where there is none."""
    return Call(
        "get_repository",
        "GET",
        _snapshot(repository),
        lambda answer: _found(answer).get(repository),
        accept=frozenset({404}),
    )


def get_snapshots(repository: str, snapshot: str = "_all") -> Call[list[Json]]:
    """Return the engine's account of one snapshot, or of all; none where it is not there."""
    return Call(
        "get_snapshots",
        "GET",
        _snapshot(repository, snapshot),
        lambda answer: list(_found(answer).get("snapshots", [])),
        accept=frozenset({404}),
    )


def start_snapshot(repository: str, snapshot: str, body: Json) -> Call[None]:
    """Begin a snapshot; the engine goes on with it by itself."""
    path = _snapshot(repository, snapshot)
    return Call("create_snapshot", "PUT", path, _nothing, body=body, repeatable=False)


def start_restore(repository: str, snapshot: str, body: Json) -> Call[None]:
    """Begin to restore indices; the engine goes on with it by itself."""
    path = _snapshot(repository, snapshot, "_restore")
    return Call("restore_snapshot", "POST", path, _nothing, body=body, repeatable=False)


def _read_health(answer: Answer) -> Health:
    """Return how an index stands: one that a snapshot or a copy is made into is yellow without any shard."""
    found = answer.body.get("indices", {}).values()
    if found and all(one["active_primary_shards"] == one["number_of_shards"] for one in found):
        return "whole"
    made = answer.body.get("initializing_shards") or answer.body.get("status") == "yellow"
    return "coming" if made else "broken"


def _snapshot(*parts: str) -> str:
    return "/".join(("/_snapshot", *(quote(part, safe="") for part in parts)))


def _quoted(index: str) -> str:
    return quote(index, safe=",*")


def _found(answer: Answer) -> Mapping[str, Any]:
    return {} if answer.status == 404 else answer.body


def _nothing(_: Answer) -> None:
    return None
