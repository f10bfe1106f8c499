"""Read, encode, serialise and send, in stages that overlap, each with a bounded queue before it.

The caller's thread reads and checks, one thread encodes, one serialises, and each connection has one that
sends. Of one id only one document is under way, which keeps their order: the last one stays.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from kokeshi.encoders import Encoder, Record
from kokeshi.engines import Engine
from kokeshi.ingest.actions import Action, Failure, Outcome, Position, weigh
from kokeshi.ingest.failures import FailureLog
from kokeshi.ingest.ids import IdSet
from kokeshi.ingest.ledger import Ledger
from kokeshi.ingest.making import Checked, Encoded, Maker
from kokeshi.ingest.outbox import Outbox
from kokeshi.ingest.pace import BATCH_BYTES, Pace
from kokeshi.ingest.queues import ByteQueue, Stopped
from kokeshi.ingest.sending import send_actions
from kokeshi.ingest.sources import BadLine
from kokeshi.metrics import IngestMetrics, Stage
from kokeshi.schema import IndexSpec
from kokeshi.types import Json

if TYPE_CHECKING:
    from kokeshi.codes.codebook import Codebook

CHUNK_DOCUMENTS: Final = 512
"""Documents encoded at once."""

CHUNK_BYTES: Final = 16 * 1024 * 1024
"""Memory of the documents encoded at once; fewer where they are large."""

AHEAD_BYTES: Final = 32 * 1024 * 1024
"""Memory of what waits before a stage."""

AHEAD_CHUNKS: Final = 2
"""Chunks that wait before a stage: one that runs further ahead takes the processor from those behind it."""

AHEAD_SHARES: Final = 4
"""Serialised chunks that wait to be sent: enough for the next request of every connection."""

CONNECTIONS: Final = 2
"""An engine that indexes one request while the next one arrives is never idle."""


@dataclass(frozen=True)
class IngestProgress:
    """How far an ingest is. read: documents taken from the source; indexed: acknowledged."""

    read: int
    indexed: int
    failed: int


@dataclass(frozen=True)
class IngestReport:
    """What became of the documents of one source.

    read = indexed + failed; duplicates: of the indexed, how many were replaced by a later document
    with the same id; without_vector: of the indexed, how many had no text to embed. encoded, cached: texts
    whose vector was computed, and those whose vector the cache had; 0 without a cache. resumed: of the
    read, how many an interrupted run had settled; restarted: why it was not continued, if there was one.
    duplicates_are_exact: whether every id was compared with all before it; else there are at least so many.
    """

    read: int
    indexed: int
    failed: int
    duplicates: int
    without_vector: int
    seconds: float
    failures_file: str | None
    first_failure: str | None
    encoded: int = 0
    cached: int = 0
    resumed: int = 0
    restarted: str | None = None
    duplicates_are_exact: bool = True

    def to_json(self) -> Json:
        """Return what `--json` prints."""
        return asdict(self)


@dataclass(frozen=True)
class Pacing:
    """How documents are sent. batch_bytes: of the largest request; connections: that send at once."""

    batch_bytes: int = BATCH_BYTES
    connections: int = CONNECTIONS
    clock: Callable[[], float] = time.monotonic


def ingest_records(
    engine: Engine,
    spec: IndexSpec,
    encoders: Mapping[str, Encoder],
    source: Iterable[Record | BadLine],
    failures: FailureLog,
    *,
    codebooks: Mapping[str, Codebook] = MappingProxyType({}),
    prepare: Callable[[], object] = lambda: None,
    pacing: Pacing | None = None,
    ledger: Ledger | None = None,
    reached: Callable[[], Position | None] = lambda: None,
    on_settled: Callable[[Ledger], None] = lambda _: None,
    on_progress: Callable[[IngestProgress], None] = lambda _: None,
    metrics: IngestMetrics | None = None,
) -> IngestReport:
    """Index every document of `source`; encoders: vector name -> its encoder.

    codebooks: vector name -> what makes its codes, of each vector that has codes in the spec.
    prepare: makes the index ready; called once, when the first batch can be sent, so that a source
    without a usable document, or an encoder that fails, leaves the index as it was.

    ledger: counts of an interrupted run to go on from. reached: how far the source was read.
    on_settled: is given the ledger when everything before a further position is settled. It and
    on_progress are called by several threads, one at a time.

    A document that cannot be indexed goes to `failures` with its reason, the rest is indexed.
    Raises EngineError where the engine goes away; what was acknowledged stays, and the same call
    again completes it, since documents replace themselves by id.
    """
    started = time.monotonic()
    pacing = pacing or Pacing()
    metrics = metrics or IngestMetrics()
    books = _Books(failures, ledger or Ledger(), on_settled, on_progress, metrics)
    base64 = engine.capabilities.base64_vectors
    maker = Maker(spec, encoders, codebooks, base64=base64)
    before = maker.count_texts()
    _Stages(engine, spec.index, maker, books, pacing, prepare, metrics).run(source, reached)
    texts = maker.count_texts() - before
    total = books.ledger.total
    return IngestReport(
        read=total.read,
        indexed=total.indexed,
        failed=total.failed,
        duplicates=books.duplicates,
        without_vector=total.without_vector,
        seconds=time.monotonic() - started,
        failures_file=str(failures.path) if failures.count else None,
        first_failure=failures.first,
        encoded=texts.encoded,
        cached=texts.cached,
        duplicates_are_exact=books.duplicates_are_exact,
    )


class _Books:
    """What is written down of an ingest, by several threads, one at a time."""

    def __init__(
        self,
        failures: FailureLog,
        ledger: Ledger,
        on_settled: Callable[[Ledger], None],
        on_progress: Callable[[IngestProgress], None],
        metrics: IngestMetrics,
    ) -> None:
        self.ledger = ledger
        self.duplicates = 0
        self._failures = failures
        self._ids = IdSet()
        self._on_settled = on_settled
        self._on_progress = on_progress
        self._metrics = metrics
        self._lock = threading.Lock()

    @property
    def duplicates_are_exact(self) -> bool:
        """Whether every id was compared with all before it."""
        return not self._ids.full

    def open(self, chunk: _Chunk, failures: list[Failure]) -> None:
        """A chunk is about to be sent, but for what cannot be."""
        with self._lock:
            for failure in failures:
                self._failures.write(failure)
            self.ledger.open(chunk.number, read=chunk.read, failed=len(failures), after=chunk.after)
            self._metrics.count_documents("read", chunk.read)
            self._metrics.count_documents("failed", len(failures))
            self._tell()

    def settle(self, outcomes: list[Outcome]) -> None:
        """Documents have their answers."""
        with self._lock:
            failed = [one for one in outcomes if one.reason is not None]
            for one in failed:
                self._failures.write(one.action.fail(str(one.reason)))
            indexed = [one.action for one in outcomes if one.reason is None]
            self._settle([one.action for one in failed], indexed=False)
            self._settle(indexed, indexed=True)
            if self._failures.count:
                self._failures.replace([(action.id, action.record.line) for action in indexed])
            self.duplicates += self._ids.add([action.id for action in indexed])
            self._metrics.count_documents("indexed", len(indexed))
            self._metrics.count_documents("failed", len(failed))
            self._tell()

    def _settle(self, actions: list[Action], *, indexed: bool) -> None:
        alike = Counter([(action.chunk, action.bare) for action in actions])
        for (chunk, bare), count in alike.items():
            self.ledger.settle(chunk, count, indexed=indexed, bare=bare)

    def _tell(self) -> None:
        if self.ledger.advance():
            self._on_settled(self.ledger)
        total = self.ledger.total
        self._on_progress(IngestProgress(total.read, total.indexed, total.failed))


@dataclass(frozen=True)
class _Chunk:
    """Documents that are encoded at once. after: where the source goes on behind them."""

    number: int
    read: int
    after: Position | None
    documents: list[Checked]
    failures: list[Failure]
    weight: int


class _Stages:
    """The threads of one ingest, and the queues between them."""

    def __init__(
        self,
        engine: Engine,
        index: str,
        maker: Maker,
        books: _Books,
        pacing: Pacing,
        prepare: Callable[[], object],
        metrics: IngestMetrics,
    ) -> None:
        self._engine = engine
        self._index = index
        self._maker = maker
        self._books = books
        self._pacing = pacing
        self._prepare = prepare
        self._metrics = metrics
        self._read = ByteQueue[_Chunk](
            AHEAD_BYTES, AHEAD_CHUNKS, lambda: self._show("encode", self._read)
        )
        self._encoded = ByteQueue[tuple[_Chunk, Encoded]](
            AHEAD_BYTES, AHEAD_CHUNKS, lambda: self._show("serialise", self._encoded)
        )
        self._bodies = ByteQueue[list[Action]](
            AHEAD_BYTES, AHEAD_SHARES, lambda: self._show("send", self._bodies)
        )
        self._outbox = Outbox(self._bodies)
        self._error: BaseException | None = None
        self._stopped = threading.Event()

    def run(
        self, source: Iterable[Record | BadLine], reached: Callable[[], Position | None]
    ) -> None:
        """Read the source to its end and return when everything is settled; raises the first error."""
        threads = [self._start(self._encode), self._start(self._serialise)]
        threads += [self._start(self._send) for _ in range(self._pacing.connections)]
        try:
            with suppress(Stopped):
                for chunk in self._chunks(source, reached):
                    self._read.put(chunk, chunk.weight)
                self._read.end()
            for thread in threads:
                thread.join()
        except BaseException:
            self._stop()
            raise
        finally:
            for thread in threads:
                thread.join()
        if self._error:
            raise self._error

    def _start(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        def guarded() -> None:
            try:
                work(*arguments)
            except Stopped:
                pass
            except BaseException as error:  # noqa: BLE001 (raised again in the caller's thread)
                self._error = self._error or error
                self._stop()

        thread = threading.Thread(target=guarded, name=f"kokeshi-{work.__name__.strip('_')}")
        thread.daemon = True  # a second Ctrl-C ends the process although a request is under way
        thread.start()
        return thread

    def _stop(self) -> None:
        self._stopped.set()
        self._outbox.stop()
        queues: list[ByteQueue[Any]] = [self._read, self._encoded, self._bodies]
        for queue in queues:
            queue.stop()

    def _chunks(
        self, source: Iterable[Record | BadLine], reached: Callable[[], Position | None]
    ) -> Iterator[_Chunk]:
        number = weight = 0
        items: list[Record | BadLine] = []
        for item in source:
            items.append(item)
            weight += weigh(item.text if isinstance(item, BadLine) else item.fields)
            if len(items) == CHUNK_DOCUMENTS or weight >= CHUNK_BYTES:
                yield self._check(number, items, weight, reached())
                items, weight, number = [], 0, number + 1
        if items:
            yield self._check(number, items, weight, reached())

    def _check(
        self, number: int, items: list[Record | BadLine], weight: int, after: Position | None
    ) -> _Chunk:
        documents, failures = self._maker.check(items)
        return _Chunk(number, len(items), after, documents, failures, weight)

    def _show(self, stage: Stage, queue: ByteQueue[Any]) -> None:
        self._metrics.set_queue(stage, len(queue))

    def _encode(self) -> None:
        for chunk in self._read:
            encoded = self._observe_encode(chunk)
            self._encoded.put((chunk, encoded), chunk.weight + encoded.weight)
        self._encoded.end()

    def _observe_encode(self, chunk: _Chunk) -> Encoded:
        before, started = self._maker.count_texts(), time.monotonic()
        encoded = self._maker.encode(chunk.documents)
        self._metrics.observe_encode(time.monotonic() - started)
        texts = self._maker.count_texts() - before
        self._metrics.count_texts(texts.cached, texts.encoded)
        return encoded

    def _serialise(self) -> None:
        prepared = False
        for chunk, encoded in self._encoded:
            actions, failures = self._maker.serialise(encoded, chunk.number)
            if actions and not prepared:
                self._prepare()
                prepared = True
            self._books.open(chunk, chunk.failures + failures)
            if actions:
                self._bodies.put(actions, chunk.weight + sum(len(one.body) for one in actions))
        self._bodies.end()

    def _send(self) -> None:
        pace = Pace(self._pacing.batch_bytes, clock=self._pacing.clock)
        while batch := self._outbox.take(pace):
            sent = send_actions(
                self._engine, self._index, batch, pace, sleep=self._sleep, metrics=self._metrics
            )
            for outcomes in sent:
                self._books.settle(outcomes)
                if self._stopped.is_set():
                    raise Stopped
            self._outbox.release(batch)

    def _sleep(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise Stopped
