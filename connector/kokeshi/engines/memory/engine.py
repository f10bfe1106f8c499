"""`MemoryEngine`: every plan answered exactly, by NumPy, in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from threading import Lock
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from kokeshi.engines.base import AsyncEngine, Capabilities, Engine
from kokeshi.engines.calls import Answer, Call
from kokeshi.engines.memory.answers import SHARDS, answer_msearch, answer_search
from kokeshi.engines.memory.bulk import answer_bulk
from kokeshi.engines.memory.refusal import Refusal, no_index, not_in_memory
from kokeshi.engines.memory.search import find
from kokeshi.engines.memory.store import Store
from kokeshi.types import Json

T = TypeVar("T")


class MemoryEngine(Engine):
    """A small catalogue without a server: the exact answer that the real engines come near to.

    >>> from kokeshi import Index
    >>> from kokeshi.schema import parse_spec
    >>> index = Index(parse_spec("{index: shoes, text: [title]}"), MemoryEngine())
    >>> index.create()
    True

    For the tests of an application, and for catalogues of some ten thousand documents. The
    documents live as long as the engine does, `close` keeps them; they are searchable at once.
    Several threads may use it.

    It answers what Kokeshi asks, on one shard: k nearest and rescoring exactly, BM25 as Lucene
    scores it with the standard analyzer. What it lacks (other analyzers, cross_fields, _rank_eval,
    snapshots, query DSL) raises CapabilityError or EngineError, naming it.
    """

    def __init__(self) -> None:
        self._stores: dict[str, Store] = {}
        self._aliases: dict[str, frozenset[str]] = {}
        self._lock = Lock()

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        return Capabilities("memory", (), derived_source=True)

    def perform(self, call: Call[T]) -> T:
        """Answer one call; raises CapabilityError for what only a real engine does."""
        operation = _OPERATIONS.get(call.operation)
        if operation is None:
            alternative = _ALTERNATIVES.get(call.operation, "use OpenSearch or Elasticsearch")
            raise not_in_memory(call.operation, alternative)
        try:
            with self._lock:
                answer = Answer(200, operation(self, call))
        except Refusal as refusal:
            if refusal.status not in call.accept:
                raise refusal.error from None
            answer = Answer(refusal.status, refusal.body)
        return call.read(answer)

    def close(self) -> None:
        """Do nothing: the documents stay for the next user of this engine."""

    def _names(self, name: str) -> frozenset[str]:
        """Return the concrete indices that a name stands for."""
        names = frozenset({name}) if name in self._stores else self._aliases.get(name)
        if not names:
            raise no_index(name)
        return names

    def _find(self, name: str) -> tuple[str, Store]:
        names = sorted(self._names(name))
        if len(names) > 1:
            raise not_in_memory(
                f"search of several indices ('{name}' stands for {', '.join(names)})",
                "give the alias one index",
            )
        return names[0], self._stores[names[0]]

    def _create_index(self, call: Call[Any]) -> Json:
        if call.index in self._stores or call.index in self._aliases:
            reason = f"index [{call.index}] already exists"
            raise Refusal(400, "resource_already_exists_exception", reason)
        self._stores[call.index] = Store(deepcopy(_body(call)))
        return {"acknowledged": True, "index": call.index}

    def _delete_index(self, call: Call[Any]) -> Json:
        if call.index in self._aliases:
            reason = f"[{call.index}] is an alias, specify the concrete index instead"
            raise Refusal(400, "illegal_argument_exception", reason)
        if self._stores.pop(call.index, None) is None:
            raise no_index(call.index)
        self._set_aliases({alias: names - {call.index} for alias, names in self._aliases.items()})
        return {"acknowledged": True}

    def _get_mapping(self, call: Call[Any]) -> Json:
        names = sorted(self._names(call.index))
        return {name: {"mappings": deepcopy(self._stores[name].mappings)} for name in names}

    def _get_index_ids(self, call: Call[Any]) -> Json:
        names = sorted(self._names(call.index))
        return {name: {"settings": {"index": {"uuid": self._stores[name].id}}} for name in names}

    def _bulk(self, call: Call[Any]) -> Json:
        return answer_bulk(self._find(call.index)[1], _content(call))

    def _get_document(self, call: Call[Any]) -> Json:
        _, store = self._find(call.index)
        source = store.get(unquote(call.path.rpartition("/")[2]))
        if source is None:
            raise Refusal(404, "not_found", f"no such document in [{call.index}]")
        return {"_source": source}

    def _get_documents(self, call: Call[Any]) -> Json:
        _, store = self._find(call.index)
        return {"docs": [_stored(store, id_) for id_ in _body(call)["ids"]]}

    def _refresh(self, call: Call[Any]) -> Json:
        self._names(call.index)
        return {"_shards": SHARDS}

    def _count(self, call: Call[Any]) -> Json:
        _, store = self._find(call.index)
        hits = find(store.columns, _body(call).get("query")).hits
        return {"count": int(hits.sum()), "_shards": SHARDS}

    def _search(self, call: Call[Any]) -> Json:
        return answer_search(*self._find(call.index), _body(call))

    def _msearch(self, call: Call[Any]) -> Json:
        return answer_msearch(lambda: self._find(call.index), _content(call))

    def _find_module(self, call: Call[Any]) -> Json:
        reason = f"[{call.path}] is not offered in memory"
        raise Refusal(410, "unsupported_operation_exception", reason)

    def _get_aliases(self, call: Call[Any]) -> Json:
        if call.index not in self._aliases:
            raise Refusal(404, "aliases_not_found_exception", f"alias [{call.index}] missing")
        return {name: {"aliases": {call.index: {}}} for name in self._aliases[call.index]}

    def _update_aliases(self, call: Call[Any]) -> Json:
        aliases = dict(self._aliases)
        for action in _body(call)["actions"]:
            ((kind, target),) = action.items()
            self._change_alias(aliases, kind, target)
        self._set_aliases(aliases)
        return {"acknowledged": True}

    def _change_alias(self, aliases: dict[str, frozenset[str]], kind: str, target: Json) -> None:
        index, alias = target["index"], target["alias"]
        names = aliases.get(alias, frozenset())
        if index not in self._stores:
            raise no_index(index)
        if kind == "add" and alias in self._stores:
            reason = (
                f"Invalid alias name [{alias}]: an index exists with the same name as the alias"
            )
            raise Refusal(400, "invalid_alias_name_exception", reason)
        if kind == "remove" and index not in names:
            raise Refusal(404, "aliases_not_found_exception", f"aliases [{alias}] missing")
        if kind not in ("add", "remove"):
            raise not_in_memory(f"alias action {kind}", "use add and remove")
        aliases[alias] = names | {index} if kind == "add" else names - {index}

    def _set_aliases(self, aliases: Mapping[str, frozenset[str]]) -> None:
        self._aliases = {alias: names for alias, names in aliases.items() if names}


class AsyncMemoryEngine(AsyncEngine):
    """A `MemoryEngine` for asyncio: answers come without waiting."""

    def __init__(self, engine: MemoryEngine | None = None) -> None:
        self._engine = engine or MemoryEngine()

    async def capabilities(self) -> Capabilities:
        """What this engine can do."""
        return self._engine.capabilities

    async def perform(self, call: Call[T]) -> T:
        """Answer one call; see `MemoryEngine.perform`."""
        return self._engine.perform(call)

    def blocking(self) -> Engine:
        """Return the engine itself, which several threads may use."""
        return self._engine

    async def close(self) -> None:
        """Do nothing: the documents stay for the next user of this engine."""


def _body(call: Call[Any]) -> Json:
    return call.body if isinstance(call.body, dict) else {}


def _stored(store: Store, id_: str) -> Json:
    source = store.get(id_)
    if source is None:
        return {"_id": id_, "found": False}
    place = {"_version": store.versions[id_], "_seq_no": store.places[id_], "_primary_term": 1}
    return {"_id": id_, "found": True, "_source": deepcopy(source), **place}


def _content(call: Call[Any]) -> bytes:
    return call.content or b""


_OPERATIONS: Final[Mapping[str, Callable[[MemoryEngine, Call[Any]], Json]]] = {
    "create_index": MemoryEngine._create_index,
    "delete_index": MemoryEngine._delete_index,
    "get_mapping": MemoryEngine._get_mapping,
    "get_index_ids": MemoryEngine._get_index_ids,
    "bulk": MemoryEngine._bulk,
    "get_document": MemoryEngine._get_document,
    "get_documents": MemoryEngine._get_documents,
    "refresh": MemoryEngine._refresh,
    "count": MemoryEngine._count,
    "search": MemoryEngine._search,
    "msearch": MemoryEngine._msearch,
    "find_rank_eval": MemoryEngine._find_module,
    "find_templates": MemoryEngine._find_module,
    "get_aliases": MemoryEngine._get_aliases,
    "update_aliases": MemoryEngine._update_aliases,
}
_SNAPSHOTS = "keep the file of the documents, and ingest it again"
_ALTERNATIVES: Final[Mapping[str, str]] = {
    "rank_eval": "evaluate by searches, with _msearch",
    **dict.fromkeys(
        ("create_repository", "create_snapshot", "restore_snapshot", "delete_snapshot"), _SNAPSHOTS
    ),
}
