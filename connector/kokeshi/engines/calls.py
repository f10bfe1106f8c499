"""The requests that Kokeshi sends, as values: what to send and how the answer is read.

OpenSearch and Elasticsearch share these paths and answers; where they differ is the body, which
`kokeshi.mapping` and `kokeshi.plans` build. A call is sent by an `Engine` or an `AsyncEngine`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import orjson

from kokeshi.engines.causes import describe_cause, find_cause
from kokeshi.engines.items import BulkItem, read_item
from kokeshi.engines.shards import NO_COPY, can_be_completed, count_missing
from kokeshi.errors import EngineError
from kokeshi.types import Json

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What an engine answered. body: the parsed JSON; text where it was none.

    product: the header by which Elasticsearch names itself, in refusals too.
    """

    status: int
    body: Any
    product: str | None = None


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request. read: from its answer to its result.

    index: the name that the request is about, "" for the cluster. accept: refusals that `read`
    understands. repeatable: whether sending it twice does no more than sending it once. is_busy:
    whether an answer, as it came, says that the same call can succeed later.
    """

    operation: str
    method: str
    path: str
    read: Callable[[Answer], T]
    index: str = ""
    body: Json | bytes | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    accept: frozenset[int] = frozenset()
    repeatable: bool = True
    is_busy: Callable[[bytes], bool] = lambda _: False

    @property
    def target(self) -> str:
        """The path with its parameters."""
        return f"{self.path}?{urlencode(self.params)}" if self.params else self.path

    @property
    def content(self) -> bytes | None:
        """The body as it is sent."""
        if self.body is None or isinstance(self.body, bytes):
            return self.body
        return orjson.dumps(self.body)


@dataclass(frozen=True)
class Stored:
    """What the engine has of one document. source, version: None where there is no such document.

    condition: what an action line says so that it fails where somebody else wrote in between.
    """

    id: str
    source: Json | None = None
    version: int | None = None
    condition: Json = field(default_factory=dict)


def root() -> Call[Answer]:
    """What the engine says of itself; refused to a user who may only use some indices."""
    return Call("root", "GET", "/", _whole, accept=frozenset({403}))


def licence() -> Call[str | None]:
    """The licence of an Elasticsearch, such as `basic`; None where it may not be asked."""
    return Call(
        "licence",
        "GET",
        "/_license",
        lambda answer: _find(answer.body, "license", "type"),
        accept=frozenset({400, 403, 404, 405}),
    )


def create_index(index: str, body: Json) -> Call[None]:
    """Create an index from settings and mappings."""
    return Call("create_index", "PUT", _path(index), _nothing, index, body, repeatable=False)


def ensure_index(index: str, body: Json) -> Call[None]:
    """Create an index; that there is one already, since somebody else was faster, is no error."""

    def read(answer: Answer) -> None:
        if answer.status == 400 and "already_exists" not in answer.body["error"]["type"]:
            reason = describe_cause(answer.body["error"])
            raise EngineError(f"index '{index}': {reason}", status=400)

    return replace(create_index(index, body), read=read, accept=frozenset({400}))


def delete_index(index: str) -> Call[None]:
    """Delete an index; one that does not exist is no error."""
    return Call("delete_index", "DELETE", _path(index), _nothing, index, accept=frozenset({404}))


def get_mapping(index: str) -> Call[dict[str, Json] | None]:
    """Return the mappings by concrete index name, several behind an alias; None without any."""

    def read(answer: Answer) -> dict[str, Json] | None:
        if answer.status == 404:
            return None
        return {name: found["mappings"] for name, found in answer.body.items()}

    return Call(
        "get_mapping", "GET", _path(index, "_mapping"), read, index, accept=frozenset({404})
    )


def get_index_ids(index: str) -> Call[dict[str, str]]:
    """Return the engine's own id by concrete index name: another one once an index was made anew.

    Empty where there is no index, or the user may not ask.
    """

    def read(answer: Answer) -> dict[str, str]:
        found = answer.body if answer.status == 200 else {}
        return {name: one["settings"]["index"]["uuid"] for name, one in found.items()}

    return Call(
        "get_index_ids",
        "GET",
        _path(index, "_settings", "index.uuid"),
        read,
        index,
        accept=frozenset({403, 404}),
    )


def bulk(index: str, body: bytes) -> Call[list[BulkItem]]:
    """Send newline-delimited actions and documents; returns one item for each, in order.

    Raises EngineError where an item has an error that is no document's.
    """
    return Call(
        "bulk",
        "POST",
        _path(index, "_bulk"),
        lambda answer: [read_item(index, item) for item in answer.body.get("items", [])],
        index,
        body,
        params={"filter_path": "errors,items.*.status,items.*.error"},
        repeatable=False,  # kokeshi.ingest repeats what was not taken, item by item
    )


def get_document(index: str, id_: str) -> Call[Json | None]:
    """Return a document by its id, also one that no search finds yet; None without it, or an index."""

    def read(answer: Answer) -> Json | None:
        return answer.body["_source"] if answer.status == 200 else None

    path = _path(index, "_doc", quote(id_, safe=""))
    return Call("get_document", "GET", path, read, index, accept=frozenset({404}))


def get_documents(index: str, ids: Sequence[str], *, ask_for_vectors: bool) -> Call[list[Stored]]:
    """Return documents by their ids, in order, with their vectors, also those that no search finds yet.

    ask_for_vectors: of an engine that leaves them out otherwise (`Capabilities.leaves_vectors_out`).
    """
    return Call(
        "get_documents",
        "POST",
        _path(index, "_mget"),
        lambda answer: [_read_stored(index, one) for one in answer.body["docs"]],
        index,
        {"ids": list(ids)},
        params={"_source_exclude_vectors": "false"} if ask_for_vectors else {},
    )


def refresh(index: str) -> Call[None]:
    """Make everything sent so far visible to searches."""
    return Call("refresh", "POST", _path(index, "_refresh"), _nothing, index)


def count(index: str, query: Json | None = None) -> Call[int]:
    """Count the documents that match; raises EngineError also where only some shards answered."""

    def read(answer: Answer) -> int:
        _require_complete(f"count of '{index}'", answer.body)
        return int(answer.body["count"])

    body = {"query": query} if query else None
    path = _path(index, "_count")
    return Call("count", "POST", path, read, index, body, is_busy=can_be_completed)


def search(index: str, body: Json) -> Call[Json]:
    """Send one search; raises EngineError also where only some shards answered."""
    return _search("search", _path(index, "_search"), index, body)


def search_template(index: str, body: Json) -> Call[Json]:
    """Send one search by a template: `{"source": …, "params": …}`; raises as `search` does."""
    return _search("search_template", _path(index, "_search", "template"), index, body)


def msearch(index: str, bodies: Sequence[Json]) -> Call[list[Json]]:
    """Send several searches in one request; returns an answer for each, in order.

    One that failed has the key `error`; `read_search` raises it.
    """
    return _send_searches("msearch", _path(index, "_msearch"), index, bodies)


def msearch_template(index: str, bodies: Sequence[Json]) -> Call[list[Json]]:
    """Send several searches by templates in one request, and return answers, as `msearch` does.

    Documents are left out, whatever the templates ask for.
    """
    path = _path(index, "_msearch", "template")
    params = {"filter_path": "-responses.hits.hits._source"}
    return _send_searches("msearch_template", path, index, bodies, params)


def rank_eval(index: str, body: Json) -> Call[Json]:
    """Send one ranking evaluation; returns the engine's answer."""
    return Call("rank_eval", "POST", _path(index, "_rank_eval"), _body, index, body)


