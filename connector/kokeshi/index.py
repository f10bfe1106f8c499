"""`Index`: one spec on one engine, with everything a user does to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import numpy.typing as npt
from typing_extensions import Unpack

from kokeshi.changes.model import ChangeReport
from kokeshi.changes.session import apply_source, retry_changes
from kokeshi.connect import Target, connect
from kokeshi.encoders import Encoder
from kokeshi.engines import Engine
from kokeshi.filters import Filter
from kokeshi.flows import IndexFlows
from kokeshi.ingest import IngestProgress, IngestReport, Pacing, Shard, Source
from kokeshi.ingest.failures import FailureLog
from kokeshi.ingest.pipeline import CHUNK_DOCUMENTS
from kokeshi.ingest.ray import ingest_dataset
from kokeshi.ingest.session import Target as IngestTarget
from kokeshi.ingest.session import ingest_source, retry_failures
from kokeshi.ingest.shards import WHOLE
from kokeshi.kafka.following import FollowReport, Topic, TopicFailures, follow_topic
from kokeshi.kafka.messages import Versions
from kokeshi.metrics import IngestMetrics
from kokeshi.plans import Query, SearchRequest, all_filters
from kokeshi.results import SearchResult
from kokeshi.schema import IndexSpec, SearchPlan, load_spec
from kokeshi.types import Json


class SearchOptions(TypedDict, total=False):
    """What a search takes besides its text.

    vector: (D,) of the full dimension, in place of the text's. filter: an expression or its text.
    plan: a name, a YAML file or a plan; None takes the default. size: how many hits, 10 if not given.
    offset: how many to pass over. fields: of the documents to return; None is all but the vectors.
    """

    vector: npt.ArrayLike | None
    filter: Filter | str | None
    plan: str | SearchPlan | None
    size: int
    offset: int
    fields: tuple[str, ...] | None


class Index:
    """A catalogue in an engine.

    >>> with Index.open("kokeshi.yaml") as index:  # doctest: +SKIP
    ...     index.ingest("products.jsonl.gz")
    ...     index.search("black waterproof jacket", filter=F.price < 50).ids
    """

    def __init__(self, spec: IndexSpec, engine: Engine) -> None:
        self.spec = spec
        self.engine = engine
        self._flows = IndexFlows(spec)

    @classmethod
    def open(
        cls,
        spec: IndexSpec | str | Path = "kokeshi.yaml",
        connection: Target = None,
    ) -> Index:
        """Open an index by its spec, on the engine at `connection`; nothing is sent yet.

        connection: a Connection, or an address; where it is None, the environment (KOKESHI_URL) says
        it, then the spec, then the embedded engine that runs.
        """
        found = spec if isinstance(spec, IndexSpec) else load_spec(spec)
        return cls(found, connect(connection, found.engine))

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of the engine and of the encoders."""
        self._flows.close()
        self.engine.close()

    @property
    def encoders(self) -> dict[str, Encoder]:
        """The encoder of each vector, loaded at first use."""
        return self._flows.encoders

    def build_body(self) -> Json:
        """Return the body that `create` would PUT."""
        return self.engine.run(self._flows.build_body(self.engine.capabilities))

    def exists(self) -> bool:
        """Whether there is an index of that name."""
        return self.engine.run(self._flows.exists())

    def create(self, *, recreate: bool = False) -> bool:
        """Create the index where it is missing; returns whether it did.

        recreate: replace one that Kokeshi made; the new body is tried out under another name
        first, so that one which the engine refuses leaves the old index as it was. Raises SpecError
        where an index exists that was made from another spec, or not by Kokeshi.
        """
        return self.engine.run(self._flows.create(self.engine.capabilities, recreate=recreate))

    def ingest(
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
        """Index every document of a file and make it searchable; see `kokeshi.ingest`.

        resume: go on where the same ingest was interrupted, and keep `<name>.checkpoint.json` meanwhile.
        shard: index the documents of this one alone; other processes do the others.
        metrics: is told what happens, by several threads; see `kokeshi.metrics`.
        Documents that fail are kept, with their reason, in `<name>.failures.jsonl`.
        """
        if not isinstance(source, Source):
            source = Source(source)
        report = ingest_source(
            self._ingest_target(metrics, recreate=recreate),
            source,
            recreate=recreate,
            resume=resume,
            pacing=pacing or Pacing(),
            on_progress=on_progress,
            shard=shard,
        )
        self._flows.forget()
        return report

    def retry_failures(
        self,
        path: str | Path,
        *,
        pacing: Pacing | None = None,
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
        metrics: IngestMetrics | None = None,
    ) -> IngestReport:
        """Send what a `<name>.failures.jsonl` holds again; what is indexed now leaves the file."""
        target = self._ingest_target(metrics, recreate=False)
        report = retry_failures(target, path, pacing=pacing or Pacing(), on_progress=on_progress)
        self._flows.forget()
        return report

    def apply(
        self,
        source: Source | str | Path,
        *,
        pacing: Pacing | None = None,
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
        metrics: IngestMetrics | None = None,
    ) -> ChangeReport:
        """Apply the changes of a file in order and make them searchable; see `kokeshi.changes.model`.

        Changes that fail are kept, with their reason, in `<name>.failures.jsonl`.
        """
        if not isinstance(source, Source):
            source = Source(source)
        target = self._ingest_target(metrics, recreate=False)
        report = apply_source(target, source, pacing=pacing or Pacing(), on_progress=on_progress)
        self._flows.forget()
        return report

    def retry_changes(
        self,
        path: str | Path,
        *,
        pacing: Pacing | None = None,
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
        metrics: IngestMetrics | None = None,
    ) -> ChangeReport:
        """Apply what `apply` left in a `<name>.failures.jsonl` again; what succeeds leaves the file."""
        target = self._ingest_target(metrics, recreate=False)
        report = retry_changes(target, path, pacing=pacing or Pacing(), on_progress=on_progress)
        self._flows.forget()
        return report

    def follow(
        self,
        topic: Topic,
        *,
        versions: Versions = "message",
        until_end: bool = False,
        stop: threading.Event | None = None,
        pacing: Pacing | None = None,
        on_progress: Callable[[FollowReport], None] = lambda _: None,
        metrics: IngestMetrics | None = None,
    ) -> FollowReport:
        """Apply the changes of a topic as they come, until its end or `stop`; see `kokeshi.kafka.consumer`.

        Changes that fail are kept, with their reason, in `<topic>.failures.jsonl`.
        """
        target = self._ingest_target(metrics, recreate=False)
        with TopicFailures(topic.name) as failures:
            report = follow_topic(
                target,
                topic,
                failures,
                versions=versions,
                until_end=until_end,
                stop=stop,
                pacing=pacing,
                on_progress=on_progress,
            )
        self._flows.forget()
        return report

    def ingest_dataset(
        self,
        dataset: Any,  # noqa: ANN401 (a ray.data.Dataset)
        *,
        concurrency: int | tuple[int, int] = 1,
        batch_size: int = CHUNK_DOCUMENTS,
        pacing: Pacing | None = None,
        failures: str | Path = "dataset.failures.jsonl",
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
        **options: Any,
    ) -> IngestReport:
        """Index the documents of a Ray Dataset, one a row, by the workers of Ray (extra `ray`).

        concurrency: how many actors encode, or the fewest and the most; batch_size: documents that one
        encodes at once; options: what an actor takes of a machine, as `num_gpus=1` or `num_cpus=4`.
        `pacing.connections` actors send. Of documents of one id either may stay; the report counts them.
        Documents that fail are kept, with their reason, in the file `failures`.
        """
        target = self._ingest_target(None, recreate=False)
        with FailureLog(Path(failures)) as log:
            report = ingest_dataset(
                target,
                dataset,
                log,
                concurrency=concurrency,
                batch_size=batch_size,
                pacing=pacing or Pacing(),
                on_progress=on_progress,
                options=options,
            )
        self._flows.forget()
        return report

    def _ingest_target(self, metrics: IngestMetrics | None, *, recreate: bool) -> IngestTarget:
        """Return where documents go, checked before the first is read: a mistake must change nothing."""
        encoders = self.encoders
        self.engine.run(self._flows.find(self.build_body(), other_spec=recreate))
        codebooks = self.engine.run(self._flows.find_codebooks())
        return IngestTarget(
            self.engine,
            self.spec,
            encoders,
            codebooks,
            create=lambda again: self.create(recreate=again),
            metrics=metrics or IngestMetrics(),
        )

    def count(self, filter: Filter | str | None = None) -> int:  # noqa: A002
        """Count the documents that pass a filter."""
        checked = all_filters(self.spec, filter)
        return self.engine.run(self._flows.count(self.engine.capabilities, checked))

    def search(self, text: str | None = None, **options: Unpack[SearchOptions]) -> SearchResult:
        """Search by text, or by a vector in place of the text's; see `SearchOptions`.

        Raises SpecError, FilterError or EncoderError where query, plan and spec do not fit, and
        EngineError where the engine refuses.
        """
        plan, query = build_query(self._flows, text, options)
        return self.engine.run(self._flows.search(self.engine.capabilities, plan, query))

    def build_search(
        self, text: str | None = None, **options: Unpack[SearchOptions]
    ) -> SearchRequest:
        """Return the request that `search` would send: what `--explain` prints.

        A count of what the filter leaves is sent, which the request depends on.
        """
        plan, query = build_query(self._flows, text, options)
        return self.engine.run(self._flows.build_request(self.engine.capabilities, plan, query))

    def concrete_name(self) -> str:
        """Return the name of the index itself where the spec names an alias.

        Raises CapabilityError where the alias stands for several indices.
        """
        return self.engine.run(self._flows.concrete_name())

    def check_vectors(self) -> None:
        """Raise SpecError where Kokeshi filled the index with vectors of another encoder or shape.

        Looks once; an index that Kokeshi did not make says nothing of its vectors, and passes.
        """
        self.engine.run(self._flows.check_vectors(self.engine.capabilities))


def build_query(
    flows: IndexFlows, text: str | None, options: SearchOptions
) -> tuple[SearchPlan, Query]:
    """Return the plan and the query of a search; encodes the text."""
    plan = flows.find_plan(options.get("plan"))
    query = Query(
        text=text,
        vectors=flows.embed(plan, text, options.get("vector")),
        filter=all_filters(flows.spec, options.get("filter")),
        size=options.get("size", 10),
        offset=options.get("offset", 0),
        fields=options.get("fields"),
    )
    return plan, query
