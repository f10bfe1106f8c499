"""Rankings by `_rank_eval`, with the engine's own figures: pure builders, a parser, and what sends.

A call takes one metric, so each measure is a call of its own; hits are those of the first. What the
engine's metrics compute, and where that is not the standard measure, is in
`kokeshi_eval.definitions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from kokeshi.engines.causes import describe_cause
from kokeshi.errors import EngineError
from kokeshi.types import Json
from kokeshi_eval.batches import send_batches
from kokeshi_eval.contenders import Contender, Requested, Requests, explain
from kokeshi_eval.ranking import Ranking, check_failures, check_index, quoted, without_paging
from kokeshi_eval.templates import Template, TemplateRequest

RELEVANT: Final = 1
"""The lowest grade that counts as relevant."""

CONCURRENT: Final = 10
"""Searches of one call that run side by side, which is the server's default too; see
docs/rank-eval-benchmark.md."""

METRICS: Final[Mapping[str, Callable[[int, int], Json]]] = {
    "nDCG": lambda k, _: {"dcg": {"k": k, "normalize": True}},
    "P": lambda k, _: {"precision": {"k": k, "relevant_rating_threshold": RELEVANT}},
    "R": lambda k, _: {"recall": {"k": k, "relevant_rating_threshold": RELEVANT}},
    "RR": lambda k, _: {"mean_reciprocal_rank": {"k": k, "relevant_rating_threshold": RELEVANT}},
    "ERR": lambda k, top: {"expected_reciprocal_rank": {"k": k, "maximum_relevance": top}},
}
"""By measure: from k and the highest grade of the scale to what the engine is asked for."""

_TEMPLATE: Final = "template"


def build_ratings(index: str, grades: Mapping[str, int]) -> list[Json]:
    """Return ratings. index: a concrete index; an alias would silently give every document 0."""
    return [{"_index": index, "_id": doc_id, "rating": grade} for doc_id, grade in grades.items()]


def build_request(query: str, requested: Requested, ratings: list[Json]) -> Json:
    """Return the request of one query: the body of its search, whose size the metric's k replaces."""
    if isinstance(requested, TemplateRequest):
        filled = {"template_id": _TEMPLATE, "params": requested.params}
        return {"id": query, **filled, "ratings": ratings}
    (body,) = requested.search.bodies
    return {"id": query, "request": without_paging(body), "ratings": ratings}


def build_body(requests: Sequence[Json], metric: Json, template: Template | None = None) -> Json:
    """Return the body of one call."""
    body: Json = {"requests": list(requests), "metric": metric}
    body["max_concurrent_searches"] = CONCURRENT
    if template:
        body["templates"] = [{"id": _TEMPLATE, "template": {"source": template.source}}]
    return body


def parse_response(
    response: Json, queries: Sequence[str], index: str, name: str, what: str = "_rank_eval"
) -> dict[str, Ranking]:
    """Return the ranking of every query, with the engine's figure of the measure `name`.

    Raises EngineError where any query failed (the engine's own mean would leave it out), has no
    answer, or was answered by another index than the one that the ratings name.
    """
    failures = response.get("failures", {})
    reasons = {query: describe_cause(failure["error"]) for query, failure in failures.items()}
    check_failures(what, reasons, len(queries))
    details = response["details"]
    if missing := [query for query in queries if query not in details]:
        raise EngineError(f"{what} gave no answer for {quoted(missing)}")
    return {query: _parse_ranking(query, details[query], index, name, what) for query in queries}


def send_rank_eval(
    contender: Contender,
    requests: Requests,
    grades: Mapping[str, Mapping[str, int]],
    k: int,
    names: Sequence[str],
    max_grade: int,
) -> dict[str, Ranking]:
    """Evaluate searches by query and return their rankings.

    grades: query -> document -> grade. names: of `METRICS`, at least one. max_grade: of the scale, at
    least 1. Raises EngineError where any query fails.
    """
    what = f"_rank_eval{contender.by_template}"
    index, concrete = contender.index, contender.concrete
    items = [
        build_request(query, requested, build_ratings(concrete, grades.get(query, {})))
        for query, requested in requests.items()
    ]
    metrics = [METRICS[name](k, max_grade) for name in names]

    def send(batch: Sequence[Json]) -> list[Json]:
        bodies = (build_body(batch, metric, contender.template) for metric in metrics)
        return [index.engine.rank_eval(index.spec.index, body) for body in bodies]

    rankings: dict[str, Ranking] = {}
    for batch, responses in send_batches(what, items, send, partial(explain, contender, requests)):
        queries = [item["id"] for item in batch]
        found = [
            parse_response(response, queries, concrete, name, what)
            for name, response in zip(names, responses, strict=True)
        ]
        rankings |= {query: _merge([one[query] for one in found]) for query in queries}
    return rankings


def _parse_ranking(query: str, detail: Json, index: str, name: str, what: str) -> Ranking:
    hits = [hit["hit"] for hit in detail["hits"]]
    check_index(what, query, hits, index)
    value = float(detail["metric_score"])
    if not math.isfinite(value):
        raise EngineError(f"{what} of '{query}' answered {detail['metric_score']}")
    return Ranking(tuple(hit["_id"] for hit in hits), {name: value})


def _merge(found: Sequence[Ranking]) -> Ranking:
    """The hits of the first call, the figures of all."""
    figures = {name: value for one in found for name, value in one.engine.items()}
    return Ranking(found[0].ids, figures)
