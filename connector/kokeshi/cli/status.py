"""`kokeshi status`: what the spec's name stands for, its versions, codebooks and counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    out,
    print_json,
    takes_connection,
)
from kokeshi.cli.follow import (
    BootstrapOption,
    GroupOption,
    KafkaConfigOption,
    topic_settings,
)
from kokeshi.connect import connect
from kokeshi.engines.settings import Settings
from kokeshi.lifecycle import IndexStatus, VectorStatus, VersionStatus, find_status
from kokeshi.lifecycle.status import InterruptedStatus, LagStatus
from kokeshi.schema import load_spec


@takes_connection
def status(
    spec: SpecOption = DEFAULT_SPEC,
    topic: Annotated[
        str | None, typer.Option("--topic", help="A Kafka topic that is followed into it.")
    ] = None,
    bootstrap: BootstrapOption = None,
    group: GroupOption = None,
    kafka_config: KafkaConfigOption = None,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Show the index, its alias, versions, codebooks and counts, and how far what feeds it is."""
    found = load_spec(spec)
    followed = topic_settings(topic, found, bootstrap, group, kafka_config) if topic else None
    with connect(connection, found.engine) as engine:
        there = find_status(engine, found, topic=followed, folder=Path())
    if json:
        print_json(there.to_json())
        return
    out.print(_summary(there), markup=False)
    for vector in there.vectors:
        out.print(_vector_line(vector), markup=False)
    for interrupted in there.interrupted:
        out.print(_interrupted_line(interrupted), markup=False)
    if there.lag:
        out.print(_lag_line(there.lag), markup=False)
    if there.versions:
        out.print(versions_table(there.versions))


def versions_table(versions: Sequence[VersionStatus]) -> Table:
    """Return the concrete indices as a table, the oldest first."""
    table = Table(box=None, pad_edge=False)
    for name in ("index", "served", "state", "documents", "MB", "created", "source", "replaces"):
        right = name in ("documents", "MB")
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for one in versions:
        count = "" if one.documents is None else f"{one.documents:,}"
        size = "" if one.bytes is None else f"{one.bytes / 1e6:,.1f}"
        texts = (one.state, count, size, one.created, one.source, one.replaces)
        cells = (one.name, "yes" if one.served else "", *(text or "" for text in texts))
        table.add_row(*map(escape, cells))
    return table


def _summary(there: IndexStatus) -> str:
    head = f"{there.engine}: '{there.index}' "
    if there.kind == "nothing":
        return head + "does not exist; create it with: kokeshi ingest FILE, or kokeshi reindex FILE"
    served = [one.name for one in there.versions if one.served]
    what = f"stands for {', '.join(served)}" if there.kind == "alias" else "is an index, no alias"
    return f"{head}{what}, with {there.documents:,} documents."


def _vector_line(vector: VectorStatus) -> str:
    line = f"Vector '{vector.name}': {vector.dimension} dimensions by {vector.encoder}"
    if vector.codebook is None:
        return line
    same = vector.here == vector.codebook
    here = "the one here" if same else "another one is here" if vector.here else "no file is here"
    return f"{line}; codes by the codebook {vector.codebook[:12]} ({here})"


def _interrupted_line(one: InterruptedStatus) -> str:
    share = "" if one.share is None else f" ({one.share:.0%} of the file)"
    return f"An ingest of {one.source} was interrupted, or runs: {one.settled:,} documents settled{share}"


def _lag_line(lag: LagStatus) -> str:
    age = "" if lag.applied is None else f"; the latest that was applied is {_age(lag.applied)} old"
    return f"Topic '{lag.topic}': {lag.messages:,} messages behind (group {lag.group}){age}"


def _age(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} seconds"