def get_aliases(alias: str) -> Call[list[str]]:
    """Return the concrete indices that an alias stands for."""
    return Call(
        "get_aliases",
        "GET",
        f"/_alias/{quote(alias, safe='')}",
        lambda answer: [] if answer.status == 404 else sorted(answer.body),
        alias,
        accept=frozenset({404}),
    )


def update_aliases(actions: Iterable[Json]) -> Call[None]:
    """Change aliases, all at once: `{"add": {"index": …, "alias": …}}`, `{"remove": …}`."""
    body = {"actions": list(actions)}
    return Call("update_aliases", "POST", "/_aliases", _nothing, body=body, repeatable=False)


def create_repository(repository: str, body: Json) -> Call[None]:
    """Register a place that snapshots go to."""
    return Call("create_repository", "PUT", _snapshot(repository), _nothing, body=body)


def create_snapshot(repository: str, snapshot: str, indices: str) -> Call[Json]:
    """Write a snapshot of indices and wait for its end; returns the engine's account of it."""
    return Call(
        "create_snapshot",
        "PUT",
        _snapshot(repository, snapshot),
        lambda answer: _find(answer.body, "snapshot"),
        body={"indices": indices, "include_global_state": False},
        params={"wait_for_completion": "true"},
        repeatable=False,
    )


