"""One `kokeshi apply`: of a file of changes, or of the changes that one before could not apply."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from kokeshi.changes.applying import apply_changes
from kokeshi.changes.model import ChangeReport, parse_change
from kokeshi.errors import InputError
from kokeshi.ingest.failures import DeadLetters, FailureLog, failures_path, replacing
from kokeshi.ingest.pipeline import IngestProgress, Pacing
from kokeshi.ingest.session import Target
from kokeshi.ingest.sources import Source

LOGGER: Final = logging.getLogger("kokeshi.ingest")


def check_changes(source: Source) -> None:
    """Raise InputError where a source of changes is no JSONL."""
    if source.format != "jsonl":
        raise InputError(
            f"{source.path}: changes are read from JSONL, not {source.format}; documents of other formats "
            "are for: kokeshi ingest"
        )


def apply_source(
    target: Target,
    source: Source,
    *,
    pacing: Pacing,
    on_progress: Callable[[IngestProgress], None],
) -> ChangeReport:
    """Apply the changes of a source in order and make them searchable; see `apply_changes`.

    Raises InputError where the source is no JSONL.
    """
    check_changes(source)
    LOGGER.info("changes of %s are applied to '%s'", source.path, target.spec.index)
    with FailureLog(failures_path(source.path), kind="change") as failures:
        report = _apply(target, source, failures, pacing, on_progress)
    LOGGER.info("changes of %s are applied", source.path, extra=report.to_json())
    return report


def retry_changes(
    target: Target,
    path: str | Path,
    *,
    pacing: Pacing,
    on_progress: Callable[[IngestProgress], None],
) -> ChangeReport:
    """Apply the changes of a failure log again; those that fail again stay in it, with their new reason.

    The log is replaced when all have been sent: an interruption leaves it as it was.
    """
    letters = DeadLetters(path, "change")
    with replacing(letters) as failures:
        report = _apply(target, letters, failures, pacing, on_progress)
    return replace(report, failures_file=str(path)) if report.failed else report


def _apply(
    target: Target,
    source: Source | DeadLetters,
    failures: FailureLog,
    pacing: Pacing,
    on_progress: Callable[[IngestProgress], None],
) -> ChangeReport:
    report = apply_changes(
        target,
        (parse_change(item, target.spec) for item in source),
        failures,
        pacing=pacing,
        on_progress=on_progress,
    )
    if report.changed:
        target.engine.refresh(target.spec.index)
    return report
