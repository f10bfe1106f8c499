"""`kokeshi follow`: changes of a Kafka topic into the index as they come."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, cast, get_args

import typer
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from kokeshi.cli.apply import print_changes
from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    err,
    out,
    print_json,
    takes_connection,
)
from kokeshi.cli.sending import Sending, takes_sending
from kokeshi.engines.settings import Settings
from kokeshi.errors import InputError
from kokeshi.index import Index
from kokeshi.kafka.consumer import KafkaTopic
from kokeshi.kafka.following import FollowReport
from kokeshi.kafka.messages import Versions
from kokeshi.kafka.topics import TopicSettings, read_options
from kokeshi.schema import IndexSpec

BootstrapOption = Annotated[
    str | None,
    typer.Option("--bootstrap", metavar="HOST:PORT", help="Kafka brokers, parted by commas."),
]
GroupOption = Annotated[
    str | None, typer.Option("--group", help="Consumer group; kokeshi-INDEX if not given.")
]
KafkaConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--kafka-config",
        metavar="FILE",
        help="Options of librdkafka, as lines of key=value (mode 600 with secrets).",
    ),
]


@takes_connection
@takes_sending
def follow(
    sending: Sending,
    topic: Annotated[str, typer.Argument(help="A Kafka topic of changes.")],
    spec: SpecOption = DEFAULT_SPEC,
    bootstrap: BootstrapOption = None,
    group: GroupOption = None,
    kafka_config: KafkaConfigOption = None,
    versions: Annotated[
        str,
        typer.Option(
            metavar="message|timestamp",
            help="Version of a change: its own, else the timestamp of its record; or always that.",
        ),
    ] = "message",
    until_end: Annotated[
        bool, typer.Option("--until-end", help="End where the topic ends now.")
    ] = False,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Apply the changes of a Kafka topic as they come, until SIGTERM, Ctrl-C or its end.

    Offsets are committed after what they stand for is in the index: the same command goes on there. What
    cannot be applied is kept, with its reason, in TOPIC.failures.jsonl.
    """
    if versions not in get_args(Versions):
        raise InputError(
            f"--versions '{versions}': one of {', '.join(get_args(Versions))} is expected"
        )
    with sending.watched() as metrics, Index.open(spec, connection) as index:

        def forget_lag(partitions: list[int]) -> None:
            for partition in partitions:
                metrics.set_lag(partition, None)

        settings = topic_settings(topic, index.spec, bootstrap, group, kafka_config)
        with (
            KafkaTopic(settings, on_lost=forget_lag) as found,
            stopped_by_signals() as stop,
            _progress_line(shown=not sending.log_json) as on_progress,
        ):
            found.subscribe()
            report = index.follow(
                found,
                versions=cast("Versions", versions),
                until_end=until_end,
                stop=stop,
                pacing=sending.pacing,
                on_progress=on_progress,
                metrics=metrics,
            )
        _print(report, index, as_json=json)
    if report.changes.failed and until_end:
        raise InputError(_failed(report))


def topic_settings(
    topic: str, spec: IndexSpec, bootstrap: str | None, group: str | None, config: Path | None
) -> TopicSettings:
    """Return the settings that options name."""
    options = read_options(config) if config else {}
    return TopicSettings(topic, bootstrap, group or f"kokeshi-{spec.index}", options)


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and Ctrl-C set; the second time they end the process as ever."""
    stop = threading.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in signals}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(*_: object) -> None:
        stop.set()
        restore()

    for number in signals:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()


@contextmanager
def _progress_line(*, shown: bool) -> Iterator[Callable[[FollowReport], None]]:
    """Show changes, changes/s and the lag on standard error, where that is a terminal."""
    columns = (
        TextColumn("Following"),
        TextColumn("{task.fields[read]:,} changes"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TextColumn("{task.fields[lag]:,} behind"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=err, disable=not (shown and sys.stderr.isatty()), transient=True
    ) as line:
        task = line.add_task("", total=None, read=0, rate=0.0, lag=0)

        def show(report: FollowReport) -> None:
            elapsed = line.tasks[0].elapsed or 0
            read = report.changes.read
            line.update(task, read=read, rate=read / elapsed if elapsed else 0.0, lag=report.lag)

        yield show


def _print(report: FollowReport, index: Index, *, as_json: bool) -> None:
    count = index.count()
    if as_json:
        print_json(report.to_json() | {"index": index.spec.index, "count": count})
        return
    print_changes(report.changes, index.spec.index, count)
    out.print(f"{report.lag:,} messages behind.")
    if report.changes.failed:
        err.print(_failed(report), markup=False)


def _failed(report: FollowReport) -> str:
    changes = report.changes
    return (
        f"{changes.failed:,} of {changes.read:,} changes were not applied; {changes.first_failure} "
        f"(all in {changes.failures_file})"
    )
