"""What the engine's own ranking evaluation computes, and where that is not the standard measure.

From the source of the `rank-eval` module, which both engines share. With n the hits that came back,
at most k, and a document relevant from grade 1 on:

nDCG `dcg`, `normalize`: gain 2^grade - 1; the ideal order is cut at n, not at k
P    `precision`: relevant hits / n, not / k
R    `recall`: relevant hits / relevant documents
RR   `mean_reciprocal_rank`: 1 / rank of the first relevant hit
ERR  `expected_reciprocal_rank`: as by Chapelle et al. 2009; `maximum_relevance` is the highest grade

A hit without a rating keeps its rank and adds nothing, as one of grade 0 does, as long as neither
`unknown_doc_rating` nor `ignore_unlabeled` is set. There is no AP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log2
from typing import Final

from kokeshi_eval.measure import err, gain_of
from kokeshi_eval.model import TOLERANCE, EngineFigure, Gain, Measure


def dcg(grades: Iterable[int]) -> float:
    """Return the discounted cumulative gain of grades in order, gain 2^grade - 1.

    >>> dcg([2, 0, 1])
    3.5
    """
    return sum(gain_of(grade) / log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def expected(
    name: Measure, ids: Sequence[str], grades: Mapping[str, int], k: int, max_grade: int
) -> float:
    """Return what the engine's definition of a measure gives for its hits.

    name: of `DEFINITIONS`. ids: the hits, best first. grades: document -> grade, of one query.
    max_grade: `maximum_relevance`.
    """
    hits = [grades.get(doc_id, 0) for doc_id in ids[:k]]
    return DEFINITIONS[name](hits, sorted(grades.values(), reverse=True), max_grade)


def explain_figure(
    name: Measure,
    value: float,
    standard: float,
    ids: Sequence[str],
    grades: Mapping[str, int],
    k: int,
    *,
    max_grade: int,
    gain: Gain = "exponential",
) -> EngineFigure:
    """Put a figure of the engine's beside the standard one, with the reason where they differ.

    value: the engine's. standard: that of `compute_measures`, of this gain.
    """
    own = expected(name, ids, grades, k, max_grade)
    why = None
    if abs(value - own) > TOLERANCE:
        why = f"the engine's definition gives {own:.6f} for these hits and grades, not {value:.6f}"
    elif abs(value - standard) > TOLERANCE:
        positives = sum(grade > 0 for grade in grades.values())
        why = _explain(name, len(ids[:k]), min(k, positives), k, gain)
    return EngineFigure(value=value, expected=own, standard=standard, why=why)


def _explain(name: Measure, hits: int, ideal: int, k: int, gain: Gain) -> str:
    reasons = []
    if name == "nDCG" and gain == "linear":
        reasons.append("its gain is 2^grade - 1, not the grade")
    if name == "nDCG" and hits < ideal:
        reasons.append(f"its ideal ranking is cut at the hits that came back, not at {k}")
    if name == "P" and hits < k:
        reasons.append(f"it divides by the hits that came back, not by {k}")
    return " and ".join(reasons) or "the standard one is of other grades, or another highest grade"


def _ndcg(hits: Sequence[int], ideal: Sequence[int], _: int) -> float:
    best = dcg(ideal[: len(hits)])
    return dcg(hits) / best if best else 0.0


def _precision(hits: Sequence[int], _: Sequence[int], __: int) -> float:
    return _relevant(hits) / len(hits) if hits else 0.0


def _recall(hits: Sequence[int], ideal: Sequence[int], _: int) -> float:
    return _relevant(hits) / _relevant(ideal) if _relevant(ideal) else 0.0


def _reciprocal_rank(hits: Sequence[int], _: Sequence[int], __: int) -> float:
    return next((1 / rank for rank, grade in enumerate(hits, start=1) if grade >= 1), 0.0)


def _err(hits: Sequence[int], _: Sequence[int], max_grade: int) -> float:
    return err(hits, max_grade)


def _relevant(grades: Iterable[int]) -> int:
    return sum(grade >= 1 for grade in grades)


DEFINITIONS: Final[Mapping[Measure, Callable[[Sequence[int], Sequence[int], int], float]]] = {
    "nDCG": _ndcg,
    "P": _precision,
    "R": _recall,
    "RR": _reciprocal_rank,
    "ERR": _err,
}
"""By measure: of the grades of the hits, all grades in falling order, and the highest of the scale."""
