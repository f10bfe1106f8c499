"""Measures from the hits that came back, by ir_measures, beside a figure that the engine may give.

DCG@k  = sum over ranks r <= k of (2^grade - 1) / log2(r + 1)      (Burges et al. 2005)
nDCG@k = DCG@k / DCG@k of the judged documents in the best order   (Järvelin and Kekäläinen 2002)

A hit without a grade counts as grade 0. A query without hits, or without a positive grade, is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from kokeshi.errors import MissingExtraError
from kokeshi_eval.ranking import Path, Ranking

TOLERANCE = 1e-6
"""Two nDCG of the same ranking, by different programs, differ by less."""

Grades = Mapping[str, Mapping[str, int]]
"""query -> document -> grade."""


@dataclass(frozen=True)
class Scores:
    """One ranking against its grades.

    hits: how many came back, at most k. ndcg: standard nDCG@k. ndcg_cut: nDCG@min(k, hits), whose
    ideal is cut where the engine cuts it. engine_ndcg: by `_rank_eval`, None by another path. judged:
    the share of hits that have a grade, None without hits. idcg_differs: some hits came back, but
    fewer than the ideal has positives, so that ndcg and engine_ndcg have different denominators.
    path: where the hits came from.
    """

    hits: int
    ndcg: float
    ndcg_cut: float
    engine_ndcg: float | None
    judged: float | None
    idcg_differs: bool
    path: Path

    @property
    def agrees(self) -> bool:
        """Whether the engine's figure, where there is one, is the one computed from its hits."""
        return self.engine_ndcg is None or abs(self.engine_ndcg - self.ndcg_cut) <= TOLERANCE


def dcg_gain(grade: int) -> int:
    """Return 2^grade - 1, the gain of `_rank_eval`."""
    return (1 << grade) - 1


def judged_share(ids: Sequence[str], grades: Mapping[str, int], k: int) -> float | None:
    """Judged@k: the share of the first k hits that have a grade; None where there is no hit."""
    top = ids[:k]
    return sum(doc_id in grades for doc_id in top) / len(top) if top else None


def ndcg(
    rankings: Mapping[str, Sequence[str]], grades: Grades, cutoffs: Mapping[str, int]
) -> dict[str, float]:
    """Return nDCG of each query at its own cutoff, by ir_measures.

    rankings: query -> ids, best first. cutoffs: query -> k; 0 gives 0. Raises MissingExtraError.
    """
    asked = {query: ids for query, ids in rankings.items() if ids and cutoffs[query]}
    measures = _measures({cutoffs[query] for query in asked}, grades)
    found = dict.fromkeys(rankings, 0.0)
    if not asked:
        return found
    qrels = {query: dict(grades.get(query, {})) for query in asked}
    runs = {query: _run(ids) for query, ids in asked.items()}
    for metric in _ir_measures().iter_calc(measures.values(), qrels, runs):
        if metric.measure == measures[cutoffs[metric.query_id]]:
            found[metric.query_id] = metric.value
    return found


def score(rankings: Mapping[str, Ranking], grades: Grades, k: int) -> dict[str, Scores]:
    """Return the scores of each query's ranking at k."""
    ids = {query: ranking.ids[:k] for query, ranking in rankings.items()}
    standard = ndcg(ids, grades, dict.fromkeys(ids, k))
    cut = ndcg(ids, grades, {query: len(found) for query, found in ids.items()})
    return {
        query: Scores(
            hits=len(ids[query]),
            ndcg=standard[query],
            ndcg_cut=cut[query],
            engine_ndcg=ranking.ndcg,
            judged=judged_share(ids[query], grades.get(query, {}), k),
            idcg_differs=ranking.ndcg is not None
            and 0 < len(ids[query]) < min(k, _positives(grades.get(query, {}))),
            path=ranking.path,
        )
        for query, ranking in rankings.items()
    }


def _positives(grades: Mapping[str, int]) -> int:
    return sum(grade > 0 for grade in grades.values())


def _run(ids: Sequence[str]) -> dict[str, float]:
    """Scores that fall with the rank: ties of the engine's scores cannot be put in another order."""
    return {doc_id: -float(rank) for rank, doc_id in enumerate(ids)}


def _measures(cutoffs: Iterable[int], grades: Grades) -> dict[int, object]:
    """Return nDCG with exponential gain by cutoff; gains left out are 0 for 0 and 1 for 1."""
    levels = {grade for row in grades.values() for grade in row.values()}
    gains = {grade: dcg_gain(grade) for grade in sorted(levels)}
    measure = _ir_measures().nDCG(gains=gains)
    return {cutoff: measure @ cutoff for cutoff in cutoffs}


def _ir_measures() -> ModuleType:
    try:
        import ir_measures
    except ImportError:
        raise MissingExtraError("the evaluation", "eval") from None
    module: ModuleType = ir_measures
    return module
