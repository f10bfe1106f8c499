"""One `kokeshi ingest`: of a file, from its beginning or where it was interrupted, or of dead letters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kokeshi.encoders import Encoder, Record
from kokeshi.engines import Engine, calls
from kokeshi.errors import InputError
from kokeshi.ingest.checkpoint import (
    Checkpoint,
    CheckpointFile,
    checkpoint_path,
    digest_spec,
    find_change,
    load_checkpoint,
    take_fingerprint,
)
from kokeshi.ingest.failures import DeadLetters, FailureLog, failures_path, replacing
from kokeshi.ingest.pipeline import IngestProgress, IngestReport, Pacing, ingest_records
from kokeshi.ingest.shards import WHOLE, Shard
from kokeshi.ingest.sources import BadLine, Source
from kokeshi.metrics import IngestMetrics
from kokeshi.schema import IndexSpec

if TYPE_CHECKING:
    from kokeshi.codes.codebook import Codebook


LOGGER: Final = logging.getLogger("kokeshi.ingest")


@dataclass(frozen=True)
class Target:
    """Where documents go, what makes them, and who is told of it.

    create: makes the index; is told whether to replace it.
    """

    engine: Engine
    spec: IndexSpec
    encoders: Mapping[str, Encoder]
    codebooks: Mapping[str, Codebook]
    create: Callable[[bool], object]
    metrics: IngestMetrics

    def index_ids(self) -> dict[str, str]:
        """Return the engine's ids of the indices that documents go to."""
        return self.engine.perform(calls.get_index_ids(self.spec.index))


def ingest_source(
    target: Target,
    source: Source,
    *,
    recreate: bool,
    resume: bool,
    pacing: Pacing,
    on_progress: Callable[[IngestProgress], None],
    shard: Shard = WHOLE,
) -> IngestReport:
    """Index the documents of a source and make them searchable; see `ingest_records`.

    resume: go on where the same ingest was interrupted, and write down how far this one is. shard: of the
    source; the checkpoint and the failures are its own. Raises InputError where one shard would replace
    the index of all.
    """
    if recreate and shard != WHOLE:
        raise InputError(
            f"recreate with shard {shard} would delete what the other shards have indexed; first replace "
            "the index with: kokeshi mapping create --recreate; then ingest the shards without recreate"
        )
    file = take_fingerprint(source.path)
    if file is None:  # standard input cannot be read twice
        with FailureLog(failures_path(source.path, shard)) as failures:
            return _ingest(target, source, failures, recreate, pacing, on_progress, shard)
    path = checkpoint_path(source.path, shard)
    spec = digest_spec(target.spec, target.encoders, target.codebooks)
    old = load_checkpoint(path) if resume else None
    change = find_change(old, file, spec, target.index_ids(), recreate=recreate) if old else None
    if old is None or change:
        path.unlink(missing_ok=True)  # the failures that belong to it go too
        old = None
    with FailureLog(
        failures_path(source.path, shard), keep=old.position["line"] if old else 0
    ) as failures:
        log = CheckpointFile(
            path, file, spec, recreated=recreate, before=failures.sync, clock=pacing.clock
        )
        report = _ingest(
            target,
            source,
            failures,
            recreate,
            pacing,
            on_progress,
            shard,
            log=log if resume else None,
            old=old,
        )
    path.unlink(missing_ok=True)
    if old is None:
        return replace(report, restarted=change)
    return replace(report, resumed=old.tally["read"], duplicates_are_exact=False)


def _ingest(
    target: Target,
    source: Source,
    failures: FailureLog,
    recreate: bool,
    pacing: Pacing,
    on_progress: Callable[[IngestProgress], None],
    shard: Shard,
    *,
    log: CheckpointFile | None = None,
    old: Checkpoint | None = None,
) -> IngestReport:
    ledger = old.ledger() if old else None

    def prepare() -> None:
        target.create(recreate and old is None)
        if log:
            log.begin(target.index_ids())

    start = ledger.position if ledger else None
    LOGGER.info("%s is ingested into '%s'", source.path, target.spec.index)
    report = _send(
        target,
        shard.select(source.read_from(start) if start else source, target.spec),
        failures,
        prepare=prepare,
        pacing=pacing,
        ledger=ledger,
        reached=lambda: source.reached,
        on_settled=log.update if log else lambda _: None,
        on_progress=on_progress,
    )
    LOGGER.info("%s is ingested", source.path, extra=report.to_json())
    return report


def retry_failures(
    target: Target,
    path: str | Path,
    *,
    pacing: Pacing,
    on_progress: Callable[[IngestProgress], None],
) -> IngestReport:
    """Send the documents of a failure log again; those that fail again stay in it, with their new reason.

    The log is replaced when all have been sent: an interruption leaves it as it was.
    """
    letters = DeadLetters(path)
    with replacing(letters) as failures:
        report = _send(
            target,
            letters,
            failures,
            prepare=lambda: target.create(False),
            pacing=pacing,
            on_progress=on_progress,
        )
    return replace(report, failures_file=str(path)) if report.failed else report


def _send(
    target: Target,
    source: Iterable[Record | BadLine],
    failures: FailureLog,
    **options: Any,
) -> IngestReport:
    """Index documents and make them searchable."""
    report = ingest_records(
        target.engine,
        target.spec,
        target.encoders,
        source,
        failures,
        codebooks=target.codebooks,
        metrics=target.metrics,
        **options,
    )
    if report.indexed:
        target.engine.refresh(target.spec.index)
    return report
