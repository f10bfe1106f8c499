"""`kokeshi ingest`: documents of a file into the index, with progress and a summary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    err,
    out,
    print_json,
    takes_connection,
)
from kokeshi.engines.settings import Settings
from kokeshi.errors import InputError
from kokeshi.index import Index
from kokeshi.ingest import IngestProgress, IngestReport, Source
from kokeshi.ingest.pipeline import BATCH_BYTES
from kokeshi.ingest.sources import SourceFormat


@takes_connection
def ingest(
    file: Annotated[
        Path, typer.Argument(help="JSONL, CSV or TSV, plain or .gz; - is standard input.")
    ],
    spec: SpecOption = DEFAULT_SPEC,
    format: Annotated[  # noqa: A002
        str | None, typer.Option("--format", help="jsonl, csv or tsv, where the name does not say.")
    ] = None,
    recreate: Annotated[
        bool, typer.Option("--recreate", help="Delete the index first, with all its documents.")
    ] = False,
    batch_mb: Annotated[
        float, typer.Option("--batch-mb", min=0.01, max=90, help="Largest bulk request in MB.")
    ] = BATCH_BYTES / 2**20,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Encode and index every document; documents of the same id are replaced.

    What cannot be indexed is kept, with its reason, in NAME.failures.jsonl; the exit code is 2 then.
    """
    source = Source(file, cast("SourceFormat | None", format))
    with (
        Index.open(spec, connection) as index,
        progress_bar(source) as on_progress,
    ):
        report = index.ingest(
            source, recreate=recreate, batch_bytes=int(batch_mb * 2**20), on_progress=on_progress
        )
        count = index.count() if index.exists() else 0
    if json:
        print_json(report.to_json() | {"index": index.spec.index, "count": count})
    else:
        print_report(report, index.spec.index, count)
    if report.failed:
        raise InputError(
            f"{source.path}: {report.failed:,} of {report.read:,} documents were not indexed; "
            f"{report.first_failure} (all in {report.failures_file})"
        )


def print_report(report: IngestReport, index: str, count: int, console: Console = out) -> None:
    """Print the summary of an ingest in one or two lines."""
    rate = report.indexed / report.seconds if report.seconds else 0
    console.print(
        f"Indexed {report.indexed:,} of {report.read:,} documents in {report.seconds:.1f} s "
        f"({rate:,.0f} documents/s); '{index}' now holds {count:,}."
    )
    if report.duplicates:
        console.print(
            f"{report.duplicates:,} had an id that the file repeats; the last of each stays."
        )
    if report.without_vector:
        console.print(
            f"{report.without_vector:,} have no text to embed: found by their words only."
        )
    if 0 < report.indexed == report.without_vector:
        err.print("Warning: no document has a vector; check the field names of vectors' source.")


@contextmanager
def progress_bar(source: Source) -> Iterator[Callable[[IngestProgress], None]]:
    """Show documents, documents/s and time left on standard error, where that is a terminal."""
    columns = (
        TextColumn("Indexing"),
        BarColumn(),
        TextColumn("{task.fields[indexed]:,} documents"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("", total=source.size, indexed=0, rate=0.0)

        def show(progress: IngestProgress) -> None:
            elapsed = bar.tasks[0].elapsed or 0
            rate = progress.indexed / elapsed if elapsed else 0.0
            bar.update(task, completed=source.position, indexed=progress.indexed, rate=rate)

        yield show
