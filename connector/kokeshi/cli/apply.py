"""`kokeshi apply`: changes of a file into the index, with progress and a summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kokeshi.changes.model import ChangeReport
from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    out,
    print_json,
    takes_connection,
)
from kokeshi.cli.sending import Sending, progress_bar, takes_sending
from kokeshi.engines.settings import Settings
from kokeshi.errors import InputError
from kokeshi.index import Index
from kokeshi.ingest import Source


@takes_connection
@takes_sending
def apply(
    sending: Sending,
    file: Annotated[
        Path | None,
        typer.Argument(help="Changes as JSONL, plain or .gz; - is standard input."),
    ] = None,
    spec: SpecOption = DEFAULT_SPEC,
    retry_dead_letters: Annotated[
        Path | None,
        typer.Option(
            "--retry-dead-letters",
            metavar="FILE",
            help="Apply the changes of a .failures.jsonl again.",
        ),
    ] = None,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Apply changes in order: whole documents, some fields of documents, and deletes.

    A change whose version is older than the document's is passed over. What cannot be applied is kept, with
    its reason, in NAME.failures.jsonl; the exit code is 2 then.
    """
    if (file is None) == (retry_dead_letters is None):
        raise InputError("give either FILE or --retry-dead-letters FILE")
    with sending.watched() as metrics, Index.open(spec, connection) as index:
        if retry_dead_letters:
            report = index.retry_changes(retry_dead_letters, pacing=sending.pacing, metrics=metrics)
        else:
            source = Source(str(file), "jsonl")
            with progress_bar(source, shown=not sending.log_json) as on_progress:
                report = index.apply(
                    source, pacing=sending.pacing, on_progress=on_progress, metrics=metrics
                )
        total = index.count()
    if json:
        print_json(report.to_json() | {"index": index.spec.index, "count": total})
    else:
        print_changes(report, index.spec.index, total)
    if report.failed:
        raise InputError(
            f"{file or retry_dead_letters}: {report.failed:,} of {report.read:,} changes were not "
            f"applied; {report.first_failure} (all in {report.failures_file})"
        )


def print_changes(report: ChangeReport, index: str, total: int, console: Console = out) -> None:
    """Print the summary of applied changes in one to three lines."""
    rate = report.read / report.seconds if report.seconds else 0
    console.print(
        f"Read {report.read:,} changes in {report.seconds:.1f} s ({rate:,.0f}/s): {report.indexed:,} "
        f"indexed, {report.updated:,} updated, {report.deleted:,} deleted; '{index}' now holds {total:,}."
    )
    if report.stale:
        console.print(f"{report.stale:,} were older than what the index has: passed over.")
    if report.missing:
        console.print(f"{report.missing:,} were to delete a document that is not there.")
    if report.encoded or report.cached:
        console.print(
            f"{report.encoded:,} texts were encoded, {report.cached:,} were in the cache."
        )
