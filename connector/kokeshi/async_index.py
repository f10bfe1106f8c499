"""`AsyncIndex`: `Index` for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import Unpack

from kokeshi.changes.model import ChangeReport
from kokeshi.connect import Target, connect_async
from kokeshi.encoders import Encoder
from kokeshi.engines import AsyncEngine, Capabilities
from kokeshi.filters import Filter
from kokeshi.flows import IndexFlows
from kokeshi.index import Index, SearchOptions, build_query
from kokeshi.ingest import IngestProgress, IngestReport, Pacing, Shard, Source
from kokeshi.ingest.shards import WHOLE
from kokeshi.metrics import IngestMetrics
from kokeshi.plans import SearchRequest, all_filters
from kokeshi.results import SearchResult
from kokeshi.schema import IndexSpec, load_spec
from kokeshi.types import Json

T = TypeVar("T")


class AsyncIndex:
    """A catalogue in an engine, for asyncio: every method of `Index`, to be awaited.

    Encoding a query's text runs in a thread, so that a slow encoder stops nothing else.

    >>> async with AsyncIndex.open("kokeshi.yaml") as index:  # doctest: +SKIP
    ...     (await index.search("black waterproof jacket")).ids
    """

    def __init__(self, spec: IndexSpec, engine: AsyncEngine) -> None:
        self.spec = spec
        self.engine = engine
        self._flows = IndexFlows(spec)

    @classmethod
    def open(
        cls,
        spec: IndexSpec | str | Path = "kokeshi.yaml",
        connection: Target = None,
    ) -> AsyncIndex:
        """Open an index by its spec; nothing is sent yet. See `Index.open`."""
        found = spec if isinstance(spec, IndexSpec) else load_spec(spec)
        return cls(found, connect_async(connection, found.engine))

    async def __aenter__(self) -> AsyncIndex:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections of the engine and of the encoders."""
        self._flows.close()
        await self.engine.close()

    @property
    def encoders(self) -> dict[str, Encoder]:
        """The encoder of each vector, loaded at first use."""
        return self._flows.encoders

    async def build_body(self) -> Json:
        """Return the body that `create` would PUT."""
        capabilities = await self._prepare()
        return await self.engine.run(self._flows.build_body(capabilities))

    async def exists(self) -> bool:
        """Whether there is an index of that name."""
        return await self.engine.run(self._flows.exists())

    async def create(self, *, recreate: bool = False) -> bool:
        """Create the index where it is missing; see `Index.create`."""
        capabilities = await self._prepare()
        return await self.engine.run(self._flows.create(capabilities, recreate=recreate))

    async def ingest(
        self,
        source: Source | str | Path,
        *,
        recreate: bool = False,
        resume: bool = True,
        shard: Shard = WHOLE,
        pacing: Pacing | None = None,
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
        metrics: IngestMetrics | None = None,
    ) -> IngestReport:
        """Index every document of a file; see `Index.ingest`.

        Reading and encoding are work of the processor, so it all runs in a thread of its own, with
        connections of its own. on_progress is called in threads, one at a time.
        """
        return await self._in_thread(
            lambda index: index.ingest(
                source,
                recreate=recreate,
                resume=resume,
                shard=shard,
                pacing=pacing,
                on_progress=on_progress,
                metrics=metrics,
            )
        )

    async def retry_failures(
        self,
        path: str | Path,
        *,
        pacing: Pacing | None = None,
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
        metrics: IngestMetrics | None = None,
    ) -> IngestReport:
        """Send what a `<name>.failures.jsonl` holds again; see `Index.retry_failures`."""
        return await self._in_thread(
            lambda index: index.retry_failures(
                path, pacing=pacing, on_progress=on_progress, metrics=metrics
            )
        )

    async def apply(
        self,
        source: Source | str | Path,
        *,
        pacing: Pacing | None = None,
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
        metrics: IngestMetrics | None = None,
    ) -> ChangeReport:
        """Apply the changes of a file, in a thread of its own; see `Index.apply`."""
        return await self._in_thread(
            lambda index: index.apply(
                source, pacing=pacing, on_progress=on_progress, metrics=metrics
            )
        )

    async def retry_changes(
        self,
        path: str | Path,
        *,
        pacing: Pacing | None = None,
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
        metrics: IngestMetrics | None = None,
    ) -> ChangeReport:
        """Apply what `apply` left in a `<name>.failures.jsonl` again; see `Index.retry_changes`."""
        return await self._in_thread(
            lambda index: index.retry_changes(
                path, pacing=pacing, on_progress=on_progress, metrics=metrics
            )
        )

    async def ingest_dataset(
        self,
        dataset: Any,  # noqa: ANN401 (a ray.data.Dataset)
        **options: Any,
    ) -> IngestReport:
        """Index the documents of a Ray Dataset; see `Index.ingest_dataset`."""
        return await self._in_thread(lambda index: index.ingest_dataset(dataset, **options))

    async def count(self, filter: Filter | str | None = None) -> int:  # noqa: A002
        """Count the documents that pass a filter."""
        checked = all_filters(self.spec, filter)
        return await self.engine.run(self._flows.count(await self.engine.capabilities(), checked))

    async def search(
        self, text: str | None = None, **options: Unpack[SearchOptions]
    ) -> SearchResult:
        """Search by text, or by a vector in place of the text's; see `Index.search`."""
        plan, query = await asyncio.to_thread(build_query, self._flows, text, options)
        capabilities = await self.engine.capabilities()
        return await self.engine.run(self._flows.search(capabilities, plan, query))

    async def build_search(
        self, text: str | None = None, **options: Unpack[SearchOptions]
    ) -> SearchRequest:
        """Return the request that `search` would send; see `Index.build_search`."""
        plan, query = await asyncio.to_thread(build_query, self._flows, text, options)
        capabilities = await self.engine.capabilities()
        return await self.engine.run(self._flows.build_request(capabilities, plan, query))

    async def concrete_name(self) -> str:
        """Return the name of the index itself where the spec names an alias."""
        return await self.engine.run(self._flows.concrete_name())

    async def check_vectors(self) -> None:
        """Raise SpecError where Kokeshi filled the index with vectors of another encoder or shape."""
        await self.engine.run(self._flows.check_vectors(await self._prepare()))

    async def _in_thread(self, work: Callable[[Index], T]) -> T:
        """Return what work that changes the index returns; it blocks, so it runs in a thread of its own."""

        def run() -> T:
            with Index(self.spec, self.engine.blocking()) as index:
                return work(index)

        report = await asyncio.to_thread(run)
        self._flows.forget()
        return report

    async def _prepare(self) -> Capabilities:
        """Return what the engine can do, with the encoders loaded, which takes a thread."""
        await asyncio.to_thread(lambda: self._flows.encoders)
        return await self.engine.capabilities()
