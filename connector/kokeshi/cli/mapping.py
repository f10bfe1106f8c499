"""`kokeshi mapping`: the index body, exactly as it would be PUT, and the index made of it."""

from __future__ import annotations

from typing import Annotated

import typer

from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    out,
    print_json,
    takes_connection,
)
from kokeshi.engines.settings import Settings
from kokeshi.index import Index

app = typer.Typer(
    help="Show the mapping that a spec makes, or create its index.", no_args_is_help=True
)


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


@app.command()
@takes_connection
def create(
    spec: SpecOption = DEFAULT_SPEC,
    recreate: Annotated[
        bool, typer.Option("--recreate", help="Delete the index first, with all its documents.")
    ] = False,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Create the empty index where it is missing, as before an ingest in shards."""
    with Index.open(spec, connection) as index:
        created = index.create(recreate=recreate)
        name = index.spec.index
    if json:
        print_json({"index": name, "created": created})
    else:
        out.print(f"'{name}' is created." if created else f"'{name}' is there already.")
