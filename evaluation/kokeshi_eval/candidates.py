"""The figures of each contender over all queries, and the decision on each candidate: pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from kokeshi_eval.collect import Answers, Grades
from kokeshi_eval.decision import decide
from kokeshi_eval.means import compare_rows, mean_change, value_of, weighted_mean, with_positive
from kokeshi_eval.model import (
    Candidate,
    Difference,
    Impact,
    Latency,
    Options,
    QueryResult,
    Ranked,
    System,
)
from kokeshi_eval.significance import TIE, holm, interval
from kokeshi_eval.slices import build_slices
from kokeshi_eval.unjudged import find_missing

EXTREMES: Final = 10
"""Queries that are shown whole, from either end."""

Of = Callable[[QueryResult], Ranked]
"""Picks one contender's ranking of a query."""


def of_baseline(row: QueryResult) -> Ranked:
    """Pick the baseline's ranking."""
    return row.baseline


def of_candidate(number: int) -> Of:
    """Return what picks the ranking of the candidate with that number, from 0."""
    return lambda row: row.candidates[number].ranked


def build_system(
    answers: Answers, rows: Sequence[QueryResult], of: Of, options: Options, latency: Latency | None
) -> System:
    """Return the means of one contender, over the queries with a positive grade."""
    counted = with_positive(rows)
    ranked = [(of(row), row.weight) for row in counted]
    engine = {label for found, _ in ranked for label in found.engine}
    return System(
        label=answers.contender.label,
        index=answers.concrete,
        plan=answers.contender.description,
        route=answers.route,
        values={
            label: weighted_mean((found.values[label], weight) for found, weight in ranked)
            for label in options.labels
        },
        engine={
            label: weighted_mean((found.engine[label].value, weight) for found, weight in ranked)
            for label in options.labels
            if label in engine
        },
        judged=weighted_mean((found.judged, weight) for found, weight in ranked),
        hits=weighted_mean((min(len(found.ids), options.k), weight) for found, weight in ranked),
        latency=latency,
    )


def build_candidates(
    baseline: System,
    systems: Sequence[System],
    rows: Sequence[QueryResult],
    grades: Grades,
    options: Options,
    max_grade: int,
) -> tuple[Candidate, ...]:
    """Return every candidate with its figures and its decision.

    p values are corrected over the candidates, for each measure by itself.
    """
    improvements = [_improvement(rows, number, options) for number in range(len(systems))]
    for label in options.labels:
        adjusted = holm([found[label].p for found in improvements])
        for found, p in zip(improvements, adjusted, strict=True):
            found[label] = found[label].model_copy(update={"p_adjusted": p})
    return tuple(
        _build_candidate(
            baseline, system, rows, grades, number, improvements[number], options, max_grade
        )
        for number, system in enumerate(systems)
    )


def _build_candidate(
    baseline: System,
    system: System,
    rows: Sequence[QueryResult],
    grades: Grades,
    number: int,
    improvement: dict[str, Difference],
    options: Options,
    max_grade: int,
) -> Candidate:
    main = options.labels[0]
    condensed = compare_rows(rows, number, lambda ranked: ranked.condensed, main, options)
    impact = build_impact(rows, number, options)
    counted = with_positive(rows)
    slices = build_slices(rows, number, options)
    order = sorted(counted, key=lambda row: _delta(row, number, main))
    return Candidate(
        system=system,
        improvement=improvement,
        condensed=condensed,
        impact=impact,
        slices=slices,
        harmed=tuple(r.id for r in order if _delta(r, number, main) < -TIE)[:EXTREMES],
        helped=tuple(r.id for r in reversed(order) if _delta(r, number, main) > TIE)[:EXTREMES],
        decision=decide(
            baseline,
            system,
            improvement[main],
            condensed,
            impact,
            find_missing(rows, number, grades, options, max_grade),
            slices,
            options,
        ),
    )


def build_impact(rows: Sequence[QueryResult], number: int, options: Options) -> Impact:
    """Return how much a candidate moves, over the queries for which any of both has hits."""
    moves = [
        (moved, row.weight) for row in rows if (moved := row.candidates[number].moved) is not None
    ]
    low, high = interval(
        np.array([moved.change for moved, _ in moves]),
        np.array([weight for _, weight in moves]),
        alpha=options.alpha,
        resamples=options.resamples,
        rng=np.random.default_rng(options.seed),
    )
    return Impact(
        k=options.impact_k,
        queries=len(moves),
        pseudo_ndcg=weighted_mean((moved.pseudo_ndcg, weight) for moved, weight in moves),
        engine_pseudo_ndcg=weighted_mean(
            (moved.engine_pseudo_ndcg, weight) for moved, weight in moves
        ),
        change=mean_change(rows, number),
        low=low,
        high=high,
        rbo=weighted_mean((moved.rbo, weight) for moved, weight in moves),
        changed=weighted_mean((not moved.identical, weight) for moved, weight in moves),
        kept=weighted_mean((moved.kept, weight) for moved, weight in moves),
    )


def _improvement(
    rows: Sequence[QueryResult], number: int, options: Options
) -> dict[str, Difference]:
    return {
        label: compare_rows(rows, number, value_of(label), label, options)
        for label in options.labels
    }


def _delta(row: QueryResult, number: int, label: str) -> float:
    return row.candidates[number].ranked.values[label] - row.baseline.values[label]
