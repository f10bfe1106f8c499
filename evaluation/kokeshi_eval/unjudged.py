"""Hits that nobody has graded, and what they could do to the mean difference of nDCG@k.

Such a hit counts as grade 0. Here each could have the best grade of the scale instead. That adds to
the DCG of every side that returns it, and to the ideal DCG of its query, so nDCG of both sides is
computed again: (DCG of the candidate - DCG of the baseline) / ideal DCG.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from kokeshi_eval.means import with_positive
from kokeshi_eval.measure import gain_of
from kokeshi_eval.model import Options, QueryResult, Ranked, Unjudged
from kokeshi_eval.significance import Values


@dataclass(frozen=True)
class Missing:
    """What is not known of a difference for want of grades.

    documents: each such hit in the first k of either side, the most swing first. low, high: bounds
    of the mean difference, when every one of them has either grade 0 or the best grade, whichever
    is worst or best for the candidate. rise[i]: the mean difference when those of the first i
    documents that favour the candidate have the best grade; fall[i]: those that favour the
    baseline. Both have one number more than there are documents; the first is the difference as it is.
    """

    documents: tuple[Unjudged, ...]
    low: float
    high: float
    rise: tuple[float, ...]
    fall: tuple[float, ...]


def find_missing(
    queries: Sequence[QueryResult],
    candidate: int,
    grades: Mapping[str, Mapping[str, int]],
    options: Options,
    max_grade: int,
) -> Missing:
    """Return the hits without a grade, and the weighted mean differences of nDCG@k they could make.

    candidate: its number, from 0. grades: query -> document -> grade. max_grade: of the scale. The
    means are over the queries with a positive grade; where there is none, over all.
    """
    counted = with_positive(queries) or queries
    best = gain_of(max(1, max_grade), options.gain)
    pools = [_build_pool(query, candidate, grades, options, best) for query in counted]
    total = sum(pool.weight for pool in pools) or 1.0
    documents = sorted(
        (document for pool in pools for document in pool.documents(total)),
        key=lambda found: (-abs(found.swing), found.query, found.doc_id),
    )
    return Missing(
        documents=tuple(documents),
        low=sum(pool.weight * pool.extreme(-1) for pool in pools) / total,
        high=sum(pool.weight * pool.extreme(1) for pool in pools) / total,
        rise=_curve(pools, documents, 1, total),
        fall=_curve(pools, documents, -1, total),
    )


@dataclass(frozen=True)
class _Pool:
    """One query. gap: DCG of the candidate less that of the baseline, as graded.

    effects: hit without a grade -> what the best grade adds to the gap. ideals[m]: the ideal DCG when
    m of them have it.
    """

    query: str
    weight: float
    gap: float
    effects: Mapping[str, float]
    ideals: Sequence[float]

    def delta(self, best: int = 0, added: float = 0.0) -> float:
        """Return the difference of nDCG@k when `best` hits with these effects have the best grade."""
        ideal = self.ideals[best]
        return (self.gap + added) / ideal if ideal else 0.0

    def documents(self, total: float) -> list[Unjudged]:
        """Return the hits with their swing on the mean over a total weight."""
        now, share = self.delta(), self.weight / total
        return [
            Unjudged(query=self.query, doc_id=doc_id, swing=share * (self.delta(1, effect) - now))
            for doc_id, effect in self.effects.items()
        ]

    def extreme(self, sign: int) -> float:
        """Return the highest difference (sign 1) or the lowest (-1) that grades 0 and best can make.

        With m of them best, those are the m of the greatest effect: the ideal depends on m alone.
        """
        ordered = sorted(self.effects.values(), key=lambda effect: -sign * effect)
        sums = accumulate(ordered, initial=0.0)
        return sign * max(sign * self.delta(best, added) for best, added in enumerate(sums))


def _build_pool(
    query: QueryResult,
    candidate: int,
    grades: Mapping[str, Mapping[str, int]],
    options: Options,
    best: int,
) -> _Pool:
    discounts = 1 / np.log2(np.arange(2, options.k + 2))
    before, after = query.baseline, query.candidates[candidate].ranked
    effects: dict[str, float] = {}
    for ranked, sign in ((before, -1), (after, 1)):
        for doc_id, grade, discount in zip(ranked.ids, ranked.grades, discounts, strict=False):
            if grade is None:
                effects[doc_id] = effects.get(doc_id, 0.0) + sign * best * float(discount)
    gains = sorted(
        (gain_of(g, options.gain) for g in grades.get(query.id, {}).values()), reverse=True
    )
    return _Pool(
        query=query.id,
        weight=query.weight,
        gap=_dcg(after, options, discounts) - _dcg(before, options, discounts),
        effects=effects,
        ideals=[_ideal([*[best] * count, *gains], discounts) for count in range(len(effects) + 1)],
    )


def _dcg(ranked: Ranked, options: Options, discounts: Values) -> float:
    return _ideal([gain_of(grade or 0, options.gain) for grade in ranked.grades], discounts)


def _ideal(gains: Sequence[int], discounts: Values) -> float:
    """Return the DCG of gains in the order given, down to as many ranks as there are discounts."""
    return sum(gain * float(discount) for gain, discount in zip(gains, discounts, strict=False))


def _curve(
    pools: Iterable[_Pool], documents: Iterable[Unjudged], sign: int, total: float
) -> tuple[float, ...]:
    """Return the mean difference as one document after another that swings this way has the best grade."""
    by_query = {pool.query: pool for pool in pools}
    state = dict.fromkeys(by_query, (0, 0.0))
    means = [sum(pool.weight * pool.delta() for pool in by_query.values()) / total]
    for found in documents:
        pool, (best, added) = by_query[found.query], state[found.query]
        step = 0.0
        if found.swing * sign > 0:
            state[found.query] = best + 1, added + pool.effects[found.doc_id]
            step = pool.delta(*state[found.query]) - pool.delta(best, added)
        means.append(means[-1] + pool.weight * step / total)
    return tuple(means)
