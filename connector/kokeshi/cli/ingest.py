"""`kokeshi ingest`: documents of a file into the index, with progress and a summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console

from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    err,
    out,
    print_json,
    takes_connection,
)
from kokeshi.cli.sending import Sending, progress_bar, takes_sending
from kokeshi.engines.settings import Settings
from kokeshi.errors import InputError
from kokeshi.index import Index
from kokeshi.ingest import IngestReport, Pacing, Shard, Source
from kokeshi.ingest.shards import WHOLE
from kokeshi.ingest.sources import SourceFormat
from kokeshi.metrics import IngestMetrics


@takes_connection
@takes_sending
def ingest(
    sending: Sending,
    file: Annotated[
        Path | None,
        typer.Argument(help="JSONL, CSV, TSV or Parquet; plain or .gz; - is standard input."),
    ] = None,
    spec: SpecOption = DEFAULT_SPEC,
    format: Annotated[  # noqa: A002
        str | None,
        typer.Option("--format", help="jsonl, csv, tsv or parquet, where the name does not say."),
    ] = None,
    recreate: Annotated[
        bool, typer.Option("--recreate", help="Delete the index first, with all its documents.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(help="Go on where the same command was interrupted; files only."),
    ] = True,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Ingest one of N parts, from 1; other processes do the others."
        ),
    ] = None,
    retry_dead_letters: Annotated[
        Path | None,
        typer.Option(
            "--retry-dead-letters",
            metavar="FILE",
            help="Send the documents of a .failures.jsonl again.",
        ),
    ] = None,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Encode and index every document; documents of the same id are replaced.

    What cannot be indexed is kept, with its reason, in NAME.failures.jsonl; the exit code is 2 then.
    """
    if (file is None) == (retry_dead_letters is None):
        raise InputError("give either FILE or --retry-dead-letters FILE")
    if file is None and shard is not None:
        raise InputError(
            "--shard goes with FILE: the dead letters of a shard have a file of their own"
        )
    part = WHOLE if shard is None else Shard.parse(shard)
    with sending.watched() as metrics, Index.open(spec, connection) as index:
        if file is None:
            letters = cast("Path", retry_dead_letters)
            report = _retry(index, letters, sending.pacing, metrics, recreate=recreate)
        else:
            source = Source(file, cast("SourceFormat | None", format))
            with progress_bar(source, shown=not sending.log_json) as on_progress:
                report = index.ingest(
                    source,
                    recreate=recreate,
                    resume=resume,
                    shard=part,
                    pacing=sending.pacing,
                    on_progress=on_progress,
                    metrics=metrics,
                )
        count = index.count() if index.exists() else 0
    if json:
        print_json(report.to_json() | {"index": index.spec.index, "count": count})
    else:
        print_report(report, index.spec.index, count)
    if report.failed:
        raise InputError(
            f"{file or retry_dead_letters}: {report.failed:,} of {report.read:,} documents were not "
            f"indexed; {report.first_failure} (all in {report.failures_file})"
        )


def _retry(
    index: Index, path: Path, pacing: Pacing, metrics: IngestMetrics, *, recreate: bool
) -> IngestReport:
    if recreate:
        raise InputError("--recreate would delete what is indexed; leave it out to retry failures")
    return index.retry_failures(path, pacing=pacing, metrics=metrics)


def print_report(report: IngestReport, index: str, count: int, console: Console = out) -> None:
    """Print the summary of an ingest in one or two lines."""
    if report.restarted:
        err.print(f"An ingest was interrupted, but {report.restarted}: this one began anew.")
    if report.resumed:
        console.print(f"Went on after {report.resumed:,} documents of an interrupted ingest.")
    rate = (report.read - report.resumed) / report.seconds if report.seconds else 0
    console.print(
        f"Indexed {report.indexed:,} of {report.read:,} documents in {report.seconds:.1f} s "
        f"({rate:,.0f} documents/s); '{index}' now holds {count:,}."
    )
    if report.duplicates:
        least = "" if report.duplicates_are_exact else "At least "
        console.print(
            f"{least}{report.duplicates:,} had an id that the file repeats; the last of each stays."
        )
    if texts := report.cached + report.encoded:
        console.print(
            f"{report.cached / texts:.0%} of {texts:,} texts had their vector in the cache."
        )
    if report.without_vector:
        console.print(
            f"{report.without_vector:,} have no text to embed: found by their words only."
        )
    if 0 < report.indexed == report.without_vector:
        err.print("Warning: no document has a vector; check the field names of vectors' source.")
