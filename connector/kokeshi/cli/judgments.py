"""`kokeshi eval judgments`: convert, merge and check judgments, and make them from clicks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from kokeshi.cli.clicks import from_clicks
from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    err,
    out,
    print_json,
    takes_connection,
)
from kokeshi.cli.judged import ForceOption, OutputOption, ToOption, describe, table_of
from kokeshi.engines.settings import Settings
from kokeshi.index import Index
from kokeshi_eval.judgments import (
    Format,
    Judgments,
    Merge,
    check_any_positive,
    check_indices,
    check_queries,
    find_unknown,
    load_judgments,
    parse_scale,
    write_judgments,
)
from kokeshi_eval.query_sets import load_queries

app = typer.Typer(
    name="judgments",
    help="Judgments: convert, merge and check them, or make them from clicks.",
    no_args_is_help=True,
)
app.command("from-clicks")(from_clicks)

AnyFormat = Literal["auto", "csv", "jsonl", "trec", "quepid", "rank_eval"]

FilesArgument = Annotated[list[Path], typer.Argument(help="CSV, JSONL, qrels, Quepid, _rank_eval.")]
FormatOption = Annotated[AnyFormat, typer.Option("--format", help="Of the files that are read.")]
MergeOption = Annotated[
    Merge, typer.Option("--merge", help="One grade where raters differ; ties go to the lower.")
]
ScaleOption = Annotated[
    str | None, typer.Option("--scale", help="Map grades as they are written, such as 0=0,1=3.")
]
MaxGradeOption = Annotated[
    int | None,
    typer.Option("--max-grade", min=1, max=20, help="The best grade of the scale of all files."),
]

SHOWN = 10
"""Unknown documents in the table; all of them are in the JSON."""


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL, qrels, Quepid or _rank_eval.")],
    output: OutputOption,
    format: FormatOption = "auto",  # noqa: A002
    to: ToOption = None,
    merge_by: MergeOption = "refuse",
    scale: ScaleOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Write the judgments of FILE in another format, or on another scale."""
    mapped = None if scale is None else parse_scale(scale)
    judgments = load_judgments(file, format=format, merge=merge_by, scale=mapped)
    _write(judgments, output, to, force=force, json=json)


@app.command()
def merge(
    files: FilesArgument,
    output: OutputOption,
    merge_by: MergeOption = "refuse",
    format: FormatOption = "auto",  # noqa: A002
    to: ToOption = None,
    scale: ScaleOption = None,
    max_grade: MaxGradeOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Merge the judgments of several raters: files, or values of a column `rater`."""
    judgments = load_judgments(
        *files,
        format=format,
        merge=merge_by,
        scale=None if scale is None else parse_scale(scale),
        max_grade=max_grade,
    )
    _write(judgments, output, to, force=force, json=json)


@app.command()
@takes_connection
def check(
    files: FilesArgument,
    queries: Annotated[
        Path | None, typer.Option("--queries", help="The query set that is evaluated.")
    ] = None,
    merge_by: MergeOption = "refuse",
    format: FormatOption = "auto",  # noqa: A002
    max_grade: MaxGradeOption = None,
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Say whether judgments can be used on an index, and which of their documents it lacks."""
    judgments = load_judgments(*files, format=format, merge=merge_by, max_grade=max_grade)
    check_any_positive(judgments)
    ungraded = check_queries(judgments, load_queries(queries)) if queries else ()
    with Index.open(spec, connection) as index:
        unknown = find_unknown(index.engine, index.spec.index, judgments)
        doubt = _check_indices(judgments, index)
    if json:
        found = {
            "unknown": unknown.by_query,
            "queries_without_judgments": ungraded,
            "indices": judgments.indices,
        }
        print_json(describe(judgments) | {"index": unknown.index} | found)
        return
    out.print(table_of(judgments))
    for query, doc_id in _first(unknown.by_query):
        out.print(f"Not in the index: {escape(doc_id)} of '{escape(query)}'", soft_wrap=True)
    if doubt:
        _warn(doubt)
    _warn_of(unknown.count, f"judgments are of documents that '{unknown.index}' does not have")
    _warn_of(len(ungraded), "queries have no judgments")


def _write(
    judgments: Judgments, output: Path, to: Format | None, *, force: bool, json: bool
) -> None:
    write_judgments(judgments, output, to, force=force)
    if json:
        print_json(describe(judgments) | {"file": str(output)})
        return
    out.print(table_of(judgments))
    out.print(f"Wrote {escape(str(output))}.", soft_wrap=True)


def _check_indices(judgments: Judgments, index: Index) -> str | None:
    if not judgments.indices:
        return None
    return check_indices(judgments, index.concrete_name(), index.spec.index)


def _first(by_query: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    pairs = ((query, doc_id) for query, ids in by_query.items() for doc_id in ids)
    return list(islice(pairs, SHOWN))


def _warn_of(count: int, what: str) -> None:
    if count:
        _warn(f"{count:,} {what}")


def _warn(what: str) -> None:
    err.print(f"Warning: {what}.", style="yellow", markup=False, soft_wrap=True)
