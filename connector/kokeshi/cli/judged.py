"""What the commands that write judgments share: options, and judgments shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from kokeshi.types import Json
from kokeshi_eval.judgments import Judgments

OutputOption = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]
ToOption = Annotated[
    Literal["csv", "jsonl", "trec", "quepid"] | None,
    typer.Option("--to", help="Of the file that is written; else by its name."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite the file where it exists.")]


def describe(judgments: Judgments) -> Json:
    """Return what `--json` prints of judgments."""
    return {
        "judgments": judgments.name,
        "queries": len(judgments.grades),
        "documents": judgments.count,
        "grades": {str(grade): count for grade, count in _grades(judgments)},
        "queries_without_positive": _without_positive(judgments),
        "merged": judgments.merged,
        "unrated": judgments.unrated,
        "raters": judgments.raters,
        "agreement": judgments.agreement,
    }


def table_of(judgments: Judgments) -> Table:
    """Return judgments as a table: a row for each thing to know of them."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, text in _facts(judgments):
        table.add_row(name, escape(text))
    return table


def _facts(judgments: Judgments) -> Iterator[tuple[str, str]]:
    yield "judgments", judgments.name
    yield "queries", f"{len(judgments.grades):,}"
    yield "documents", f"{judgments.count:,}"
    yield "grades", ", ".join(f"{grade}: {count:,}" for grade, count in _grades(judgments))
    if bad := _without_positive(judgments):
        yield "no positive", f"{len(bad):,} queries, such as '{bad[0]}': they count in no mean"
    if judgments.merged:
        yield "merged", f"{judgments.merged:,} rows that say the same again"
    if judgments.unrated:
        yield "unrated", f"{judgments.unrated:,} rows without a grade"
    if judgments.raters > 1:
        yield "raters", f"{judgments.raters:,}"
    if judgments.agreement is not None:
        yield "agreement", f"{judgments.agreement:.3f} (Krippendorff's alpha, ordinal)"


def _grades(judgments: Judgments) -> list[tuple[int, int]]:
    """Return each grade with how many documents have it."""
    counts = Counter(grade for found in judgments.grades.values() for grade in found.values())
    return sorted(counts.items())


def _without_positive(judgments: Judgments) -> list[str]:
    return [query for query in judgments.grades if not judgments.positives(query)]
