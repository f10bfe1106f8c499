"""Rankings by `_msearch`: where a server has no `_rank_eval`, or a plan fuses two searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from kokeshi.engines import Engine
from kokeshi.engines.calls import read_search
from kokeshi.errors import EngineError
from kokeshi.plans import SearchRequest
from kokeshi.results import fuse_ranks, parse_search
from kokeshi.types import Json
from kokeshi_eval.batches import send_batches
from kokeshi_eval.ranking import Ranking, check_failures, check_index, without_paging


def build_searches(request: SearchRequest, k: int) -> list[Json]:
    """Return the bodies that rank one query to depth k: those of its search, asked for ids alone.

    Searches that are fused keep their own depth, the window of `rrf`.
    """
    return [
        without_paging(body) | {"size": body["size"] if request.rrf else k, "_source": False}
        for body in request.bodies
    ]


def parse_ranking(request: SearchRequest, answers: Sequence[Json], k: int) -> Ranking:
    """Return the first k of one query's ranking, fused where its plan says so."""
    results = [parse_search(answer) for answer in answers]
    found = results[0]
    if request.rrf:
        found = fuse_ranks(results, request.rrf, k)
    return Ranking(tuple(found.ids[:k]))


def send_msearch(
    engine: Engine, index: str, concrete: str, requests: Mapping[str, SearchRequest], k: int
) -> dict[str, Ranking]:
    """Send searches by query and return their rankings.

    index: what searches name, may be an alias. concrete: the index behind it. Raises EngineError
    where any query fails, or was answered by another index than `concrete`.
    """
    items = [
        {"id": query, "searches": build_searches(request, k)} for query, request in requests.items()
    ]
    rankings: dict[str, Ranking] = {}

    def send(batch: Sequence[Json]) -> list[Json]:
        return engine.msearch(index, [body for item in batch for body in item["searches"]])

    for batch, answers in send_batches("_msearch", items, send):
        found = _by_query(batch, answers)
        _check(found, index, concrete)
        rankings |= {query: parse_ranking(requests[query], found[query], k) for query in found}
    return rankings


def _by_query(batch: Sequence[Json], answers: Sequence[Json]) -> dict[str, list[Json]]:
    """Return the answers of each query, which are in the order of the searches."""
    asked = sum(len(item["searches"]) for item in batch)
    if len(answers) != asked:
        raise EngineError(f"_msearch gave {len(answers)} answers to {asked} searches")
    rest = iter(answers)
    return {item["id"]: list(islice(rest, len(item["searches"]))) for item in batch}


def _check(found: Mapping[str, Sequence[Json]], index: str, concrete: str) -> None:
    reasons = {query: _reason(index, answers) for query, answers in found.items()}
    failures = {query: reason for query, reason in reasons.items() if reason is not None}
    check_failures("_msearch", failures, len(found))
    for query, answers in found.items():
        for answer in answers:
            check_index("_msearch", query, answer["hits"]["hits"], concrete)


def _reason(index: str, answers: Sequence[Json]) -> str | None:
    """Return why a query failed; None where it did not."""
    try:
        for answer in answers:
            read_search(index, answer)
    except EngineError as error:
        return str(error)
    return None
