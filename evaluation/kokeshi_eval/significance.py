"""Is a difference more than chance? Paired figures of two rankings on the same queries.

Paired randomisation test (Fisher 1935; of rankings: Smucker, Allan and Carterette, CIKM 2007): if both
rankings were alike, each query's difference could as well have the other sign. p is the share of
sign assignments whose weighted mean is at least as far from 0 as the one seen, in either direction.
All of them are counted where there are at most as many as resamples; otherwise random ones are,
and the one seen is counted with them, p = (b + 1) / (m + 1) (Phipson and Smyth 2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from types import ModuleType
from typing import Final

import numpy as np
import numpy.typing as npt

from kokeshi.errors import InputError, MissingExtraError
from kokeshi_eval.model import Difference

Values = npt.NDArray[np.float64]
"""One number for each query, (n,)."""

TIE: Final = 1e-9
"""Two figures of a query that differ by no more are a tie."""

FEWEST: Final = 5
"""Fewer queries get figures, but no p and no interval: no sign assignment of 4 has p below 0.125."""

_CELLS: Final = 1 << 20
"""Numbers that one batch of resamples may hold."""

_ROUNDING: Final = 1e-12
"""Sums that differ by less, relative to the sum of all magnitudes, are equal."""


def compare_paired(
    label: str,
    before: Values,
    after: Values,
    weights: Values | None = None,
    *,
    alpha: float,
    power: float,
    resamples: int,
    rng: np.random.Generator,
) -> Difference:
    """Compare two figures of the same queries; positive where `after` is higher.

    before, after: (n,). weights: (n,), above 0; all 1 if None. resamples: of the test and of the
    interval. p_adjusted stays None: see `holm`. Raises InputError where the lengths differ or a weight
    is not above 0, MissingExtraError without scipy.
    """
    weights = np.ones(len(before)) if weights is None else weights
    _check(before, after, weights)
    if not len(before):
        return Difference(label=label, queries=0, before=None, after=None, delta=None)
    deltas = after - before
    low, high = interval(deltas, weights, alpha=alpha, resamples=resamples, rng=rng)
    wins, losses = int((deltas > TIE).sum()), int((deltas < -TIE).sum())
    few = len(deltas) < FEWEST
    return Difference(
        label=label,
        queries=len(deltas),
        before=_mean(before, weights),
        after=_mean(after, weights),
        delta=_mean(deltas, weights),
        low=low,
        high=high,
        p=None if few else sign_flip(deltas, weights, resamples=resamples, rng=rng),
        wins=wins,
        ties=len(deltas) - wins - losses,
        losses=losses,
        mde=None if few else minimum_detectable_effect(deltas, weights, alpha=alpha, power=power),
    )


def sign_flip(
    deltas: Values, weights: Values, *, resamples: int, rng: np.random.Generator
) -> float:
    """Return the two-sided p of the weighted mean of paired differences (n,); see above.

    Ties are left out: their sign changes no sum. What scipy.stats.permutation_test does with
    permutation_type="samples", at a fraction of its time.
    """
    moved = np.abs(deltas) > TIE
    effects = deltas[moved] * weights[moved]
    count = len(effects)
    bound = abs(effects.sum()) - _ROUNDING * np.abs(effects).sum()
    if 1 << count <= resamples:
        every = np.arange(2**count)[:, None] >> np.arange(count) & 1
        return _as_far(every, effects, bound) / len(every)
    rows = max(1, _CELLS // count)
    sizes = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    found = sum(_as_far(_random_bits(size, count, rng), effects, bound) for size in sizes)
    return (found + 1) / (resamples + 1)


def interval(
    values: Values,
    weights: Values,
    *,
    alpha: float,
    resamples: int,
    rng: np.random.Generator,
) -> tuple[float, float] | tuple[None, None]:
    """Return the percentile bootstrap interval of the weighted mean at 1 - alpha (Efron 1979).

    values, weights: (n,); a query is drawn with its weight. (None, None) for fewer than `FEWEST`
    values. It always holds the mean itself. Raises MissingExtraError without scipy.
    """
    if len(values) < FEWEST:
        return None, None
    mean = _mean(values, weights)
    if np.ptp(values) <= TIE:
        return mean, mean
    found = (
        _stats()
        .bootstrap(
            (values, weights),
            _weighted_means,
            paired=True,
            vectorized=True,
            n_resamples=resamples,
            batch=max(1, _CELLS // len(values)),
            confidence_level=1 - alpha,
            method="percentile",
            rng=rng,
        )
        .confidence_interval
    )
    return min(float(found.low), mean), max(float(found.high), mean)


def minimum_detectable_effect(
    deltas: Values, weights: Values, *, alpha: float, power: float
) -> float | None:
    """Return the smallest mean difference that such queries show with this power (Bloom 1995).

    (t[1 - alpha/2] + t[power]) * s / sqrt(n): s the standard deviation of the differences (n,), t
    quantiles of Student's distribution with n - 1 degrees of freedom. With weights, n is the
    effective sample size (sum w)^2 / sum w^2 (Kish 1965). None where all differences are equal or n
    is below 2: then nothing is known of the spread. Raises MissingExtraError without scipy.
    """
    count = effective_size(weights)
    if count < 2 or np.ptp(deltas) <= TIE:
        return None
    spread = _mean((deltas - _mean(deltas, weights)) ** 2, weights) * count / (count - 1)
    quantiles = _stats().t.ppf([1 - alpha / 2, power], df=count - 1)
    return max(0.0, float(quantiles.sum())) * sqrt(spread / count)


def effective_size(weights: Values) -> float:
    """Return how many queries of equal weight would tell as much (Kish 1965), from weights (n,).

    >>> effective_size(np.array([1.0, 1.0, 1.0]))
    3.0
    """
    return float(weights.sum() ** 2 / (weights**2).sum())


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values corrected for having several, in the order given (Holm 1979).

    The i-th smallest of m, i from 0, is multiplied by m - i, is at least the one before it and at
    most 1. None stays None and does not count.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - rank)))
        adjusted[place] = highest
    return adjusted


def _check(before: Values, after: Values, weights: Values) -> None:
    if not len(before) == len(after) == len(weights):
        raise InputError(
            f"{len(before)} figures before, {len(after)} after, {len(weights)} weights: a paired "
            "comparison needs one of each for every query"
        )
    if len(weights) and not weights.min() > 0:
        raise InputError(
            f"weight {weights.min():g}: a query's weight is above 0; leave it out instead"
        )


def _mean(values: Values, weights: Values) -> float:
    return float(_weighted_means(values, weights))


def _weighted_means(values: Values, weights: Values, axis: int = -1) -> Values:
    means: Values = (values * weights).sum(axis=axis) / weights.sum(axis=axis)
    return means


def _as_far(bits: npt.NDArray[np.integer], effects: Values, bound: float) -> int:
    """Count the sign assignments (m, n), 1 for plus and 0 for minus, whose sum is as far from 0."""
    sums = 2 * (bits @ effects) - effects.sum()
    return int((np.abs(sums) >= bound).sum())


def _random_bits(rows: int, count: int, rng: np.random.Generator) -> npt.NDArray[np.integer]:
    packed = rng.integers(0, 256, (rows, -(-count // 8)), dtype=np.uint8)
    return np.unpackbits(packed, axis=1, count=count)


def _stats() -> ModuleType:
    try:
        from scipy import stats
    except ImportError:
        raise MissingExtraError("the statistics of an evaluation", "eval") from None
    module: ModuleType = stats
    return module
