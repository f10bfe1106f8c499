"""The engine's ranking evaluation API: pure builders and a parser, and where there is none.

The metric is dcg, normalised: gain 2^grade - 1, discount log2(rank + 1). The engine cuts the ideal
DCG at the number of hits that came back, not at k; `kokeshi_eval.measures` computes both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kokeshi.engines import Engine, calls
from kokeshi.engines.calls import Answer, Call, describe_cause
from kokeshi.errors import EngineError
from kokeshi.types import Json
from kokeshi_eval.batches import send_batches
from kokeshi_eval.ranking import Ranking, check_failures, check_index, quoted, without_paging


def find_rank_eval(index: str) -> Call[bool]:
    """Ask whether the engine has `_rank_eval`, with a body that it must refuse.

    The module refuses it with a typed error; a server without the module says in plain text that no
    handler is found (400), a proxy that there is no such path or method (404, 405), a service that
    it is not offered (410).
    """
    path = calls.rank_eval(index, {}).path
    accept = frozenset({400, 404, 405, 410})
    return Call("find_rank_eval", "POST", path, _is_there, index, {}, accept=accept)


def build_ratings(index: str, grades: Mapping[str, int]) -> list[Json]:
    """Return ratings. index: a concrete index; an alias would silently give every document 0."""
    return [{"_index": index, "_id": doc_id, "rating": grade} for doc_id, grade in grades.items()]


def build_request(query: str, body: Json, ratings: list[Json]) -> Json:
    """Return the request of one query: the body of its search, whose size the metric's k replaces."""
    return {"id": query, "request": without_paging(body), "ratings": ratings}


def build_body(requests: Sequence[Json], k: int) -> Json:
    """Return the body of one call."""
    return {"requests": list(requests), "metric": {"dcg": {"k": k, "normalize": True}}}


def parse_response(response: Json, queries: Sequence[str], index: str) -> dict[str, Ranking]:
    """Return the ranking of every query.

    Raises EngineError where any query failed (the engine's own mean would leave it out), has no
    answer, or was answered by another index than the one that the ratings name.
    """
    failures = response.get("failures", {})
    reasons = {query: describe_cause(failure["error"]) for query, failure in failures.items()}
    check_failures("_rank_eval", reasons, len(queries))
    details = response["details"]
    if missing := [query for query in queries if query not in details]:
        raise EngineError(f"_rank_eval gave no answer for {quoted(missing)}")
    return {query: _parse_ranking(query, details[query], index) for query in queries}


def send_rank_eval(
    engine: Engine,
    index: str,
    concrete: str,
    bodies: Mapping[str, Json],
    grades: Mapping[str, Mapping[str, int]],
    k: int,
) -> dict[str, Ranking]:
    """Evaluate search bodies by query and return their rankings.

    index: what searches name, may be an alias. concrete: the index behind it, which ratings name.
    grades: query -> document -> grade. Raises EngineError where any query fails.
    """
    requests = [
        build_request(query, body, build_ratings(concrete, grades.get(query, {})))
        for query, body in bodies.items()
    ]
    rankings: dict[str, Ranking] = {}

    def send(batch: Sequence[Json]) -> Json:
        return engine.rank_eval(index, build_body(batch, k))

    for batch, response in send_batches("_rank_eval", requests, send):
        rankings |= parse_response(response, [request["id"] for request in batch], concrete)
    return rankings


def _is_there(answer: Answer) -> bool:
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    return answer.status != 410 and isinstance(error, dict)


def _parse_ranking(query: str, detail: Json, index: str) -> Ranking:
    hits = [hit["hit"] for hit in detail["hits"]]
    check_index("_rank_eval", query, hits, index)
    ndcg = float(detail["metric_score"])
    if not math.isfinite(ndcg):
        raise EngineError(f"_rank_eval of '{query}' answered {detail['metric_score']}")
    return Ranking(tuple(hit["_id"] for hit in hits), ndcg)
