"""`kokeshi eval queries`: a query set from a log of queries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.markup import escape
from rich.table import Table

from kokeshi.cli.common import JsonOption, out, print_json
from kokeshi.cli.judged import ForceOption, OutputOption
from kokeshi.types import Json
from kokeshi_eval.files import check_output
from kokeshi_eval.query_sets import HEAD, TORSO, Sample, load_log, sample_queries, write_queries

app = typer.Typer(name="queries", help="Query sets for evaluations.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Query sets for evaluations."""


@app.command()
def sample(
    log: Annotated[Path, typer.Argument(help="CSV or JSON lines: query, and count and filter.")],
    output: OutputOption,
    size: Annotated[int, typer.Option("--size", "-n", min=3, help="Queries to draw.")] = 300,
    head: Annotated[float, typer.Option(help="Share of the searches that the head has.")] = HEAD,
    torso: Annotated[float, typer.Option(help="And the torso; the tail has the rest.")] = TORSO,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")] = 1,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Draw a query set from LOG, as many queries of the head as of torso and tail, with weights.

    The same log, options and seed draw the same queries.
    """
    check_output(output, force=force)
    drawn = sample_queries(load_log(log), size, np.random.default_rng(seed), head=head, torso=torso)
    write_queries(drawn.queries, output, force=force)
    if json:
        print_json(_describe(drawn) | {"file": str(output)})
        return
    out.print(_table(drawn))
    out.print(f"Wrote {escape(str(output))}, {len(drawn.queries):,} queries.", soft_wrap=True)


def _describe(drawn: Sample) -> Json:
    bands = [
        {"band": one.band, "queries": one.queries, "traffic": one.traffic, "sampled": one.sampled}
        for one in drawn.bands
    ]
    return {"queries": len(drawn.queries), "bands": bands}


def _table(drawn: Sample) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("band")
    for name in ("queries", "of searches", "sampled"):
        table.add_column(name, justify="right")
    for one in drawn.bands:
        table.add_row(one.band, f"{one.queries:,}", f"{one.traffic:.1%}", f"{one.sampled:,}")
    return table
