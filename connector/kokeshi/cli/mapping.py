"""`kokeshi mapping`: the index body, exactly as it would be PUT."""

from __future__ import annotations

import typer

from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    print_json,
    takes_connection,
)
from kokeshi.engines.settings import Settings
from kokeshi.index import Index

app = typer.Typer(help="Show the mapping that a spec makes.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
@takes_connection
def show(
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,  # noqa: ARG001 (it is JSON anyway; scripts may say so)
) -> None:
    """Print the body of `PUT /<index>` for the engine at hand, whose version decides some of it."""
    with Index.open(spec, connection) as index:
        print_json(index.build_body())
