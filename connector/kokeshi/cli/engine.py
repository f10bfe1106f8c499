"""`kokeshi engine`: start, stop and look at the embedded engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bar

from kokeshi.cli.common import JsonOption, print_json
from kokeshi.embedded import EmbeddedEngine, EngineStatus, OnProgress, Progress

app = typer.Typer(
    name="engine",
    help="Run a real OpenSearch with k-NN on this machine, without a container.",
    no_args_is_help=True,
)

Home = Annotated[
    Path | None,
    typer.Option(help="Folder that keeps the data; default $KOKESHI_HOME or your data folder."),
]


@app.command()
def start(
    home: Home = None,
    port: Annotated[
        int | None, typer.Option(help="Default: 9200 when it is free, otherwise a free port.")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="3.6 or 2.19; default: the newest that your JDK can run.")
    ] = None,
    heap: Annotated[str, typer.Option(help="Heap size, e.g. 512m or 2g.")] = "1g",
    json: JsonOption = False,
) -> None:
    """Start the engine (the first time: fetch about 75 MB) and leave it running."""
    with show_progress() as on_progress:
        engine = EmbeddedEngine(
            home, port=port, version=version, heap=heap, on_progress=on_progress, detach=True
        )
        url = engine.start()
    if json:
        print_json({**_as_dict(engine.status()), "started": engine.started})
        return
    typer.echo(f"{url} ({'started' if engine.started else 'already running'})")


@app.command()
def stop(home: Home = None, json: JsonOption = False) -> None:
    """Stop the engine; its data stays."""
    engine = EmbeddedEngine(home)
    before = engine.status()
    engine.stop()
    if json:
        print_json({"stopped": before.running, "url": before.url, "home": str(before.home)})
        return
    typer.echo(f"Stopped {before.url}" if before.running else f"No engine runs in {before.home}")


@app.command()
def status(home: Home = None, json: JsonOption = False) -> None:
    """Show whether the engine runs, where, and how much data it holds."""
    found = EmbeddedEngine(home).status()
    if json:
        print_json(_as_dict(found))
        return
    if found.running:
        typer.echo(f"OpenSearch {found.version} runs at {found.url} (pid {found.pid})")
        typer.echo(f"Java:  {found.java}")
    else:
        typer.echo("No engine runs. Start it with: kokeshi engine start")
    typer.echo(f"Home:  {found.home} ({found.data_bytes / 1e6:.1f} MB)")


@app.command()
def logs(
    home: Home = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines.")] = 50,
    json: JsonOption = False,
) -> None:
    """Show the engine's last log lines, the newest last."""
    text = EmbeddedEngine(home).logs(lines)
    if json:
        print_json({"lines": text.splitlines()})
        return
    typer.echo(text or "No logs yet.")


def _as_dict(found: EngineStatus) -> dict[str, object]:
    return {**dataclasses.asdict(found), "home": str(found.home)}


@contextmanager
def show_progress() -> Iterator[OnProgress]:
    """Yield a listener that draws a bar on a terminal's stderr, or prints each stage once."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Looking for an engine", total=None)

        def draw(event: Progress) -> None:
            bar.update(
                task,
                description=event.stage,
                completed=event.done if event.total else 0,
                total=event.total or None,
            )

        yield draw


class _Lines:
    """For logs and pipes: one plain line per stage."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ""

    def __call__(self, event: Progress) -> None:
        if event.stage != self._last:
            self._console.print(event.stage, markup=False)
            self._last = event.stage
