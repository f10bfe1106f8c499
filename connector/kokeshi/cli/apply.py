"""`kokeshi apply`: changes of a file into the index, with progress and a summary."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    out,
    print_json,
    takes_connection,
)
from kokeshi.cli.ingest import progress_bar
from kokeshi.engines.settings import Settings
from kokeshi.errors import InputError
from kokeshi.index import Index
from kokeshi.ingest import Pacing, Source
from kokeshi.ingest.changes import ChangeReport
from kokeshi.ingest.pace import BATCH_BYTES
from kokeshi.ingest.pipeline import CONNECTIONS
from kokeshi.json_logs import json_logs
from kokeshi.metrics import open_metrics


@takes_connection
def apply(
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
    batch_mb: Annotated[
        float, typer.Option("--batch-mb", min=0.01, max=90, help="Largest bulk request in MB.")
    ] = BATCH_BYTES / 2**20,
    connections: Annotated[
        int, typer.Option("--connections", min=1, max=16, help="How many send at once.")
    ] = CONNECTIONS,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Show metrics for Prometheus on this port meanwhile."),
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(help="Address that the metrics are shown on.")
    ] = "127.0.0.1",
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Write a log of JSON lines to standard error.")
    ] = False,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Apply changes in order: whole documents, some fields of documents, and deletes.

    A change whose version is older than the document's is passed over. What cannot be applied is kept, with
    its reason, in NAME.failures.jsonl; the exit code is 2 then.
    """
    pacing = Pacing(int(batch_mb * 2**20), connections)
    if (file is None) == (retry_dead_letters is None):
        raise InputError("give either FILE or --retry-dead-letters FILE")
    with (
        json_logs(sys.stderr) if log_json else nullcontext(),
        open_metrics(metrics_port, metrics_host) as metrics,
        Index.open(spec, connection) as index,
    ):
        if retry_dead_letters:
            report = index.retry_changes(retry_dead_letters, pacing=pacing, metrics=metrics)
        else:
            source = Source(str(file), "jsonl")
            with progress_bar(source, shown=not log_json) as on_progress:
                report = index.apply(
                    source, pacing=pacing, on_progress=on_progress, metrics=metrics
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
