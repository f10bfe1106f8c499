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
    """One contender's. ids: query -> hits, best first, to k or impact_k, whichever is more.

    engine: query -> measure -> the engine's figure at k. pseudo: query -> the engine's nDCG@impact_k
    with the baseline's top as the truth, 0 without any. Both are empty where hits came by `_msearch`.
    """

    contender: Contender
    concrete: str
    requests: Requests
    route: Route
    ids: Mapping[str, tuple[str, ...]]
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

    max_grade: the highest of the scale.

    Raises EngineError where any query fails, SpecError or InputError where plan and query do not fit.
    """
    contender.index.check_vectors()
    depth = max(options.k, options.impact_k)
    requests = build_requests(contender, queries, depth)
    ranker = Ranker(contender)
    route = ranker.route(requests)
    if route.path == "_msearch":
        ids = {query: found.ids for query, found in ranker.rank(requests, {}, depth).items()}
        return Answers(contender, ranker.concrete, requests, route, ids, {}, {})
    graded = ranker.rank(requests, grades, options.k, options.engine_measures, max_grade=max_grade)
    truth = pseudo_truth(baseline.ids, options.impact_k) if baseline else {}
    deep = ranker.rank(requests, truth, options.impact_k)
    return Answers(
        contender,
        ranker.concrete,
        requests,
        route,
        {query: _join(found.ids, deep[query].ids) for query, found in graded.items()},
        {query: found.engine for query, found in graded.items()},
        {query: found.engine["nDCG"] for query, found in deep.items()} if baseline else {},
    )


def pseudo_truth(ids: Mapping[str, Sequence[str]], k: int) -> dict[str, dict[str, int]]:
    """Return the baseline's own top as grades, of the queries for which it returns anything."""
    return {query: pseudo_grades(found, k) for query, found in ids.items() if found}


def _join(first: tuple[str, ...], deeper: tuple[str, ...]) -> tuple[str, ...]:
    """The hits that the engine's figures are of come first, whatever a second search returns."""
    return (*first, *(id_ for id_ in deeper if id_ not in first)) if first else deeper
