"""A comparison as a table for a terminal, and the sentences that say what its numbers mean."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kokeshi_eval.comparison import Comparison, Means, QueryRow, Summary
from kokeshi_eval.measures import Scores
from kokeshi_eval.ranking import Route

EXTREMES = 10
"""Queries shown from either end where not all are asked for."""


def print_comparison(comparison: Comparison, console: Console, *, every: bool = False) -> None:
    """Print the table, the sentences under it and the warnings."""
    console.print(build_table(comparison, every=every))
    console.print()
    for note in build_notes(comparison):
        console.print(note, markup=False)
    for warning in build_warnings(comparison):
        console.print(f"Warning: {warning}", style="yellow", markup=False)


def build_table(comparison: Comparison, *, every: bool = False) -> Table:
    """Return a table of queries, the most helped first, ending with the mean.

    every: all queries, also those without a positive grade; otherwise the ten most helped and the
    ten most harmed. The engine's own nDCG has a column where it gives any, and a star where that
    has another denominator.
    """
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("query", overflow="fold", min_width=8)
    engine = _has_engine(comparison)
    for name, width in (
        (f"nDCG@{comparison.k}", 13),
        ("change", 6),
        *([("_rank_eval", 13)] if engine else []),
        (f"Judged@{comparison.k}", 11),
        (f"impact@{comparison.impact_k}", 9),
        ("hits", 10),
    ):
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    for rows in _sections(comparison, every=every):
        for row in rows:
            table.add_row(*_cells(row, engine=engine))
        table.add_section()
    table.add_row(*_mean_cells(comparison.summary(), engine=engine), style="bold")
    return table


def build_notes(comparison: Comparison) -> list[str]:
    """Return the sentences that belong under the table, the main figure first."""
    summary = comparison.summary()
    notes = [
        _improvement(comparison, summary),
        _judged(comparison, summary),
        _impact(comparison, summary),
        _routes(comparison),
        _engine(comparison, summary),
        _left_out(comparison),
        _merged(comparison),
    ]
    return [note for note in notes if note]


def build_warnings(comparison: Comparison) -> list[str]:
    """Return what makes the figures doubtful; empty where nothing does."""
    summary = comparison.summary()
    warnings = []
    if wrong := comparison.disagreements:
        warnings.append(
            f"_rank_eval disagrees with its own hits by more than 1e-6 for {_queries(len(wrong))} "
            f"({_names(wrong)}): do not trust these figures"
        )
    if summary.queries and not summary.before.judged and not summary.after.judged:
        warnings.append(
            "not one hit has a grade: check that doc_id in the judgments is the id of the documents"
        )
    return warnings


def _sections(comparison: Comparison, *, every: bool) -> list[Sequence[QueryRow]]:
    rows = sorted(comparison.graded, key=lambda row: -row.delta)
    if every:
        return [rows, comparison.without_positive]
    if len(rows) <= 2 * EXTREMES:
        return [rows]
    return [rows[:EXTREMES], rows[-EXTREMES:]]


def _has_engine(comparison: Comparison) -> bool:
    """Whether there is any nDCG of the engine's own to show."""
    return "_rank_eval" in (comparison.baseline_route.path, comparison.candidate_route.path)


def _cells(row: QueryRow, *, engine: bool) -> list[str]:
    before, after = row.before, row.after
    return [
        escape(row.query),
        f"{before.ndcg:.3f} → {after.ndcg:.3f}",
        f"{row.delta:+.3f}",
        *([f"{_engine_figure(before)} → {_engine_figure(after)}"] if engine else []),
        f"{_figure(before.judged, 2)} → {_figure(after.judged, 2)}",
        _figure(row.impact.change if row.impact else None),
        f"{before.hits} → {after.hits}",
    ]


def _engine_figure(scores: Scores) -> str:
    return _figure(scores.engine_ndcg) + ("*" if scores.idcg_differs else "")


def _mean_cells(summary: Summary, *, engine: bool) -> list[str]:
    before, after = summary.before, summary.after
    return [
        "mean",
        f"{_figure(before.ndcg)} → {_figure(after.ndcg)}",
        "-" if summary.delta is None else f"{summary.delta:+.3f}",
        *([f"{_figure(before.engine_ndcg)} → {_figure(after.engine_ndcg)}"] if engine else []),
        f"{_figure(before.judged, 2)} → {_figure(after.judged, 2)}",
        _figure(summary.change),
        f"{_figure(before.hits, 1)} → {_figure(after.hits, 1)}",
    ]


