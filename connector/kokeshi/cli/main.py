"""`kokeshi`: the commands put together, and errors turned into one line and exit code 2."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import kokeshi
from kokeshi.cli import (
    apply,
    cache,
    codes,
    dashboards,
    demo,
    engine,
    eval,  # noqa: A004
    follow,
    ingest,
    init,
    mapping,
    reindex,
    rollback,
    search,
    size,
    snapshot,
    spec,
    status,
    tune,
)
from kokeshi.cli.common import err
from kokeshi.errors import FilterError, KokeshiError

app = typer.Typer(
    help=kokeshi.__doc__,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("ingest")(ingest.ingest)
app.command("apply")(apply.apply)
app.command("follow")(follow.follow)
app.command("search")(search.search)
app.command("size")(size.size)
app.command("reindex")(reindex.reindex)
app.command("rollback")(rollback.rollback)
app.command("status")(status.status)
app.command("demo")(demo.demo)
app.add_typer(cache.app, name="cache")
app.add_typer(codes.app, name="codes")
app.add_typer(engine.app, name="engine")
app.add_typer(mapping.app, name="mapping")
app.add_typer(snapshot.app, name="snapshot")
app.add_typer(spec.app, name="spec")
app.add_typer(tune.app, name="tune")
app.add_typer(eval.app, name="eval")
app.add_typer(dashboards.app, name="dashboards")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kokeshi {kokeshi.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def run() -> None:
    """Run the command line; a KokeshiError is one line on standard error and exit code 2."""
    try:
        app()
    except KokeshiError as error:
        # only a filter's error has a second line, which points at the column
        text = str(error) if isinstance(error, FilterError) else " ".join(str(error).split())
        err.print(f"Error: {text}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        err.print("Interrupted.")
        sys.exit(130)
    except BrokenPipeError:
        # the reader of a pipe went away; what is still buffered has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
