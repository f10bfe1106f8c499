"""What each contender returns for every query: its hits to one depth, and the engine's own figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kokeshi_eval.contenders import Contender, Requests, build_requests
from kokeshi_eval.latency import Timed
from kokeshi_eval.model import Options, Route
from kokeshi_eval.pseudo import pseudo_grades
from kokeshi_eval.queries import EvalQuery
from kokeshi_eval.ranker import Ranker

Grades = Mapping[str, Mapping[str, int]]
"""query -> document -> grade."""


@dataclass(frozen=True)
class Answers:
    """One contender's. ids: query -> what a search for k hits serves, then what else one for more does.

    deep: query -> what a search for impact_k hits serves. These are two searches, as a plan may look
    at more candidates for more hits. requests: those for k hits. engine: query -> measure -> the
    engine's figure at k. pseudo: query -> the engine's nDCG of `deep` with the baseline's as the truth,
    0 without any. Both are empty where hits came by `_msearch`.
    """

    contender: Contender
    concrete: str
    requests: Requests
    route: Route
    ids: Mapping[str, tuple[str, ...]]
    deep: Mapping[str, tuple[str, ...]]
    engine: Mapping[str, Mapping[str, float]]
    pseudo: Mapping[str, float]

    @property
    def timed(self) -> Timed:
        """What latency is measured of."""
        return Timed(self.contender, self.requests)


def collect(
    contender: Contender,
    queries: Sequence[EvalQuery],
    grades: Grades,
    options: Options,
    max_grade: int,
    baseline: Answers | None = None,
) -> Answers:
    """Rank every query. baseline: its answers, whose top is the truth of the engine's impact.

    max_grade: the highest of the scale. Raises EngineError where any query fails, SpecError or
    InputError where plan and query do not fit.
    """
    contender.index.check_vectors()
    ranker = Ranker(contender)
    requests = build_requests(contender, queries, options.k)
    top = ranker.rank(requests, grades, options.k, options.engine_measures, max_grade=max_grade)
    truth = pseudo_truth(baseline.deep, options.impact_k) if baseline else {}
    same = options.impact_k == options.k
    wider = requests if same else build_requests(contender, queries, options.impact_k)
    deep = ranker.rank(wider, truth, options.impact_k)
    route = ranker.route(requests)
    return Answers(
        contender,
        ranker.concrete,
        requests,
        route,
        {query: _join(found.ids, deep[query].ids, options.k) for query, found in top.items()},
        {query: found.ids for query, found in deep.items()},
        {query: found.engine for query, found in top.items()},
        {query: found.engine["nDCG"] for query, found in deep.items()}
        if baseline and route.path == "_rank_eval"
        else {},
    )


def pseudo_truth(ids: Mapping[str, Sequence[str]], k: int) -> dict[str, dict[str, int]]:
    """Return the baseline's own top as grades, of the queries for which it returns anything."""
    return {query: pseudo_grades(found, k) for query, found in ids.items() if found}


def _join(served: tuple[str, ...], deeper: tuple[str, ...], k: int) -> tuple[str, ...]:
    """What is served for k hits stays as it is: fewer than k are all that there are."""
    rest = deeper if len(served) >= k else ()
    return (*served, *(id_ for id_ in rest if id_ not in served))
