"""Replay the queries of the judgments under two plans, and compare what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kokeshi.errors import InputError, KokeshiError
from kokeshi.index import Index
from kokeshi.plans import SearchRequest, find_plan
from kokeshi.schema import SearchPlan
from kokeshi.schema.plan import MAX_K
from kokeshi_eval.comparison import Comparison, Impact, QueryRow
from kokeshi_eval.judgments import Judgments
from kokeshi_eval.measures import Scores, score
from kokeshi_eval.pseudo import pseudo_grades
from kokeshi_eval.ranker import Ranker, Requests


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
    ranker = Ranker(index)
    size = max(k, impact_k)
    before = build_requests(index, judgments.queries, baseline, size)
    after = build_requests(index, judgments.queries, candidate, size)
    impact = _score_impact(ranker, before, after, impact_k)
    rows = _rows(
        judgments,
        _score_graded(ranker, before, judgments, k),
        _score_graded(ranker, after, judgments, k),
        impact,
    )
    return Comparison(
        _label(baseline),
        _label(candidate),
        k,
        impact_k,
        rows,
        ranker.route(before),
        ranker.route(after),
        judgments.merged,
    )


def build_requests(
    index: Index, queries: list[str], plan: str | SearchPlan, size: int
) -> dict[str, SearchRequest]:
    """Return the search of each query, built once: building one encodes its text."""
    found = find_plan(index.spec, plan)
    return {query: _build_request(index, query, found, size) for query in queries}


def _build_request(index: Index, query: str, plan: SearchPlan, size: int) -> SearchRequest:
    try:
        return index.build_search(query, plan=plan, size=size, fields=())
    except KokeshiError as error:
        raise InputError(f"query '{query}': {error}") from error


def _score_graded(
    ranker: Ranker, requests: Requests, judgments: Judgments, k: int
) -> dict[str, Scores]:
    """Score each query against the judgments."""
    return score(ranker.rank(requests, judgments.grades, k), judgments.grades, k)


def _score_impact(ranker: Ranker, before: Requests, after: Requests, k: int) -> dict[str, Impact]:
    """Score the queries after a change against their ranking before; without hits there is none."""
    old = {query: r.ids for query, r in ranker.rank(before, {}, k).items() if r.ids}
    truth = {query: pseudo_grades(ids, k) for query, ids in old.items()}
    new = ranker.rank({query: after[query] for query in old}, truth, k)
    return {
        query: Impact(
            pseudo_ndcg=scores.ndcg,
            engine_pseudo_ndcg=scores.engine_ndcg,
            kept=scores.judged,
            identical=new[query].ids == old[query],
            agrees=scores.agrees,
            path=scores.path,
        )
        for query, scores in score(new, truth, k).items()
    }


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
