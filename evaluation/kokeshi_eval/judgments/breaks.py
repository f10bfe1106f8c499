"""Natural breaks: where a list of numbers falls into groups by itself."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BINS: Final = 500
"""Numbers are first put together, neighbours with neighbours: the search takes the square of this."""


def natural_breaks(values: Floats, groups: int) -> Floats:
    """Return the bounds between the groups with the least variance inside (Fisher 1958; Jenks 1967).

    values: (N,), 0 or more. The variance is that of square roots, which is about the same wherever
    counts lie. Returns (groups - 1,), rising; fewer where there are fewer different values.
    """
    roots = np.unique(np.sqrt(values), return_counts=True)
    means, weights = _bin(*roots)
    starts = _partition(means, weights, min(groups, len(means)))
    return np.square((means[starts] + means[starts - 1]) / 2)


def _bin(values: Floats, counts: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the means and the weights of at most BINS bins, each of as many different values."""
    bins = np.arange(len(values)) * min(BINS, len(values)) // len(values)
    weights = np.bincount(bins, counts).astype(np.float64)
    return np.bincount(bins, counts * values) / weights, weights


def _partition(means: Floats, weights: Floats, groups: int) -> npt.NDArray[np.int64]:
    """Return where the second and each later group begins: (groups - 1,), by dynamic programming."""
    costs = _costs(means, weights)
    best = costs[0]
    choices = []
    for _ in range(groups - 1):
        # totals[i, j]: the first i bins in the groups so far, bins i to j - 1 in the next one
        totals = best[:, None] + costs
        choices.append(totals.argmin(axis=0))
        best = totals.min(axis=0)
    starts = [len(means)]
    for choice in reversed(choices):
        starts.append(int(choice[starts[-1]]))
    return np.array(starts[:0:-1], dtype=np.int64)


def _costs(means: Floats, weights: Floats) -> Floats:
    """Return the weighted squared deviations of bins i to j - 1 from their mean: (N + 1, N + 1)."""
    sums = [np.concatenate([[0.0], np.cumsum(weights * means**power)]) for power in range(3)]
    weight, first, second = (total - total[:, None] for total in sums)
    inside = weight > 0
    square = np.divide(first**2, weight, out=np.zeros_like(weight), where=inside)
    costs: Floats = np.where(inside, second - square, np.inf)
    return costs
