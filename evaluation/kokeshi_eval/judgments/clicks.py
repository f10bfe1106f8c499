"""Graded judgments from clicks: click-through corrected by how likely each position is looked at.

How much a document attracts, as if everybody looked at it, is estimated in one of two ways:

- `coec`, clicks over expected clicks: sum of clicks / sum of propensities, over all times it was shown
  (Zhang & Jones 2007);
- `ips`, inverse propensities: the mean of click / propensity (Joachims, Swaminathan & Schnabel 2017).

Both are right on average; `coec` varies less, as a rare click far down does not weigh so much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from kokeshi.errors import InputError
from kokeshi_eval.judgments.breaks import natural_breaks
from kokeshi_eval.judgments.click_log import ClickLog
from kokeshi_eval.judgments.model import MAX_GRADE, Judgments
from kokeshi_eval.judgments.propensities import Propensities, fit_propensities

Estimator = Literal["coec", "ips"]
Floats = npt.NDArray[np.float64]

BEST: Final = 3
"""The best grade where neither shares nor thresholds say how many there are."""

MIN_IMPRESSIONS: Final = 100


@dataclass(frozen=True)
class ClickGrades:
    """Judgments from clicks, and what they were made with.

    attractiveness: of each pair of query and document that is graded. thresholds: a document gets one more
    grade for each that it is above. unsupported: pairs left out for too few impressions.
    unplaced: impressions left out because their position has no propensity.
    """

    judgments: Judgments
    propensities: Propensities
    attractiveness: Mapping[tuple[str, str], float]
    thresholds: tuple[float, ...]
    unsupported: int
    unplaced: int


def grade_clicks(
    log: ClickLog,
    *,
    propensities: Propensities | None = None,
    estimator: Estimator = "coec",
    min_impressions: int = MIN_IMPRESSIONS,
    shares: Sequence[float] | None = None,
    thresholds: Sequence[float] | None = None,
) -> ClickGrades:
    """Return judgments from a log of clicks.

    propensities: by position; fitted to the log where it is None. min_impressions: fewer leave a
    document out. thresholds: of attractiveness, for each grade from 1. shares: of the documents for each
    grade from 0, in place of thresholds, which are then quantiles. With neither, grades 0 to 3 are
    parted where attractiveness has natural breaks. A document that nobody clicked has grade 0 in any case.
    Raises InputError where nothing is left to grade, or these options do not fit.
    """
    known = fit_propensities(log) if propensities is None else propensities
    theta = np.array([known.get(int(position), 0.0) for position in log.position])
    shown = np.bincount(log.pair, log.impressions * (theta > 0))
    supported = np.flatnonzero(shown >= max(1, min_impressions))
    if not supported.size:
        raise InputError(
            f"{log.name}: no document was shown {min_impressions} times for a query; "
            "lower --min-impressions, or take a longer log"
        )
    attracts = _ESTIMATORS[estimator](log, theta)[supported]
    bounds = _bounds(attracts, shares, thresholds)
    if not bounds:
        raise InputError(
            f"{log.name}: all documents attract the same, so no grade tells them apart; "
            "give --thresholds"
        )
    if attracts.max() <= bounds[0]:
        raise InputError(
            f"{log.name}: no document attracts more than {bounds[0]:.4g}, so all grades would be 0; "
            "lower --thresholds, or let natural breaks find them"
        )
    pairs = [log.pairs[row] for row in supported.tolist()]
    return ClickGrades(
        _judge(pairs, attracts, bounds, log.name),
        known,
        dict(zip(pairs, map(float, attracts), strict=True)),
        bounds,
        unsupported=len(log.pairs) - len(pairs),
        unplaced=int(log.impressions[theta == 0].sum()),
    )


def _coec(log: ClickLog, theta: Floats) -> Floats:
    """Return clicks over expected clicks: (P,)."""
    expected = np.bincount(log.pair, log.impressions * theta)
    clicks = np.bincount(log.pair, log.clicks * (theta > 0))
    return np.divide(clicks, expected, out=np.zeros_like(expected), where=expected > 0)


def _ips(log: ClickLog, theta: Floats) -> Floats:
    """Return the mean of clicks by inverse propensity: (P,)."""
    weights = np.divide(1.0, theta, out=np.zeros_like(theta), where=theta > 0)
    clicks = np.bincount(log.pair, log.clicks * weights)
    shown = np.bincount(log.pair, log.impressions * (theta > 0))
    return np.divide(clicks, shown, out=np.zeros_like(clicks), where=shown > 0)


_ESTIMATORS: Final = {"coec": _coec, "ips": _ips}


def _bounds(
    attracts: Floats, shares: Sequence[float] | None, thresholds: Sequence[float] | None
) -> tuple[float, ...]:
    if thresholds is not None:
        return _checked(thresholds)
    found = natural_breaks(attracts, BEST + 1) if shares is None else _quantiles(attracts, shares)
    return tuple(map(float, found))


def _quantiles(attracts: Floats, shares: Sequence[float]) -> Floats:
    whole = all(share > 0 for share in shares) and math.isclose(sum(shares), 1, abs_tol=1e-6)
    if not (2 <= len(shares) <= MAX_GRADE + 1 and whole):
        raise InputError(
            f"shares {list(shares)}: give one above 0 for each grade, 1 in all (--shares)"
        )
    bounds: Floats = np.quantile(attracts, np.cumsum(shares)[:-1])
    return bounds


def _checked(thresholds: Sequence[float]) -> tuple[float, ...]:
    rising = all(low < high for low, high in pairwise((0.0, *thresholds, math.inf)))
    if not (1 <= len(thresholds) <= MAX_GRADE and rising):
        raise InputError(
            f"thresholds {list(thresholds)}: give rising numbers above 0, one for each grade from 1 "
            "(--thresholds)"
        )
    return tuple(thresholds)


def _judge(
    pairs: Sequence[tuple[str, str]], attracts: Floats, bounds: Sequence[float], name: str
) -> Judgments:
    grades: dict[str, dict[str, int]] = {}
    for (query, doc_id), grade in zip(pairs, np.searchsorted(bounds, attracts), strict=True):
        grades.setdefault(query, {})[doc_id] = int(grade)
    return Judgments(grades, name=name)
