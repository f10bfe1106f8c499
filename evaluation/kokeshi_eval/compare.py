"""Replay the queries of the judgments under two plans, and compare what the engine ranks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kokeshi.errors import InputError, KokeshiError
from kokeshi.index import Index
from kokeshi.plans import find_plan
from kokeshi.schema import SearchPlan
from kokeshi.schema.plan import MAX_K
from kokeshi.types import Json
from kokeshi_eval.comparison import Comparison, Impact, QueryRow
from kokeshi_eval.judgments import Judgments
from kokeshi_eval.measures import Scores, score
from kokeshi_eval.pseudo import pseudo_grades
from kokeshi_eval.rank_eval import Ranking, send_rank_eval

Bodies = Mapping[str, Json]
"""query -> the body of its search."""


def compare(
    index: Index,
    judgments: Judgments,
    baseline: str | SearchPlan,
    candidate: str | SearchPlan,
    *,
    k: int = 10,
    impact_k: int = 20,
) -> Comparison:
    """Compare two plans on every query of the judgments.

    baseline, candidate: a name, a YAML file or a plan. Both are evaluated as a search for
    max(k, impact_k) hits serves them. Improvement: nDCG@k against the judgments, before and after.
    Impact: nDCG@impact_k of the candidate, with the baseline's own ranking as the truth
    (`pseudo_grades`). Raises EngineError where any query fails, SpecError or InputError where a plan,
    k or the judgments do not fit.
    """
    for name, value in (("k", k), ("impact_k", impact_k)):
        if not 1 <= value <= MAX_K:
            raise InputError(f"{name} {value}: a rank from 1 to {MAX_K} is expected")
    index.check_vectors()
    size = max(k, impact_k)
    replay = _Replay(index, index.concrete_name())
    before = replay.build_bodies(judgments.queries, baseline, size)
    after = replay.build_bodies(judgments.queries, candidate, size)
    impact = replay.score_impact(before, after, impact_k)
    rows = _rows(
        judgments,
        replay.score_graded(before, judgments, k),
        replay.score_graded(after, judgments, k),
        impact,
    )
    return Comparison(_label(baseline), _label(candidate), k, impact_k, rows, judgments.merged)


class _Replay:
    """Sends to one index. concrete: its own name, where the spec names an alias."""

    def __init__(self, index: Index, concrete: str) -> None:
        self.index = index
        self.concrete = concrete

    def build_bodies(
        self, queries: list[str], plan: str | SearchPlan, size: int
    ) -> dict[str, Json]:
        """Return the body of each query, built once: building one encodes its text."""
        found = find_plan(self.index.spec, plan)
        return {query: self._build_body(query, found, size) for query in queries}

    def score_graded(self, bodies: Bodies, judgments: Judgments, k: int) -> dict[str, Scores]:
        """Score each query against the judgments."""
        return score(self._rank(bodies, judgments.grades, k), judgments.grades, k)

    def score_impact(self, before: Bodies, after: Bodies, k: int) -> dict[str, Impact]:
        """Score the queries after a change against their ranking before; without hits there is none."""
        old = {query: r.ids for query, r in self._rank(before, {}, k).items() if r.ids}
        truth = {query: pseudo_grades(ids, k) for query, ids in old.items()}
        new = self._rank({query: after[query] for query in old}, truth, k)
        return {
            query: Impact(
                pseudo_ndcg=scores.ndcg,
                engine_pseudo_ndcg=scores.engine_ndcg,
                kept=scores.judged,
                identical=new[query].ids == old[query],
                agrees=scores.agrees,
            )
            for query, scores in score(new, truth, k).items()
        }

    def _rank(
        self, bodies: Bodies, grades: Mapping[str, Mapping[str, int]], k: int
    ) -> dict[str, Ranking]:
        index = self.index
        return send_rank_eval(index.engine, index.spec.index, self.concrete, bodies, grades, k)

    def _build_body(self, query: str, plan: SearchPlan, size: int) -> Json:
        try:
            return self.index.build_search(query, plan=plan, size=size, fields=())
        except KokeshiError as error:
            raise InputError(f"query '{query}': {error}") from error


def _rows(
    judgments: Judgments,
    before: Mapping[str, Scores],
    after: Mapping[str, Scores],
    impact: Mapping[str, Impact],
) -> tuple[QueryRow, ...]:
    return tuple(
        QueryRow(query, judgments.positives(query), before[query], after[query], impact.get(query))
        for query in judgments.queries
    )


def _label(plan: str | SearchPlan) -> str:
    """Return what the output calls a plan."""
    if isinstance(plan, str):
        return Path(plan).stem if Path(plan).suffix in (".yaml", ".yml", ".json") else plan
    return plan.model_dump_json(exclude_none=True, exclude_defaults=True)
