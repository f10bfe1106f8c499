"""Ingest a Ray Dataset on many machines: actors encode, others send. The only module that imports ray.

Ray hands documents to the actors in blocks, in no order, and repeats a block whose actor died. A document
that is sent twice replaces itself; of two documents of one id either may stay, so that ids must be unique.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from kokeshi.encoders import CacheCounts, Record, load_encoder
from kokeshi.encoders.precomputed import PrecomputedEncoder
from kokeshi.engines import Connection, Engine
from kokeshi.engines.connection import SECRETS
from kokeshi.engines.http import HttpEngine
from kokeshi.engines.settings import give, read_environment, resolve
from kokeshi.errors import EngineError, InputError, KokeshiError, MissingExtraError
from kokeshi.ingest.actions import Action, Failure
from kokeshi.ingest.failures import FailureLog
from kokeshi.ingest.ids import IdSet
from kokeshi.ingest.ledger import Tally
from kokeshi.ingest.making import Maker
from kokeshi.ingest.pace import Pace
from kokeshi.ingest.parquet import plain_fields
from kokeshi.ingest.pipeline import CHUNK_DOCUMENTS, IngestProgress, IngestReport, Pacing
from kokeshi.ingest.sending import send_actions
from kokeshi.ingest.session import Target
from kokeshi.schema import IndexSpec
from kokeshi.types import Base64Floats

if TYPE_CHECKING:
    from kokeshi.codes.codebook import Codebook

PUBLIC: Final = tuple(
    one.name
    for one in fields(Connection)
    if one.init and one.name not in ("cloud_id", "user", *SECRETS)
)
"""What of a connection goes to other machines; the addresses hold what `cloud_id` says."""


def ingest_dataset(
    target: Target,
    dataset: Any,  # noqa: ANN401 (a ray.data.Dataset)
    failures: FailureLog,
    *,
    concurrency: int | tuple[int, int],
    batch_size: int = CHUNK_DOCUMENTS,
    pacing: Pacing,
    on_progress: Callable[[IngestProgress], None],
    options: Mapping[str, Any],
) -> IngestReport:
    """Index the documents of a Ray Dataset, one a row; see `Index.ingest_dataset`.

    Raises MissingExtraError without ray, InputError where it is no dataset or the vectors of the spec are
    rows of a file, and what the actors raise.
    """
    ray_data = _load_ray()
    if not isinstance(dataset, ray_data.Dataset):
        raise InputError(f"a ray.data.Dataset is expected, not {type(dataset).__name__}")
    check_spec(target)
    address = Address.of(target.engine)
    started = time.monotonic()
    target.create(False)
    books = _Books(failures, on_progress)
    base64 = target.engine.capabilities.base64_vectors
    made = dataset.map_batches(
        EncodeBatch,
        fn_constructor_args=(target.spec, dict(target.codebooks), base64),
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=_pool(ray_data, concurrency),
        **options,
    )
    sent = made.map_batches(
        SendBatch,
        fn_constructor_args=(address, target.spec.index, pacing.batch_bytes),
        batch_format="pyarrow",
        batch_size=1,
        compute=_pool(ray_data, (1, pacing.connections)),
        num_cpus=0,  # it waits for the engine, and must not take the place of what reads and encodes
    )
    for row in sent.iter_rows():
        books.add(pickle.loads(row["settled"]))  # noqa: S301 (our own actor wrote it)
    if books.tally.indexed:
        target.engine.refresh(target.spec.index)
    return books.report(time.monotonic() - started)


def check_spec(target: Target) -> None:
    """Raise InputError where a vector stands in a file, whose rows a dataset has no numbers for."""
    for name, encoder in target.encoders.items():
        if isinstance(encoder, PrecomputedEncoder) and encoder.column is None:
            raise InputError(
                f"vectors.{name}.encoder.file: the rows of a dataset have no order that the file's could "
                "follow; give the vectors as a column of the dataset (encoder.column)"
            )


@dataclass(frozen=True)
class Address:
    """A connection without its credentials, for a worker, which has its own. private: there were some."""

    connection: Connection
    private: bool

    @classmethod
    def of(cls, engine: Engine) -> Address:
        """Return that of an engine; raises InputError where other processes cannot reach it."""
        if not isinstance(engine, HttpEngine):
            raise InputError("only an engine with an address can be reached by the workers of Ray")
        found = engine.connection
        given = {name: getattr(found, name) for name in PUBLIC}
        return cls(Connection(**given), any(getattr(found, name) for name in SECRETS))

    def connect(self) -> Engine:
        """Return the engine, with the credentials of this process's environment where it needs any.

        Raises EngineError where there are none.
        """
        if not self.private:
            return HttpEngine(self.connection)
        given = give(**{name: getattr(self.connection, name) for name in PUBLIC})
        found = resolve(given, read_environment())
        if found is None or not any(getattr(found, name) for name in SECRETS):
            raise EngineError(
                f"{self.connection.url}: a worker of Ray has no credentials, which are not sent to it; set "
                "KOKESHI_CREDENTIALS, KOKESHI_API_KEY, or KOKESHI_USER and KOKESHI_PASSWORD, there"
            )
        return HttpEngine(found)


@dataclass(frozen=True)
class Settled:
    """A batch of documents on its way: first with the actions to send, at the end without any.

    indexed: ids; bare: how many of these have no vector. error: what ended the work.
    """

    read: int
    actions: Sequence[Action] = ()
    failures: Sequence[Failure] = ()
    indexed: Sequence[str] = ()
    bare: int = 0
    texts: CacheCounts = field(default_factory=lambda: CacheCounts(0, 0))
    error: KokeshiError | None = None


class EncodeBatch:
    """An actor that makes the actions of batches of documents. Encoders are loaded at the first.

    An error is returned, not raised: it is to end the ingest as it is, without the trace of Ray.
    """

    def __init__(
        self,
        spec: IndexSpec,
        codebooks: Mapping[str, Codebook],
        base64: Base64Floats | None,
    ) -> None:
        self._spec = spec
        self._codebooks = codebooks
        self._base64 = base64

    def __call__(self, table: Any) -> dict[str, list[bytes]]:  # noqa: ANN401 (a pyarrow.Table)
        """Return one row, `made`, of the rows of a table."""
        rows = table.to_pylist()
        try:
            found = self._make([Record(0, 0, plain_fields(row)) for row in rows])
        except KokeshiError as error:
            found = Settled(len(rows), error=_sendable(error))
        return {"made": [pickle.dumps(found)]}

    def _make(self, records: list[Record]) -> Settled:
        before = self._maker.count_texts()
        documents, unfit = self._maker.check(records)
        actions, failures = self._maker.serialise(self._maker.encode(documents), 0)
        texts = self._maker.count_texts() - before
        return Settled(
            len(records), actions, [replace(one, row=None) for one in unfit + failures], texts=texts
        )

    @cached_property
    def _maker(self) -> Maker:
        encoders = {name: load_encoder(vector) for name, vector in self._spec.vectors.items()}
        return Maker(self._spec, encoders, self._codebooks, base64=self._base64)


class SendBatch:
    """An actor that sends the actions of batches; its requests are as large as the engine likes them."""

    def __init__(self, address: Address, index: str, batch_bytes: int) -> None:
        self._address = address
        self._index = index
        self._pace = Pace(batch_bytes)

    def __call__(self, table: Any) -> dict[str, list[bytes]]:  # noqa: ANN401 (a pyarrow.Table)
        """Return a row, `settled`, for each row that an `EncodeBatch` made."""
        made = [pickle.loads(one) for one in table["made"].to_pylist()]  # noqa: S301 (our own actor's)
        return {"settled": [pickle.dumps(self._settle(one)) for one in made]}

    def _settle(self, made: Settled) -> Settled:
        if made.error:
            return made
        try:
            return self._send(made)
        except KokeshiError as error:
            return Settled(made.read, error=_sendable(error))

    def _send(self, made: Settled) -> Settled:
        sent = send_actions(self._engine, self._index, made.actions, self._pace)
        outcomes = [outcome for some in sent for outcome in some]
        refused = [one.action.fail(one.reason) for one in outcomes if one.reason is not None]
        indexed = [one.action for one in outcomes if one.reason is None]
        return replace(
            made,
            actions=(),
            failures=[*made.failures, *(replace(one, row=None) for one in refused)],
            indexed=[action.id for action in indexed],
            bare=sum(action.bare for action in indexed),
        )

    @cached_property
    def _engine(self) -> Engine:
        return self._address.connect()


class _Books:
    """What is written down of an ingest where the results come together."""

    def __init__(self, failures: FailureLog, on_progress: Callable[[IngestProgress], None]) -> None:
        self.tally = Tally()
        self._texts = {"asked": 0, "encoded": 0}
        self._duplicates = 0
        self._first: str | None = None
        self._failures = failures
        self._ids = IdSet()
        self._on_progress = on_progress

    def add(self, batch: Settled) -> None:
        """Add what became of a batch; raises what ended its work."""
        if batch.error:
            raise batch.error
        for failure in batch.failures:
            self._failures.write(failure)
            self._first = self._first or f"document {failure.id!r}: {failure.reason}"
        self._duplicates += self._ids.add(batch.indexed)
        self.tally.add(Tally(batch.read, len(batch.indexed), len(batch.failures), batch.bare))
        for name, count in asdict(batch.texts).items():
            self._texts[name] += count
        self._on_progress(IngestProgress(self.tally.read, self.tally.indexed, self.tally.failed))

    def report(self, seconds: float) -> IngestReport:
        """Return the report of all batches."""
        texts = CacheCounts(**self._texts)
        return IngestReport(
            **asdict(self.tally),
            duplicates=self._duplicates,
            duplicates_are_exact=not self._ids.full,
            seconds=seconds,
            failures_file=str(self._failures.path) if self._failures.count else None,
            first_failure=self._first,
            encoded=texts.encoded,
            cached=texts.cached,
        )


def _sendable(error: KokeshiError) -> KokeshiError:
    """Return an error that can be pickled and says where it happened."""
    if isinstance(error, MissingExtraError):
        return KokeshiError(f"a worker of Ray: {error}")
    return error


def _pool(ray_data: Any, concurrency: int | tuple[int, int]) -> Any:  # noqa: ANN401
    if isinstance(concurrency, int):
        return ray_data.ActorPoolStrategy(size=concurrency)
    return ray_data.ActorPoolStrategy(min_size=concurrency[0], max_size=concurrency[1])


def _load_ray() -> Any:  # noqa: ANN401
    try:
        import ray.data
    except ImportError:
        raise MissingExtraError("ingesting a Ray Dataset", "ray") from None
    return ray.data
