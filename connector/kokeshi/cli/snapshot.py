"""`kokeshi snapshot`: keep an index in a repository of the engine's, and bring it back."""

from __future__ import annotations

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
from kokeshi.connect import connect
from kokeshi.engines.settings import Settings
from kokeshi.lifecycle import Snapshots
from kokeshi.lifecycle.snapshots import REPOSITORY
from kokeshi.schema import load_spec

app = typer.Typer(help="Keep the index in a repository, and bring it back.", no_args_is_help=True)

RepositoryOption = Annotated[
    str, typer.Option("--repository", help="Where snapshots are, by its name in the engine.")
]
NameArgument = Annotated[str, typer.Argument(help="Of the snapshot.")]


@app.callback()
def _group() -> None:
    pass


@app.command()
@takes_connection
def create(
    name: Annotated[
        str | None, typer.Argument(help="Of the snapshot; index and time if not given.")
    ] = None,
    repository: RepositoryOption = REPOSITORY,
    location: Annotated[
        str | None,
        typer.Option(
            "--location",
            help="Folder of a repository that is new, within path.repo of every node.",
        ),
    ] = None,
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Write what the spec's name stands for, and wait for the end; searches go on."""
    found = load_spec(spec)
    with connect(connection, found.engine) as engine:
        made = Snapshots(engine, repository, location).create(found.index, name)
    if json:
        print_json(made.to_json())
        return
    indices = ", ".join(made.indices)
    out.print(f"Snapshot '{made.name}' of {indices} ({made.seconds:.1f} s).", markup=False)


@app.command("list")
@takes_connection
def list_(
    repository: RepositoryOption = REPOSITORY,
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """List the snapshots of a repository, the oldest first."""
    with connect(connection, load_spec(spec).engine) as engine:
        found = Snapshots(engine, repository).list()
    if json:
        print_json([one.to_json() for one in found])
    elif not found:
        out.print(f"No snapshot is in '{repository}'.", markup=False)
    else:
        table = Table(box=None, pad_edge=False)
        for column in ("name", "state", "started", "seconds", "indices"):
            table.add_column(column, overflow="fold")
        for one in found:
            cells = (one.name, one.state, one.started, f"{one.seconds:.1f}", ", ".join(one.indices))
            table.add_row(*map(escape, cells))
        out.print(table)


@app.command()
@takes_connection
def restore(
    name: NameArgument,
    as_: Annotated[
        str | None,
        typer.Option(
            "--as", help="Restore under this name; as a new version, and serve it, if not given."
        ),
    ] = None,
    repository: RepositoryOption = REPOSITORY,
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Bring a snapshot back as a new version of the spec's alias, or under another name."""
    found = load_spec(spec)
    with connect(connection, found.engine) as engine:
        index = Snapshots(engine, repository).restore(name, found.index, as_)
    if json:
        print_json({"snapshot": name, "index": index, "served": as_ is None})
        return
    served = "" if as_ else f"; '{found.index}' stands for it now"
    out.print(f"Restored '{name}' as '{index}'{served}.", markup=False)


@app.command()
@takes_connection
def delete(
    name: NameArgument,
    repository: RepositoryOption = REPOSITORY,
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Delete a snapshot."""
    with connect(connection, load_spec(spec).engine) as engine:
        Snapshots(engine, repository).delete(name)
    if json:
        print_json({"snapshot": name, "deleted": True})
    else:
        out.print(f"Deleted the snapshot '{name}'.", markup=False)
