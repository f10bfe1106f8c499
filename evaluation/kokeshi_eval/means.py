"""Means over queries, weighted, and paired differences of a candidate and the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from kokeshi_eval.model import Difference, Options, QueryResult, Ranked
from kokeshi_eval.significance import compare_paired

Value = Callable[[Ranked], float]
"""Picks one figure of a ranking."""


def with_positive(rows: Iterable[QueryResult]) -> list[QueryResult]:
    """Return the queries with a positive grade: only these can tell a good order from a bad one."""
    return [row for row in rows if row.positives]


def weighted_mean(values: Iterable[tuple[float | None, float]]) -> float | None:
    """Return the mean of what is known, of pairs of value and weight; None where nothing is."""
    known = [(value, weight) for value, weight in values if value is not None]
    if not known:
        return None
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known)


def mean_change(rows: Iterable[QueryResult], candidate: int) -> float | None:
    """Return the mean of `Moved.change` where there is any. candidate: its number, from 0."""
    moves = ((row.candidates[candidate].moved, row.weight) for row in rows)
    return weighted_mean((moved.change, weight) for moved, weight in moves if moved)


def value_of(label: str) -> Value:
    """Return what picks a measure by its label."""
    return lambda ranked: ranked.values[label]


def compare_rows(
    rows: Iterable[QueryResult], candidate: int, value: Value, label: str, options: Options
) -> Difference:
    """Compare a candidate, by its number, with the baseline on the queries with a positive grade."""
    counted = with_positive(rows)
    return compare_paired(
        label,
        np.array([value(row.baseline) for row in counted]),
        np.array([value(row.candidates[candidate].ranked) for row in counted]),
        np.array([row.weight for row in counted]),
        alpha=options.alpha,
        power=options.power,
        resamples=options.resamples,
        rng=np.random.default_rng(options.seed),
    )
