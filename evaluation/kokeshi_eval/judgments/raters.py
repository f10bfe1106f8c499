"""Several raters: how far they agree, and one grade from their grades.

Krippendorff's alpha: 1 - (n - 1) sum_ck o_ck d_ck / sum_ck n_c n_k d_ck (Krippendorff, Computing
Krippendorff's Alpha-Reliability, 2011; Content Analysis, chapter on reliability). o_ck counts the pairs of
grades c and k that one document has from two raters, each divided by its number of grades less 1; n_c is
the sum of a row of o, n of all; d_ck is the squared difference, which depends on the scale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import median_low
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Scale = Literal["ordinal", "interval", "nominal"]
"""What a difference of grades means: how many grades lie between, their difference, or any at all."""

Floats = npt.NDArray[np.float64]


def krippendorff_alpha(units: Iterable[Sequence[int]], scale: Scale = "ordinal") -> float | None:
    """Return the agreement of raters: 1 is perfect, 0 what chance gives, below 0 worse than that.

    units: the grades of each document, in any order and number; those with one grade say nothing.
    None where no document has two, or all grades are the same.

    >>> round(krippendorff_alpha([[0, 0], [1, 1], [2, 3]]), 4)
    0.9495
    """
    observed = _coincidences([grades for grades in units if len(grades) > 1])
    sums = observed.sum(axis=0)
    differences = _DIFFERENCES[scale](sums)
    expected = (np.outer(sums, sums) * differences).sum()
    if not expected:
        return None
    return float(1 - (sums.sum() - 1) * (observed * differences).sum() / expected)


def merge_median(grades: Sequence[int]) -> int:
    """Return the median; of two in the middle the lower: in doubt a document is not praised."""
    return median_low(grades)


def merge_majority(grades: Sequence[int]) -> int:
    """Return the most frequent grade; of several equally frequent ones their lower median."""
    counts = Counter(grades)
    most = max(counts.values())
    return median_low([grade for grade, count in counts.items() if count == most])


MERGES: Final[dict[str, Callable[[Sequence[int]], int]]] = {
    "median": merge_median,
    "max": max,
    "majority": merge_majority,
}


def _coincidences(units: Sequence[Sequence[int]]) -> Floats:
    """Return o: (grades, grades) float64, symmetric."""
    size = 1 + max((max(grades) for grades in units), default=0)
    observed = np.zeros((size, size))
    # many documents have the same grades, which are counted once
    for grades, times in Counter(tuple(sorted(grades)) for grades in units).items():
        counts = np.bincount(grades, minlength=size).astype(np.float64)
        observed += times * (np.outer(counts, counts) - np.diag(counts)) / (len(grades) - 1)
    return observed


def _ordinal(sums: Floats) -> Floats:
    """Square of how many grades were given from c to k, each end by half."""
    ranks = np.cumsum(sums) - sums / 2
    return np.square(ranks[:, None] - ranks)


def _interval(sums: Floats) -> Floats:
    grades = np.arange(len(sums), dtype=np.float64)
    return np.square(grades[:, None] - grades)


def _nominal(sums: Floats) -> Floats:
    return 1 - np.eye(len(sums))


_DIFFERENCES: Final[dict[Scale, Callable[[Floats], Floats]]] = {
    "ordinal": _ordinal,
    "interval": _interval,
    "nominal": _nominal,
}
