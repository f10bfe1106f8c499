"""`kokeshi rollback`: serve the version before, or another one."""

from __future__ import annotations

from typing import Annotated

import typer

from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    err,
    out,
    print_json,
    takes_connection,
)
from kokeshi.connect import connect
from kokeshi.engines.settings import Settings
from kokeshi.lifecycle import rollback as rollback_index
from kokeshi.schema import load_spec


@takes_connection
def rollback(
    spec: SpecOption = DEFAULT_SPEC,
    to: Annotated[
        str | None, typer.Option("--to", help="The version to serve; the one before if not given.")
    ] = None,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Let the alias stand for the version that was served before, all at once; deletes nothing."""
    found = load_spec(spec)
    with connect(connection, found.engine) as engine:
        report = rollback_index(engine, found.index, to)
    if json:
        print_json(report.to_json())
    else:
        before = f" in place of '{report.replaced}'" if report.replaced else ""
        out.print(f"'{report.index}' stands for '{report.version}' now{before}.", markup=False)
    if report.other_vectors:
        err.print(
            "Warning: its vectors were made in another way; search with the spec that made it.",
            style="yellow",
            markup=False,
        )
