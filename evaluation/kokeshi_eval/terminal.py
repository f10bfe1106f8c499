"""An evaluation for a terminal: the verdicts, the measures, the queries that moved most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kokeshi_eval.candidates import EXTREMES
from kokeshi_eval.means import with_positive
from kokeshi_eval.model import Candidate, Evaluation, QueryResult, Ranked, Verdict

COLOURS: Final[dict[Verdict, str]] = {
    "A/B test": "green",
    "reject": "red",
    "skip": "default",
    "collect judgments": "yellow",
}


def print_evaluation(evaluation: Evaluation, console: Console, *, every: bool = False) -> None:
    """Print everything a terminal has room for. every: all queries, not only the extremes."""
    console.print(build_measures(evaluation))
    for number, candidate in enumerate(evaluation.candidates):
        console.print()
        console.print(build_queries(evaluation, number, every=every))
        console.print()
        _print_decision(evaluation, candidate, console)
    console.print()
    for note in evaluation.notes:
        console.print(note, markup=False)
    for warning in evaluation.warnings:
        console.print(f"Warning: {warning}", style="yellow", markup=False)


def build_measures(evaluation: Evaluation) -> Table:
    """Return a table with a line for each measure of each candidate, then its impact."""
    table = Table(box=None, pad_edge=False)
    for name in ("candidate", "measure"):
        table.add_column(name)
    low = f"{1 - evaluation.options.alpha:.0%} interval"
    for name in (evaluation.baseline.label, "candidate", "change", low, "p", "better/same/worse"):
        table.add_column(name, justify="right", no_wrap=True)
    for candidate in evaluation.candidates:
        for row in _measure_rows(candidate):
            table.add_row(*row)
        table.add_section()
    return table


def build_queries(evaluation: Evaluation, number: int, *, every: bool = False) -> Table:
    """Return a table of queries, the most helped first.

    every: all queries, also those without a positive grade; otherwise the ten most helped and the ten
    most harmed. A star stands at an engine's figure that is not the standard one.
    """
    label = evaluation.label
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    name = evaluation.candidates[number].system.label
    table.add_column(f"{evaluation.baseline.label} → {name}", overflow="fold", min_width=8)
    engine = label in evaluation.baseline.engine
    heads = [label, "change", *(["_rank_eval"] if engine else [])]
    heads += [f"Judged@{evaluation.options.k}", f"impact@{evaluation.options.impact_k}", "hits"]
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for rows in _sections(evaluation, number, every=every):
        for row in rows:
            table.add_row(*_query_cells(evaluation, row, number, engine=engine))
        table.add_section()
    return table


def _measure_rows(candidate: Candidate) -> Iterable[list[str]]:
    name = escape(candidate.system.label)
    for label, found in candidate.improvement.items():
        yield [
            name,
            label,
            _figure(found.before),
            _figure(found.after),
            _signed(found.delta),
            _interval(found.low, found.high),
            _figure(found.p_adjusted),
            f"{found.wins}/{found.ties}/{found.losses}",
        ]
    impact = candidate.impact
    yield [
        name,
        f"impact@{impact.k}",
        "",
        "",
        _figure(impact.change),
        _interval(impact.low, impact.high, sign=""),
        "",
        "" if impact.changed is None else f"{impact.changed:.0%} changed",
    ]


def _print_decision(evaluation: Evaluation, candidate: Candidate, console: Console) -> None:
    decision = candidate.decision
    name = f"{evaluation.baseline.label} → {candidate.system.label}"
    console.print(f"{name}: {decision.verdict}", style=f"bold {COLOURS[decision.verdict]}")
    for reason in decision.reasons:
        console.print(f"  {reason}", markup=False)
    for one in decision.to_judge[:EXTREMES]:
        console.print(f"  judge '{one.doc_id}' for '{one.query}' ({one.swing:+.4f})", markup=False)


def _sections(evaluation: Evaluation, number: int, *, every: bool) -> list[Sequence[QueryResult]]:
    candidate = evaluation.candidates[number]
    if every:
        return [
            _sorted(with_positive(evaluation.queries), evaluation, number),
            [row for row in evaluation.queries if not row.positives],
        ]
    rows = {row.id: row for row in evaluation.queries}
    return [
        [rows[id_] for id_ in candidate.helped],
        [rows[id_] for id_ in reversed(candidate.harmed)],
    ]


def _sorted(rows: Sequence[QueryResult], evaluation: Evaluation, number: int) -> list[QueryResult]:
    label = evaluation.label
    return sorted(
        rows,
        key=lambda row: row.baseline.values[label] - row.candidates[number].ranked.values[label],
    )


def _query_cells(
    evaluation: Evaluation, row: QueryResult, number: int, *, engine: bool
) -> list[str]:
    label, k = evaluation.label, evaluation.options.k
    before, after = row.baseline, row.candidates[number].ranked
    moved = row.candidates[number].moved
    figures = [f"{_engine(before, label)} → {_engine(after, label)}"] if engine else []
    return [
        escape(row.text),
        f"{before.values[label]:.3f} → {after.values[label]:.3f}",
        f"{after.values[label] - before.values[label]:+.3f}",
        *figures,
        f"{_figure(before.judged, 2)} → {_figure(after.judged, 2)}",
        _figure(moved.change if moved else None, 3),
        f"{min(k, len(before.ids))} → {min(k, len(after.ids))}",
    ]


def _engine(ranked: Ranked, label: str) -> str:
    figure = ranked.engine.get(label)
    return "-" if figure is None else f"{figure.value:.3f}{'*' if figure.why else ''}"


def _interval(low: float | None, high: float | None, sign: str = "+") -> str:
    return "" if low is None or high is None else f"{low:{sign}.4f} … {high:{sign}.4f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.4f}"


def _figure(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