def _improvement(comparison: Comparison, summary: Summary) -> str:
    if summary.delta is None:
        return "Improvement: unknown, since no query has a positive grade."
    return (
        f"Improvement: nDCG@{comparison.k} {_pair(summary.before, summary.after)} "
        f"({summary.delta:+.4f}{_relative(summary)}) from {comparison.baseline} to "
        f"{comparison.candidate}, mean of {_queries(summary.queries)} with a positive grade: "
        f"{summary.better} better, {summary.same} the same, {summary.worse} worse. Gain "
        "2^grade - 1, discount log2(rank + 1)."
    )


def _judged(comparison: Comparison, summary: Summary) -> str:
    before, after = summary.before.judged, summary.after.judged
    note = (
        f"Judged@{comparison.k}: {_figure(before)} → {_figure(after)} of the hits have a grade; "
        "the others count as grade 0."
    )
    if before is not None and after is not None and after < before:
        note += f" {comparison.candidate} finds more documents without one, so its nDCG may be underrated."
    return note


def _impact(comparison: Comparison, summary: Summary) -> str:
    """The size of the change; says nothing of its worth."""
    k, baseline = comparison.impact_k, comparison.baseline
    if summary.change is None:
        return f"Impact: unknown, since {baseline} returns nothing for any query."
    engine = ""
    if summary.engine_pseudo_ndcg is not None:
        engine = f" (_rank_eval: nDCG {summary.engine_pseudo_ndcg:.4f})"
    return (
        f"Impact: {summary.change:.4f} = 1 - nDCG@{k} with {baseline}'s own top {k} as the truth"
        f"{engine}, mean of "
        f"{_queries(summary.compared)}: 0 where all of it is left, 1 where none is; "
        f"it says how much changes, not whether for the better. {_figure(summary.kept)} of "
        f"{comparison.candidate}'s top {k} were {baseline}'s too; the top {k} is identical "
        f"for {_queries(summary.identical)}."
    )


def _routes(comparison: Comparison) -> str:
    """Where the hits came from, and why some have no figures of the engine's."""
    before, after = comparison.baseline_route, comparison.candidate_route
    if before == after:
        said = f"of both plans by {_route(before)}"
    else:
        said = (
            f"{comparison.baseline} by {_route(before)}, {comparison.candidate} by {_route(after)}"
        )
    note = f"Hits: {said}."
    if "_msearch" in (before.path, after.path):
        note += " Those of _msearch come without an nDCG of the engine's own."
    return note


def _route(route: Route) -> str:
    return f"{route.path} ({route.why})" if route.why else route.path


def _engine(comparison: Comparison, summary: Summary) -> str:
    if not _has_engine(comparison):
        return ""
    differs = [row for row in comparison.graded if row.idcg_differs]
    note = f"_rank_eval: nDCG {_pair(summary.before, summary.after, engine=True)}."
    if comparison.disagreements:
        return note
    if not differs:
        return f"{note} It agrees with the nDCG computed from its hits for every query."
    return (
        f"{note} For {_queries(len(differs))} (*) it can be higher than nDCG@{comparison.k}: the "
        f"engine's ideal has only as many documents as came back, the standard one has {comparison.k}."
    )


def _left_out(comparison: Comparison) -> str:
    parts = []
    if rows := comparison.without_positive:
        parts.append(f"{_queries(len(rows))} without a positive grade from nDCG ({_names(rows)})")
    if rows := comparison.without_baseline:
        parts.append(
            f"{_queries(len(rows))} for which {comparison.baseline} returns nothing from impact "
            f"({_names(rows)})"
        )
    return f"Left out: {'; '.join(parts)}." if parts else ""


def _merged(comparison: Comparison) -> str:
    count = comparison.merged_judgments
    if not count:
        return ""
    which = (
        "1 row that repeated another was"
        if count == 1
        else f"{count} rows that repeated others were"
    )
    return f"Judgments: {which} merged."


def _pair(before: Means, after: Means, *, engine: bool = False) -> str:
    if engine:
        return f"{_figure(before.engine_ndcg, 4)} → {_figure(after.engine_ndcg, 4)}"
    return f"{_figure(before.ndcg, 4)} → {_figure(after.ndcg, 4)}"


def _relative(summary: Summary) -> str:
    if not summary.before.ndcg or summary.delta is None:
        return ""
    return f", {summary.delta / summary.before.ndcg:+.1%}"


def _figure(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _queries(count: int) -> str:
    return "1 query" if count == 1 else f"{count} queries"


def _names(rows: Sequence[QueryRow], limit: int = 5) -> str:
    names = ", ".join(f"'{row.query}'" for row in rows[:limit])
    return f"{names}, …" if len(rows) > limit else names
