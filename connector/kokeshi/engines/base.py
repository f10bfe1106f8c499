"""What Kokeshi asks of an engine. Bodies are built elsewhere, by pure functions; an engine sends them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from kokeshi.engines import calls
from kokeshi.engines.calls import Call
from kokeshi.engines.items import BulkItem
from kokeshi.errors import EngineError
from kokeshi.types import Base64Floats, Json

T = TypeVar("T")

Dialect = Literal["opensearch", "elasticsearch", "memory"]

Flow = Generator[Call[Any], Any, T]
"""Work that needs answers of an engine: yields calls, is sent their results, returns its own.

It is thrown the EngineError of a call that was refused.

Written once, it is run by an `Engine` and by an `AsyncEngine`.
"""


@dataclass(frozen=True)
class Capabilities:
    """What the live engine can do, read from its version and licence.

    derived_source: vectors can be left out of the stored `_source` and still come back in full from
    a get, a scroll, a re-index and an update. filter_heuristic: an index can say how a graph search
    walks under a filter. native: the k-NN plugin of OpenSearch has its library of faiss, without which
    a graph of faiss ends the engine. base64_vectors: of which numbers a bulk request
    may hold vectors as base64; None where it may not. licence: of an Elasticsearch; None where it may not be
    asked, and on the others.
    """

    dialect: Dialect
    version: tuple[int, ...]
    derived_source: bool
    filter_heuristic: bool = False
    native: bool = False
    base64_vectors: Base64Floats | None = None
    licence: str | None = None

    def __str__(self) -> str:
        return f"{NAMES[self.dialect]} {'.'.join(map(str, self.version))}".strip()

    @property
    def leaves_vectors_out(self) -> bool:
        """Whether vectors come back with a document only where they are asked for."""
        return self.dialect == "elasticsearch" and self.derived_source

    def bm25_scale(self, k1: float) -> float:
        """What its BM25 is of Lucene's: k1 + 1 where the engine keeps that factor of the older formula."""
        older = self.dialect == "opensearch" and self.version < (3,)
        return k1 + 1 if older or self.dialect == "elasticsearch" else 1.0


NAMES: Final[dict[Dialect, str]] = {
    "opensearch": "OpenSearch",
    "elasticsearch": "Elasticsearch",
    "memory": "in memory",
}


class Engine(ABC):
    """One engine. Use as a context manager, or call `close`.

    Every method raises EngineError with a remedy where the engine refuses or is away.
    """

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this engine can do; asks once."""

    @abstractmethod
    def perform(self, call: Call[T]) -> T:
        """Send one call and return its result."""

    @abstractmethod
    def close(self) -> None:
        """Close every connection."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, flow: Flow[T]) -> T:
        """Perform the calls of a flow, which is thrown what one raises, and return what it returns."""
        try:
            call = next(flow)
            while True:
                call = _advance(flow, self._try(call))
        except StopIteration as end:
            value: T = end.value
            return value

    def _try(self, call: Call[T]) -> T | EngineError:
        try:
            return self.perform(call)
        except EngineError as error:
            return error

    def create_index(self, index: str, body: Json) -> None:
        """Create an index from settings and mappings."""
        self.perform(calls.create_index(index, body))

    def delete_index(self, index: str) -> None:
        """Delete an index; one that does not exist is no error."""
        self.perform(calls.delete_index(index))

    def get_mapping(self, index: str) -> dict[str, Json] | None:
        """Return the mappings by concrete index name, several behind an alias; None without any."""
        return self.perform(calls.get_mapping(index))

    def bulk(self, index: str, body: bytes) -> list[BulkItem]:
        """Send newline-delimited actions and documents; returns one item for each, in order."""
        return self.perform(calls.bulk(index, body))

    def refresh(self, index: str) -> None:
        """Make everything sent so far visible to searches."""
        self.perform(calls.refresh(index))

    def count(self, index: str, query: Json | None = None) -> int:
        """Count the documents that match."""
        return self.perform(calls.count(index, query))

    def search(self, index: str, body: Json) -> Json:
        """Send one search; raises EngineError also where only some shards answered."""
        return self.perform(calls.search(index, body))

    def msearch(self, index: str, bodies: Sequence[Json]) -> list[Json]:
        """Send several searches in one request; one that failed has the key `error`."""
        return self.perform(calls.msearch(index, bodies))

    def rank_eval(self, index: str, body: Json) -> Json:
        """Send one ranking evaluation; returns the engine's answer."""
        return self.perform(calls.rank_eval(index, body))

    def get_aliases(self, alias: str) -> list[str]:
        """Return the concrete indices that an alias stands for."""
        return self.perform(calls.get_aliases(alias))

    def update_aliases(self, actions: Iterable[Json]) -> None:
        """Change aliases, all at once."""
        self.perform(calls.update_aliases(actions))

    def create_repository(self, repository: str, body: Json) -> None:
        """Register a place that snapshots go to."""
        self.perform(calls.create_repository(repository, body))

    def create_snapshot(self, repository: str, snapshot: str, indices: str) -> Json:
        """Write a snapshot of indices and wait for its end."""
        return self.perform(calls.create_snapshot(repository, snapshot, indices))

    def restore_snapshot(self, repository: str, snapshot: str, body: Json) -> Json:
        """Restore indices of a snapshot and wait for their end."""
        return self.perform(calls.restore_snapshot(repository, snapshot, body))

    def delete_snapshot(self, repository: str, snapshot: str) -> None:
        """Delete a snapshot; one that does not exist is no error."""
        self.perform(calls.delete_snapshot(repository, snapshot))


class AsyncEngine(ABC):
    """One engine for asyncio. Use as an async context manager, or await `close`."""

    @abstractmethod
    async def capabilities(self) -> Capabilities:
        """What this engine can do; asks once."""

    @abstractmethod
    async def perform(self, call: Call[T]) -> T:
        """Send one call and return its result."""

    @abstractmethod
    def blocking(self) -> Engine:
        """Return the same engine for a thread of its own, to be closed by the caller."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection."""

    async def __aenter__(self) -> AsyncEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(self, flow: Flow[T]) -> T:
        """Perform the calls of a flow, which is thrown what one raises, and return what it returns."""
        try:
            call = next(flow)
            while True:
                call = _advance(flow, await self._try(call))
        except StopIteration as end:
            value: T = end.value
            return value

    async def _try(self, call: Call[T]) -> T | EngineError:
        try:
            return await self.perform(call)
        except EngineError as error:
            return error


def _advance(flow: Flow[Any], answer: object) -> Call[Any]:
    return flow.throw(answer) if isinstance(answer, EngineError) else flow.send(answer)
