"""`kokeshi search`: the hits of one query, or what would be sent for them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from kokeshi.cli.common import (
    DEFAULT_SPEC,
    FilterOption,
    JsonOption,
    SpecOption,
    out,
    print_json,
    read_vector,
    takes_connection,
)
from kokeshi.engines import calls
from kokeshi.engines.settings import Settings
from kokeshi.errors import InputError
from kokeshi.index import Index, SearchOptions
from kokeshi.plans import SearchRequest
from kokeshi.plans.build import all_filters
from kokeshi.results import SearchResult
from kokeshi.schema import IndexSpec

COLUMN = 18
"""Width that a column of hits takes, about; what does not fit is in --json."""


@takes_connection
def search(
    text: Annotated[str | None, typer.Argument(help="What to search for.")] = None,
    filter: FilterOption = None,  # noqa: A002
    plan: Annotated[
        str | None,
        typer.Option(
            "--plan", "-p", help="bm25, exact, single, two-stage, hybrid, rrf, or a YAML file."
        ),
    ] = None,
    size: Annotated[int, typer.Option("--size", "-n", help="How many hits.")] = 10,
    offset: Annotated[int, typer.Option("--offset", help="How many hits to pass over.")] = 0,
    vector: Annotated[
        Path | None, typer.Option("--vector", help="JSON list of numbers, in place of the text's.")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Print what would be sent, ready for Dev Tools, and why; only a filter is counted.",
        ),
    ] = False,
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Search by text with filters; the default plan is two-stage."""
    if text is None and vector is None:
        raise InputError("give a text to search for, or a --vector")
    with Index.open(spec, connection) as index:
        asked: SearchOptions = {
            "vector": read_vector(vector) if vector else None,
            "filter": all_filters(index.spec, *(filter or [])),
            "plan": plan,
            "size": size,
            "offset": offset,
        }
        if explain:
            print_request(index, index.build_search(text, **asked), json=json)
            return
        result = index.search(text, **asked)
    if json:
        print_json(result.to_json())
    else:
        out.print(hits_table(result, index.spec))


def print_request(index: Index, request: SearchRequest, *, json: bool) -> None:
    """Print what a search sends as Dev Tools takes it: the notes as comments, paths and bodies.

    As JSON: `notes`, and `requests` with the method, path and body of each.
    """
    sent = [calls.search(index.spec.index, body) for body in request.bodies]
    if json:
        requests = [{"method": c.method, "path": c.path, "body": c.body} for c in sent]
        print_json({"notes": request.notes, "requests": requests})
        return
    for note in request.notes:
        typer.echo(f"# {note}")
    for call in sent:
        typer.echo(f"{call.method} {call.path}")
        print_json(call.body)


def hits_table(result: SearchResult, spec: IndexSpec) -> Table:
    """Return the hits as a table: score, id, the first text field, and the metadata that fit."""
    columns = list(dict.fromkeys([*list(spec.text)[:1], *spec.metadata]))[: out.width // COLUMN]
    table = Table(box=None, pad_edge=False, caption_justify="left")
    table.caption = f"{len(result.hits)} hits in {result.took_ms} ms"
    table.add_column("#", justify="right", min_width=2)
    table.add_column("score", justify="right", min_width=6)
    table.add_column("id", no_wrap=True)
    for name in columns:
        table.add_column(name, overflow="ellipsis", no_wrap=True, min_width=4)
    for rank, hit in enumerate(result.hits, start=1):
        cells = (_cell(hit.source.get(name)) for name in columns)
        table.add_row(str(rank), f"{hit.score:.4f}", escape(hit.id), *cells)
    return table


def _cell(value: object) -> str:
    if value is None:
        return ""
    return escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))
