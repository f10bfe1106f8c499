"""`kokeshi tune curve`: the measured curve of recall and latency, and the plan it suggests."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

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
from kokeshi.errors import InputError
from kokeshi.index import Index
from kokeshi.tune import KS, Cell, Curve, choose, measure_curve, sample_texts

app = typer.Typer(help="Measure what a plan keeps and costs.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
@takes_connection
def curve(
    queries: Annotated[
        Path | None,
        typer.Option("--queries", help="Report on these too: a line each, or a CSV with `query`."),
    ] = None,
    sample: Annotated[
        int,
        typer.Option("--sample", min=1, max=5000, help="Documents whose text is a tuning query."),
    ] = 200,
    field: Annotated[
        str | None, typer.Option("--field", help="Their field; the first text field if not given.")
    ] = None,
    target: Annotated[
        float, typer.Option("--target", min=0, max=1, help="Recall to keep.")
    ] = 0.999,
    size: Annotated[int, typer.Option("--size", "-n", min=1, help="Hits to compare.")] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Of the sample.")] = 1,
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Recall against the exact plan over prefix dimensions and shortlist lengths, with latency.

    The suggestion is made on texts of the catalogue; --queries are only reported, so that it is not
    fitted to them. Texts of the catalogue find their like more easily than what people type: the
    default target leaves room for those. The curve is the graph's; a search of few documents
    compares them all (`shortlist.exact_below`), which keeps everything.
    """
    reported = read_queries(queries) if queries else []
    with Index.open(spec, connection) as index:
        tuning = _measure(index, sample_texts(index, _field(index, field), sample, seed=seed), size)
        report = _measure(index, reported, size) if reported else None
    chosen = choose(tuning, target)
    if json:
        print_json(
            {
                "tuning": tuning.to_json(),
                "reported": report and report.to_json(),
                "chosen": chosen,
                "target": target,
            }
        )
        return
    out.print(curve_table(tuning, report))
    out.print(_advice(chosen, report, target))


def read_queries(path: Path) -> list[str]:
    """Return the distinct queries of a file: the `query` column of a CSV, else one a line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".csv":
                found = [row["query"] for row in csv.DictReader(file)]
            else:
                found = [line.strip() for line in file]
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a text file of queries: {error}") from None
    except KeyError:
        raise InputError(f"{path}: the CSV has no column 'query'") from None
    if not any(found):
        raise InputError(f"{path}: there are no queries in it")
    return [query for query in dict.fromkeys(found) if query]


def curve_table(tuning: Curve, report: Curve | None) -> Table:
    """Return the curve as a table: a row for each plan."""
    table = Table(box=None, pad_edge=False)
    for name in ("plan", "dims", "k", f"recall@{tuning.size}", "p50 ms", "p95 ms"):
        table.add_column(name, justify="left" if name == "plan" else "right")
    if report:
        table.add_column(f"recall@{report.size} on the {report.queries} queries", justify="right")
    for cell in tuning.cells:
        row = [cell.plan, str(cell.dims or "full"), str(cell.k or "all")]
        row += [f"{cell.recall:.4f}", f"{cell.p50_ms:.1f}", f"{cell.p95_ms:.1f}"]
        if report:
            row.append(f"{report.find(cell.dims, cell.k).recall:.4f}")
        table.add_row(*row)
    return table


def _advice(chosen: Cell | None, report: Curve | None, target: float) -> str:
    if chosen is None:
        return f"No plan keeps {target}; give the spec a longer prefix, or use the exact plan."
    kept = ""
    if report:
        kept = f", and {report.find(chosen.dims, chosen.k).recall:.4f} on the queries"
    return (
        f"The fastest that keeps {target}: {chosen.dims} dimensions, k = {chosen.k} "
        f"({chosen.recall:.4f} on the sample{kept}). In kokeshi.yaml:\n"
        f"plans:\n  two-stage:\n    shortlist: {{dims: {chosen.dims}, k: {chosen.k}}}\n"
        f"    rescore: {{dims: full}}"
    )


def _field(index: Index, field: str | None) -> str:
    names = list(index.spec.text)
    if field is None and not names:
        raise InputError("the spec has no text field to sample; name one with --field")
    return field or names[0]


def _measure(index: Index, texts: list[str], size: int) -> Curve:
    if not texts:
        raise InputError(f"index '{index.spec.index}' has no documents to sample; ingest first")
    measure_curve(index, texts[: min(20, len(texts))], size=size)  # warm: caches, compiled code
    with Progress(console=err, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Measuring", total=len(texts))
        return measure_curve(
            index, texts, ks=KS, size=size, on_query=lambda: progress.advance(task)
        )
