"""Read, encode, serialise and send, with one batch under way while the next is made.

One sender keeps the order, so of two documents with one id in a file the last one stays.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kokeshi.encoders import Encoder, Record, embed_records
from kokeshi.encoders.precomputed import PrecomputedEncoder
from kokeshi.engines import Engine
from kokeshi.errors import InputError
from kokeshi.ingest.batches import Action, Outcome, batch_by_bytes, send_batch
from kokeshi.ingest.documents import (
    code_columns,
    document_id,
    serialise,
    typed_fields,
    vector_columns,
)
from kokeshi.ingest.failures import FailureLog
from kokeshi.ingest.sources import BadLine
from kokeshi.schema import IndexSpec, VectorSpec
from kokeshi.types import Float32, Json

if TYPE_CHECKING:
    from kokeshi.codes.codebook import Codebook

ENCODE_BATCH = 512
"""Documents encoded at once."""

BATCH_BYTES = 4 * 1024 * 1024
"""Largest bulk body; engines accept 100 MB, but smaller ones overlap better and hold less memory."""

IN_FLIGHT = 2
"""Bulk bodies that may wait for the sender, so that memory stays bounded."""


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
    with the same id; without_vector: of the indexed, how many had no text to embed.
    """

    read: int
    indexed: int
    failed: int
    duplicates: int
    without_vector: int
    seconds: float
    failures_file: str | None
    first_failure: str | None

    def to_json(self) -> Json:
        """Return what `--json` prints."""
        return asdict(self)


def ingest_records(
    engine: Engine,
    spec: IndexSpec,
    encoders: Mapping[str, Encoder],
    source: Iterable[Record | BadLine],
    failures: FailureLog,
    *,
    codebooks: Mapping[str, Codebook] = MappingProxyType({}),
    prepare: Callable[[], object] = lambda: None,
    batch_bytes: int = BATCH_BYTES,
    on_progress: Callable[[IngestProgress], None] = lambda _: None,
) -> IngestReport:
    """Index every document of `source`; encoders: vector name -> its encoder.

    codebooks: vector name -> what makes its codes, of each vector that has codes in the spec.
    prepare: makes the index ready; called once, when the first batch can be sent, so that a source
    without a usable document, or an encoder that fails, leaves the index as it was.

    A document that cannot be indexed goes to `failures` with its reason, the rest is indexed.
    Raises EngineError where the engine goes away; what was acknowledged stays, and the same call
    again completes it, since documents replace themselves by id.
    """
    started = time.monotonic()
    run = _Run(spec, encoders, codebooks, failures)
    batches = _prepared(batch_by_bytes(run.actions(source), batch_bytes), prepare)
    for outcome in _sent(engine, spec.index, batches):
        run.settle(outcome)
        on_progress(IngestProgress(run.read, run.indexed, failures.count))
    return IngestReport(
        read=run.read,
        indexed=run.indexed,
        failed=failures.count,
        duplicates=run.duplicates,
        without_vector=run.without_vector,
        seconds=time.monotonic() - started,
        failures_file=str(failures.path) if failures.count else None,
        first_failure=failures.first,
    )


def _prepared(
    batches: Iterator[list[Action]], prepare: Callable[[], object]
) -> Iterator[list[Action]]:
    """Yield the batches, with `prepare` called when the first is made."""
    for number, batch in enumerate(batches):
        if number == 0:
            prepare()
        yield batch


def _sent(engine: Engine, index: str, batches: Iterable[list[Action]]) -> Iterator[list[Outcome]]:
    """Yield the outcomes of each batch; while one is sent, the next is made."""
    waiting: deque[Future[list[Outcome]]] = deque()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="kokeshi-send") as sender:
        try:
            for batch in batches:
                waiting.append(sender.submit(send_batch, engine, index, batch))
                if len(waiting) > IN_FLIGHT:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class _Run:
    """The counts of one ingest, and the way of a record to an action."""

    def __init__(
        self,
        spec: IndexSpec,
        encoders: Mapping[str, Encoder],
        codebooks: Mapping[str, Codebook],
        failures: FailureLog,
    ) -> None:
        self.spec = spec
        self.encoders = encoders
        self.codebooks = codebooks
        self.failures = failures
        self.read = self.indexed = self.duplicates = self.without_vector = 0
        # 64-bit hashes, not the ids: a million of them take 70 MB as a set of texts
        self._seen: set[int] = set()
        # what a document itself says of a vector was not checked: only what an encoder gave is sent
        self._unsent = {*spec.vector_fields(), *spec.code_fields()} | {
            encoder.column
            for encoder in encoders.values()
            if isinstance(encoder, PrecomputedEncoder) and encoder.column
        }

    def actions(self, source: Iterable[Record | BadLine]) -> Iterator[Action]:
        records = iter(source)
        while chunk := list(islice(records, ENCODE_BATCH)):
            self.read += len(chunk)
            for bad in chunk:
                if isinstance(bad, BadLine):
                    self.failures.write(bad.line, bad.reason, bad.text)
            yield from self._encoded([good for good in chunk if isinstance(good, Record)])

    def settle(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            action = outcome.action
            if outcome.reason:
                self.failures.write(action.line, outcome.reason, action.fields, id_=action.id)
                continue
            self.indexed += 1
            self.without_vector += action.bare
            self._count_duplicate(action.id)

    def _encoded(self, records: list[Record]) -> Iterator[Action]:
        """Yield the actions of a chunk; a document that cannot be one is logged instead."""
        prepared = self._prepared(records)
        if not prepared:
            return
        columns: dict[int, Json] = {row: {} for row in range(len(prepared))}
        bare: set[int] = set()
        for name, vector in self.spec.vectors.items():
            embedded = embed_records(self.encoders[name], vector, [r for r, _, _ in prepared])
            for row, reason in embedded.unusable.items():
                if row in columns:
                    self._fail(*prepared[row], f"vector '{name}' {reason}")
                    del columns[row]
            bare |= embedded.absent
            rows = [row for row in columns if row not in embedded.absent]
            for field, values in self._columns(name, vector, embedded.vectors[rows]).items():
                for row, value in zip(rows, values, strict=True):
                    columns[row][field] = value
        for row, vectors in columns.items():
            record, id_, fields = prepared[row]
            body = serialise(id_, {**fields, **vectors})
            yield Action(id_, record.line, body, fields, bare=row in bare)

    def _columns(self, name: str, vector: VectorSpec, vectors: Float32) -> dict[str, Sequence[Any]]:
        """Return the fields of a vector and of its codes: field -> N values."""
        columns: dict[str, Any] = {**vector_columns(vector, name, vectors)}
        if name in self.codebooks and len(vectors):
            columns |= code_columns(self.codebooks[name], name, columns[name])
        return columns

    def _prepared(self, records: list[Record]) -> list[tuple[Record, str, Json]]:
        """Return each record with its id and typed fields; one that has no such is logged."""
        prepared = []
        for record in records:
            try:
                id_, fields = document_id(record, self.spec), typed_fields(record, self.spec)
            except InputError as error:
                self.failures.write(record.line, str(error), record.fields)
                continue
            prepared.append(
                (record, id_, {k: v for k, v in fields.items() if k not in self._unsent})
            )
        return prepared

    def _fail(self, record: Record, id_: str, _: Json, reason: str) -> None:
        self.failures.write(record.line, reason, record.fields, id_=id_)

    def _count_duplicate(self, id_: str) -> None:
        key = hash(id_)
        self.duplicates += key in self._seen
        self._seen.add(key)
