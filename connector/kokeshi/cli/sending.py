"""What the commands share that send documents: how they are sent, how that is shown, and to whom."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from kokeshi.cli.common import err, gives_options
from kokeshi.ingest import IngestProgress, Pacing, Source
from kokeshi.ingest.pace import BATCH_BYTES
from kokeshi.ingest.pipeline import CONNECTIONS
from kokeshi.json_logs import json_logs
from kokeshi.metrics import IngestMetrics, open_metrics

_PANEL = "Sending"


@dataclass(frozen=True)
class Sending:
    """How documents are sent. log_json: a log goes to standard error, in place of a progress bar."""

    pacing: Pacing
    metrics_port: int | None
    metrics_host: str
    log_json: bool

    @contextmanager
    def watched(self) -> Iterator[IngestMetrics]:
        """Write the log and show the metrics meanwhile, where they are wanted."""
        with (
            json_logs(sys.stderr) if self.log_json else nullcontext(),
            open_metrics(self.metrics_port, self.metrics_host) as metrics,
        ):
            yield metrics


def _sending_options(
    batch_mb: Annotated[
        float,
        typer.Option(
            "--batch-mb",
            min=0.01,
            max=90,
            help="Largest bulk request in MB.",
            rich_help_panel=_PANEL,
        ),
    ] = BATCH_BYTES / 2**20,
    connections: Annotated[
        int,
        typer.Option(
            "--connections", min=1, max=16, help="How many send at once.", rich_help_panel=_PANEL
        ),
    ] = CONNECTIONS,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            help="Show metrics for Prometheus on this port meanwhile.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(help="Address that the metrics are shown on.", rich_help_panel=_PANEL)
    ] = "127.0.0.1",
    log_json: Annotated[
        bool,
        typer.Option(
            "--log-json",
            help="Write a log of JSON lines to standard error.",
            rich_help_panel=_PANEL,
        ),
    ] = False,
) -> Sending:
    pacing = Pacing(int(batch_mb * 2**20), connections)
    return Sending(pacing, metrics_port, metrics_host, log_json)


takes_sending = gives_options("sending", _sending_options)
"""Gives a command the options of sending documents, as one argument, `sending`."""


@contextmanager
def progress_bar(
    source: Source, *, shown: bool = True
) -> Iterator[Callable[[IngestProgress], None]]:
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
    with Progress(
        *columns, console=err, disable=not (shown and sys.stderr.isatty()), transient=True
    ) as bar:
        task = bar.add_task("", total=source.size, indexed=0, rate=0.0)

        def show(progress: IngestProgress) -> None:
            elapsed = bar.tasks[0].elapsed or 0
            rate = progress.indexed / elapsed if elapsed else 0.0
            bar.update(task, completed=source.position, indexed=progress.indexed, rate=rate)

        yield show
