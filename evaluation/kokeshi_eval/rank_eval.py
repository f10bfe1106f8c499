"""The engine's ranking evaluation API: pure builders and a parser, one place that sends.

The metric is dcg, normalised: gain 2^grade - 1, discount log2(rank + 1). The engine cuts the ideal
DCG at the number of hits that came back, not at k; `kokeshi_eval.measures` computes both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from kokeshi.engines import Engine
from kokeshi.engines.base import describe_cause
from kokeshi.errors import CapabilityError, EngineError
from kokeshi.types import Json

MAX_REQUESTS = 100
"""Queries in one call: they run under one timeout, and more in one call is hardly faster."""

MAX_BYTES = 8_000_000
"""Bytes of one call: engines refuse a body above 100 MB, proxies often one above 10 MB."""

_NOT_SERVED = ("size", "from", "_source")
"""Keys that say which part of the ranking is shown: `size` is overwritten by the metric's k."""

_SHOWN_FAILURES = 5


@dataclass(frozen=True)
class Ranking:
    """What `_rank_eval` answered for one query. ids: the hits, best first. ndcg: the engine's."""

    ids: tuple[str, ...]
    ndcg: float


def build_ratings(index: str, grades: Mapping[str, int]) -> list[Json]:
    """Return ratings. index: a concrete index; an alias would silently give every document 0."""
    return [{"_index": index, "_id": doc_id, "rating": grade} for doc_id, grade in grades.items()]


def build_request(query: str, body: Json, ratings: list[Json]) -> Json:
    """Return the request of one query: the body of its search without the keys of paging."""
    kept = {key: value for key, value in body.items() if key not in _NOT_SERVED}
    return {"id": query, "request": kept, "ratings": ratings}


def build_body(requests: Sequence[Json], k: int) -> Json:
    """Return the body of one call."""
    return {"requests": list(requests), "metric": {"dcg": {"k": k, "normalize": True}}}


def build_batches(
    requests: Sequence[Json], *, max_requests: int = MAX_REQUESTS, max_bytes: int = MAX_BYTES
) -> Iterator[list[Json]]:
    """Yield the requests in order, in batches within both bounds; a larger request goes alone."""
    batch: list[Json] = []
    filled = 0
    for request in requests:
        length = len(orjson.dumps(request)) + 1
        if batch and (len(batch) == max_requests or filled + length > max_bytes):
            yield batch
            batch, filled = [], 0
        batch.append(request)
        filled += length
    if batch:
        yield batch


def parse_response(response: Json, queries: Sequence[str], index: str) -> dict[str, Ranking]:
    """Return the ranking of every query.

    Raises EngineError where any query failed (the engine's own mean would leave it out), has no
    answer, or was answered by another index than the one that the ratings name.
    """
    if failures := response.get("failures"):
        raise EngineError(_failures_message(failures, len(queries)))
    details = response["details"]
    if missing := [query for query in queries if query not in details]:
        raise EngineError(f"_rank_eval gave no answer for {_quoted(missing)}")
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
    if not engine.capabilities.rank_eval:
        raise CapabilityError(
            f"{engine.capabilities} has no _rank_eval: install the module rank-eval, or evaluate on "
            "the embedded engine (kokeshi engine start)"
        )
    requests = [
        build_request(query, body, build_ratings(concrete, grades.get(query, {})))
        for query, body in bodies.items()
    ]
    rankings: dict[str, Ranking] = {}
    for batch in build_batches(requests):
        response = _send(engine, index, batch, k)
        rankings |= parse_response(response, [request["id"] for request in batch], concrete)
    return rankings


def _send(engine: Engine, index: str, batch: Sequence[Json], k: int) -> Json:
    """Send one batch; one query that cannot be parsed fails all of it, so find which and name it."""
    try:
        return engine.rank_eval(index, build_body(batch, k))
    except EngineError as error:
        if error.status != 400:
            raise
        if len(batch) == 1:
            raise EngineError(
                f"_rank_eval refused query '{batch[0]['id']}': {error}", status=400
            ) from None
        for request in batch:
            _send(engine, index, [request], k)
        raise  # each was accepted alone: the batch as a whole is what the engine refused


def _parse_ranking(query: str, detail: Json, index: str) -> Ranking:
    hits = [hit["hit"] for hit in detail["hits"]]
    if strangers := {hit["_index"] for hit in hits} - {index}:
        raise EngineError(
            f"_rank_eval of '{query}' was answered by {_quoted(sorted(strangers))}, not '{index}': "
            "the alias moved; run it again"
        )
    ndcg = float(detail["metric_score"])
    if not math.isfinite(ndcg):
        raise EngineError(f"_rank_eval of '{query}' answered {detail['metric_score']}")
    return Ranking(tuple(hit["_id"] for hit in hits), ndcg)


def _failures_message(failures: Mapping[str, Json], asked: int) -> str:
    shown = list(failures.items())[:_SHOWN_FAILURES]
    reasons = "; ".join(
        f"'{query}': {describe_cause(failure['error'])}" for query, failure in shown
    )
    more = f"; and {len(failures) - len(shown)} more" if len(failures) > len(shown) else ""
    return f"_rank_eval failed for {len(failures)} of {asked} queries, so no mean holds: {reasons}{more}"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:_SHOWN_FAILURES])