def restore_snapshot(repository: str, snapshot: str, body: Json) -> Call[Json]:
    """Restore indices of a snapshot and wait for their end."""
    return Call(
        "restore_snapshot",
        "POST",
        _snapshot(repository, snapshot, "_restore"),
        _body,
        body=body,
        params={"wait_for_completion": "true"},
        repeatable=False,
    )


def delete_snapshot(repository: str, snapshot: str) -> Call[None]:
    """Delete a snapshot; one that does not exist is no error."""
    return Call(
        "delete_snapshot",
        "DELETE",
        _snapshot(repository, snapshot),
        _nothing,
        accept=frozenset({404}),
    )


def read_search(index: str, body: Json) -> Json:
    """Return the answer of a search; raises EngineError where it, or a shard, failed."""
    if "error" in body:
        raise EngineError(
            f"search of '{index}': {describe_cause(body['error'])}", status=body.get("status")
        )
    if body.get("timed_out"):
        raise EngineError(
            f"search of '{index}': the engine stopped at its own time limit, so hits are missing; "
            "narrow the filter, or raise search.default_search_timeout"
        )
    _require_complete(f"search of '{index}'", body)
    return body


def _require_complete(what: str, body: Json) -> None:
    """Raise EngineError where a shard failed, or has no copy that answers. what: begins the message."""
    shards = body["_shards"]
    causes = [one.get("reason", {}) for one in shards.get("failures", ())]
    if told := [cause for cause in causes if find_cause(cause).get("type") != NO_COPY]:
        raise EngineError(f"{what}: {describe_cause(told[0])}")
    if missing := count_missing(shards):
        raise EngineError(
            f"{what}: {missing} of {shards['total']} shards have no copy that answers, so hits are "
            "missing; wait for the nodes that hold them, or see _cluster/allocation/explain",
            status=503,
        )


def _search(operation: str, path: str, index: str, body: Json) -> Call[Json]:
    def read(answer: Answer) -> Json:
        return read_search(index, answer.body)

    return Call(operation, "POST", path, read, index, body, is_busy=can_be_completed)


def _send_searches(
    operation: str,
    path: str,
    index: str,
    bodies: Sequence[Json],
    params: Mapping[str, str] | None = None,
) -> Call[list[Json]]:
    lines = [line for body in bodies for line in (b"{}", orjson.dumps(body))]
    return Call(
        operation,
        "POST",
        path,
        lambda answer: list(answer.body["responses"]),
        index,
        b"\n".join([*lines, b""]),
        params=params or {},
        is_busy=can_be_completed,
    )


def _path(index: str, *rest: str) -> str:
    return "/".join(("", quote(index, safe=",*"), *rest))


def _snapshot(*parts: str) -> str:
    return "/".join(("/_snapshot", *(quote(part, safe="") for part in parts)))


def _find(body: Any, *keys: str) -> Any:  # noqa: ANN401
    for key in keys:
        body = body.get(key) if isinstance(body, dict) else None
    return body


def _whole(answer: Answer) -> Answer:
    return answer


def _body(answer: Answer) -> Json:
    body: Json = answer.body
    return body


def _nothing(_: Answer) -> None:
    return None


def _read_stored(index: str, found: Json) -> Stored:
    if "error" in found:  # of its shard: the others can be there
        cause = describe_cause(found["error"])
        raise EngineError(f"document '{found['_id']}' of '{index}': {cause}", status=503)
    if not found["found"]:
        return Stored(found["_id"])
    condition = {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
    return Stored(found["_id"], found["_source"], found["_version"], condition)
