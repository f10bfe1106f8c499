"""What the figures of a candidate show, each as yes or no, for the decision on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kokeshi_eval.model import Difference, Impact, Options, Slice, System
from kokeshi_eval.unjudged import Missing

SIMILAR: Final = 0.05
"""Two Judged@k that differ by no more are about the same."""

_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Evidence:
    """The figures of one candidate, of the main measure; see `decide`."""

    baseline: System
    candidate: System
    improvement: Difference
    condensed: Difference
    impact: Impact
    missing: Missing
    slices: Sequence[Slice]
    options: Options

    @property
    def delta(self) -> float:
        """The mean difference; 0 where there is none."""
        return self.improvement.delta or 0.0

    @property
    def tested(self) -> bool:
        """Whether there are enough graded queries for a test."""
        return self.improvement.p_adjusted is not None

    @property
    def significant(self) -> bool:
        """Whether the difference is more than chance, all candidates considered."""
        p = self.improvement.p_adjusted
        return p is not None and p <= self.options.alpha

    @property
    def gains(self) -> bool:
        """Whether the candidate is better, as far as the grades go."""
        return self.significant and self.delta > 0 and self._counts

    @property
    def harms(self) -> bool:
        """Whether the candidate is worse, as far as the grades go."""
        return self.significant and self.delta < 0 and self._counts

    @property
    def harmed_slices(self) -> list[Slice]:
        """The parts of the query set that are worse by more than chance."""
        return [one for one in self.slices if _is_harmed(one.difference, self.options)]

    @property
    def _counts(self) -> bool:
        return abs(self.delta) >= self.options.rule.min_delta - _ROUNDING

    @property
    def bounded(self) -> bool:
        """Whether the bounds, which are of nDCG, are of the measure that decides."""
        return self.improvement.label.startswith("nDCG@")

    @property
    def robust(self) -> bool:
        """Whether the difference is known to keep its sign, whatever the hits without a grade are worth."""
        return self.bounded and (self.missing.low > 0 if self.delta > 0 else self.missing.high < 0)

    @property
    def too_few_judged(self) -> bool:
        """Whether too few of the candidate's hits have a grade."""
        return judged(self.candidate) < self.options.rule.min_judged - _ROUNDING

    @property
    def new_hits(self) -> bool:
        """Whether clearly fewer of the candidate's hits have a grade than of the baseline's."""
        return _clearly_fewer(self.candidate, self.baseline)

    @property
    def doubtful(self) -> bool:
        """Whether the difference may come from missing grades alone.

        Not if no grades could turn its sign. Otherwise if the condensed lists differ significantly the
        other way; or if the side that loses has clearly fewer hits with a grade, and these by
        themselves show no such difference, or are too few to exclude one that counts the other way.
        """
        lower, upper = self.baseline, self.candidate
        if self.delta < 0:
            lower, upper = upper, lower
        if self.robust:
            return False
        few = judged(lower) < self.options.rule.min_judged - _ROUNDING
        unsure = not self.confirmed or (few and self._reaches(-1 if self.delta > 0 else 1))
        return self._contradicted or (_clearly_fewer(lower, upper) and unsure)

    @property
    def confirmed(self) -> bool:
        """Whether the condensed lists differ in the same direction."""
        return (self.condensed.delta or 0.0) * self.delta > 0

    @property
    def proven_alone(self) -> bool:
        """Whether the interval of the condensed lists lies on the same side of 0."""
        low, high = self.condensed.low, self.condensed.high
        if low is None or high is None:
            return False
        return low > 0 if self.delta > 0 else high < 0

    @property
    def _contradicted(self) -> bool:
        p = self.condensed.p
        opposite = (self.condensed.delta or 0.0) * self.delta < 0
        return opposite and p is not None and p <= self.options.alpha

    def _reaches(self, sign: int) -> bool:
        """Whether the condensed lists leave room for a difference that counts, for better or worse.

        They flatter the side with fewer graded hits, as grade 0 for the others belittles it: what
        they exclude is unlikely.
        """
        low, high = self.condensed.low, self.condensed.high
        if low is None or high is None:
            return True
        return (high if sign > 0 else -low) >= self.needed - _ROUNDING

    @property
    def move(self) -> float | None:
        """How much moves: which documents are there or, if that is more, in which order.

        The greater of `Impact.change` and 1 - rank-biased overlap; None without a baseline.
        """
        if self.impact.change is None:
            return None
        overlap = 1.0 if self.impact.rbo is None else self.impact.rbo
        return max(self.impact.change, 1 - overlap)

    @property
    def small(self) -> bool:
        """Whether hardly anything moves."""
        move = self.move
        return move is not None and move < self.options.rule.min_impact - _ROUNDING

    @property
    def needed(self) -> float:
        """About the mean difference that would count and be significant.

        A difference as far from 0 as half the width of the interval just excludes 0.
        """
        low, high = self.improvement.low, self.improvement.high
        half = 0.0 if low is None or high is None else (high - low) / 2
        return max(self.options.rule.min_delta, half)

    @property
    def could_gain(self) -> bool:
        """Whether grades of hits that have none could make a gain that counts, and are not unlikely to."""
        high = self.missing.high
        can = not self.bounded or (high > 0 and high >= self.needed - _ROUNDING)
        return can and self._reaches(1)

    @property
    def too_few_queries(self) -> bool:
        """Whether a gain that the rule asks for is possible, but so many queries cannot show it."""
        least, found = self.options.rule.min_delta, self.improvement
        if not least or found.mde is None or found.high is None or self.significant:
            return False
        return found.mde > least and found.high >= least


def judged(system: System) -> float:
    """Return Judged@k; 1 where nothing was returned, since no hit lacks a grade."""
    return 1.0 if system.judged is None else system.judged


def _is_harmed(one: Difference, options: Options) -> bool:
    if one.delta is None or one.p_adjusted is None or one.p_adjusted > options.alpha:
        return False
    return one.delta < 0 and one.delta <= _ROUNDING - options.rule.min_delta


def _clearly_fewer(one: System, other: System) -> bool:
    return judged(one) < judged(other) - SIMILAR - _ROUNDING
