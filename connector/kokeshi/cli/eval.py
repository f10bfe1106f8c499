"""`kokeshi eval`: whether a ranking change is an improvement, and how much it moves."""

from __future__ import annotations

from pathlib import Path
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
from kokeshi.engines.settings import Settings
from kokeshi.index import Index
from kokeshi_eval import build_warnings, load_judgments, print_comparison
from kokeshi_eval import compare as compare_plans

app = typer.Typer(
    name="eval",
    help="Replay ranking changes offline, on judged queries.",
    no_args_is_help=True,
)

_PLAN_HELP = "bm25, exact, single, two-stage, hybrid, rrf, one of the spec's, or a YAML file."


@app.callback()
def _group() -> None:
    """Replay ranking changes offline, on judged queries."""


@app.command()
@takes_connection
def compare(
    judgments: Annotated[
        Path, typer.Option("--judgments", "-j", help="CSV with the columns query, doc_id, grade.")
    ],
    baseline: Annotated[str, typer.Option("--baseline", "-b", help=f"The plan now: {_PLAN_HELP}")],
    candidate: Annotated[str, typer.Option("--candidate", "-c", help="The plan to judge.")],
    k: Annotated[int, typer.Option("--k", min=1, help="Depth of nDCG and Judged.")] = 10,
    impact_k: Annotated[
        int, typer.Option("--impact-k", min=1, help="Depth to which the impact is measured.")
    ] = 20,
    every: Annotated[
        bool, typer.Option("--all", help="Show all queries, not only the extremes.")
    ] = False,
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Compare two plans: nDCG before and after, and the impact on what is ranked now."""
    graded = load_judgments(judgments)
    with Index.open(spec, connection) as index:
        comparison = compare_plans(index, graded, baseline, candidate, k=k, impact_k=impact_k)
    if not json:
        print_comparison(comparison, out, every=every)
        return
    print_json(comparison.to_json())
    for warning in build_warnings(comparison):
        err.print(f"Warning: {warning}", style="yellow", markup=False)
