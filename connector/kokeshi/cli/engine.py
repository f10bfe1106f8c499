"""`kokeshi engine`: start, stop and look at the embedded engine."""

from __future__ import annotations

import dataclasses
import sys
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
from kokeshi.embedded import (
    EmbeddedEngine,
    EngineStatus,
    OnProgress,
    Progress,
    running_engine,
)
from kokeshi.embedded.progress import ignore_progress
from kokeshi.embedded.recipe import DEFAULT_ENGINE, title_of

app = typer.Typer(
    name="engine",
    help="Run a real OpenSearch or Elasticsearch on this machine, without a container.",
    no_args_is_help=True,
)

Home = Annotated[
    Path | None,
    typer.Option(help="Folder that keeps the data; default $KOKESHI_HOME or your data folder."),
]


Which = Annotated[
    str | None,
    typer.Option("--engine", help="opensearch or elasticsearch; default: the one that runs."),
]


@app.command()
def start(
    home: Home = None,
    engine: Annotated[
        str, typer.Option("--engine", help="opensearch or elasticsearch.")
    ] = DEFAULT_ENGINE,
    port: Annotated[
        int | None, typer.Option(help="Default: 9200 when it is free, otherwise a free port.")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            help="3.6 or 2.19; of Elasticsearch 9.4 or 8.19. Default: the newest your JDK can run."
        ),
    ] = None,
    heap: Annotated[str, typer.Option(help="Heap size, e.g. 512m or 2g.")] = "1g",
    accept_license: Annotated[
        bool,
        typer.Option(
            "--accept-license", help="Accept the Elastic License 2.0, which Elasticsearch is under."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Start the engine and leave it running.

    The first time about 75 MB are fetched, for Elasticsearch about 950 MB.
    """

    def build(accepted: bool, on_progress: OnProgress = ignore_progress) -> EmbeddedEngine:
        return EmbeddedEngine(
            home,
            engine=engine,
            port=port,
            version=version,
            heap=heap,
            accept_license=accepted,
            on_progress=on_progress,
            detach=True,
        )

    accepted = accept_license or _ask(build(accepted=False))
    with show_progress() as on_progress:
        started = build(accepted, on_progress)
        url = started.start()
    if json:
        print_json({**_as_dict(started.status()), "started": started.started})
        return
    typer.echo(f"{url} ({'started' if started.started else 'already running'})")


def _ask(engine: EmbeddedEngine) -> bool:
    """Ask for what a licence demands, where somebody is there to answer."""
    if not _is_interactive() or engine.status().running:
        return False
    question = engine.licence_question()
    if question is None:
        return False
    typer.echo(question, err=True)
    return typer.confirm("Do you accept this licence?", err=True)


def _is_interactive() -> bool:
    return sys.stdin.isatty()


@app.command()
def stop(home: Home = None, engine: Which = None, json: JsonOption = False) -> None:
    """Stop the engine; its data stays."""
    found = _find(home, engine)
    before = found.status()
    found.stop()
    if json:
        stopped = {"stopped": before.running, "engine": before.engine, "url": before.url}
        print_json({**stopped, "home": str(before.home)})
        return
    typer.echo(f"Stopped {before.url}" if before.running else f"No engine runs in {before.home}")


@app.command()
def status(home: Home = None, engine: Which = None, json: JsonOption = False) -> None:
    """Show whether the engine runs, where, and how much data it holds."""
    found = _find(home, engine).status()
    if json:
        print_json(_as_dict(found))
        return
    if found.running:
        title = title_of(found.engine)
        typer.echo(f"{title} {found.version} runs at {found.url} (pid {found.pid})")
        typer.echo(f"Java:  {found.java}")
    else:
        typer.echo("No engine runs. Start it with: kokeshi engine start")
    typer.echo(f"Home:  {found.home} ({found.data_bytes / 1e6:.1f} MB)")


@app.command()
def logs(
    home: Home = None,
    engine: Which = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines.")] = 50,
    json: JsonOption = False,
) -> None:
    """Show the engine's last log lines, the newest last."""
    text = _find(home, engine).logs(lines)
    if json:
        print_json({"lines": text.splitlines()})
        return
    typer.echo(text or "No logs yet.")


def _find(home: Path | None, engine: str | None) -> EmbeddedEngine:
    """Return the engine that is named, else the one that runs, else the default one."""
    running = None if engine else running_engine(home)
    return EmbeddedEngine(home, engine=engine or (running.engine if running else DEFAULT_ENGINE))


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
