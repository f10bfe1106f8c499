"""How likely a position is looked at, from the log itself or from a file.

The position-based model: P(click on d for q at k) = theta_k * gamma_qd, a document is clicked where its
position is examined (theta) and it attracts (gamma) (Craswell et al. 2008; Wang et al. 2018). Only ratios
of theta can be seen in clicks, so the position that is examined most has 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from kokeshi.errors import InputError
from kokeshi_eval.judgments.click_log import ClickLog, Ints
from kokeshi_eval.tables import Row, read_rows

Propensities = Mapping[int, float]
"""Position -> how likely it is examined, above 0, the most likely one 1."""

Floats = npt.NDArray[np.float64]

_ROUNDS: Final = 5_000
_SETTLED: Final = 1e-8
"""Change of any log theta in one round at which the fit ends."""


def fit_propensities(log: ClickLog) -> Propensities:
    """Estimate propensities from documents that were shown at several positions for one query.

    theta and gamma are fitted in turn until the clicks that the model expects at each position, and for
    each document, are those of the log: theta_k = clicks at k / sum of impressions * gamma, gamma_qd = clicks
    on it / sum of impressions * theta. That is the likeliest model for Poisson counts, near the
    likelihood that expectation maximisation climbs (Wang et al. 2018) and much faster. Positions
    without a click, or not tied to the others by any clicked document, have no propensity. Raises
    InputError where no two positions are tied: relevance and position cannot be told apart then.
    """
    positions, at = np.unique(log.position, return_inverse=True)
    clicked = np.bincount(log.pair, log.clicks)[log.pair] > 0
    used = clicked & (np.bincount(at, log.clicks)[at] > 0)
    tied = _largest_group(log, at, used)
    if np.count_nonzero(tied) < 2 <= len(positions):
        raise InputError(
            f"{log.name}: no clicked document was shown at different positions for one query, so its "
            "propensities cannot be estimated; give a file of them, or take ctr (--propensities)"
        )
    theta = _fit(log, used & tied[at])
    return dict(zip(positions[tied].tolist(), theta.tolist(), strict=True))


def ctr_propensities(log: ClickLog) -> Propensities:
    """Return the click-through rate of each position, relative to the highest (Zhang & Jones 2007).

    Simple, and too steep where better documents are shown higher up.
    """
    positions, at = np.unique(log.position, return_inverse=True)
    rates = np.bincount(at, log.clicks) / np.bincount(at, log.impressions)
    rates /= rates.max()
    return {int(k): float(rate) for k, rate in zip(positions, rates, strict=True) if rate > 0}


def load_propensities(path: str | Path) -> Propensities:
    """Read a file with the columns position and propensity, above 0 and at most 1."""
    found: dict[int, float] = {}
    for row in read_rows(path, (("position",), ("propensity",))):
        position = row.text("position")
        if not position.isdecimal() or int(position) in {0, *found}:
            raise InputError(f"{row.where}: give each position, from 1, once, not '{position}'")
        found[int(position)] = _share(row)
    if not found:
        raise InputError(f"{path}: no propensities; give rows of position, propensity")
    return found


def _share(row: Row) -> float:
    value = row.find("propensity")
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = 0.0
    if not 0 < share <= 1:
        raise InputError(f"{row.where}: propensity '{value}' is not above 0 and at most 1")
    return share


def _largest_group(log: ClickLog, at: Ints, used: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which positions belong to the tied ones with the most impressions: (positions,)."""
    count = int(at.max()) + 1
    order = np.flatnonzero(used)[np.argsort(log.pair[used], kind="stable")]
    same = log.pair[order][1:] == log.pair[order][:-1]
    ties = np.unique(np.stack([at[order][:-1][same], at[order][1:][same]], axis=1), axis=0)
    group = np.arange(count)
    for one, other in ties:
        group[group == group[other]] = group[one]
    sizes = np.bincount(group, np.bincount(at, log.impressions * used, count), count)
    largest: npt.NDArray[np.bool_] = group == sizes.argmax()
    return largest


def _fit(log: ClickLog, used: npt.NDArray[np.bool_]) -> Floats:
    """Return theta of the positions in use: (positions,), the largest 1.

    Steps are extrapolated by SQUAREM (Varadhan & Roland 2008): where few documents tie positions, theta
    creeps.
    """
    step = _Step(log, used)
    x = np.zeros(step.positions)
    for _ in range(_ROUNDS):
        one = step(x)
        two = step(one)
        move, bend = one - x, two - 2 * one + x
        if np.abs(two - one).max() < _SETTLED:
            found: Floats = np.exp(two)
            return found
        length = max(1.0, float(np.linalg.norm(move) / max(np.linalg.norm(bend), 1e-300)))
        x = step(x + 2 * length * move + length**2 * bend)
    raise InputError(
        f"{log.name}: too few documents were shown at several positions to estimate propensities; "
        "give a file of them, or take ctr (--propensities)"
    )


class _Step:
    """One round of the fit, from log theta to log theta; every position and pair in use has a click."""

    def __init__(self, log: ClickLog, used: npt.NDArray[np.bool_]) -> None:
        _, self._pair = np.unique(log.pair[used], return_inverse=True)
        _, self._at = np.unique(log.position[used], return_inverse=True)
        self._shown = log.impressions[used].astype(np.float64)
        self._of_pair = np.bincount(self._pair, log.clicks[used])
        self._at_position = np.bincount(self._at, log.clicks[used])
        self.positions = len(self._at_position)

    def __call__(self, log_theta: Floats) -> Floats:
        theta = np.exp(log_theta)[self._at]
        gamma = self._of_pair / np.bincount(self._pair, self._shown * theta)
        found = self._at_position / np.bincount(self._at, self._shown * gamma[self._pair])
        logs: Floats = np.log(found / found.max())
        return logs
