"""Rankings by `_msearch`: where there is no `_rank_eval`, or a plan fuses two searches.

It shows what `_rank_eval` does not: a search that a time limit cut short, and one for which only some
of several shards answered. Either is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice

from kokeshi.engines import calls
from kokeshi.engines.calls import Call, read_search
from kokeshi.errors import EngineError
from kokeshi.results import fuse_ranks, parse_search
from kokeshi.types import Json
from kokeshi_eval.batches import send_batches
from kokeshi_eval.contenders import Contender, Requested, Requests, explain
from kokeshi_eval.ranking import Ranking, check_failures, check_index, without_paging
from kokeshi_eval.templates import TemplateRequest


def build_searches(requested: Requested, k: int) -> list[Json]:
    """Return what ranks one query to depth k: the bodies of its search, asked for ids alone.

    Searches that are fused keep their own depth, the window of `rrf`.
    """
    if isinstance(requested, TemplateRequest):
        return [requested.sized(k)]
    request = requested.search
    return [
        without_paging(body) | {"size": body["size"] if request.rrf else k, "_source": False}
        for body in request.bodies
    ]


def parse_ranking(requested: Requested, answers: Sequence[Json], k: int) -> Ranking:
    """Return the first k of one query's ranking, fused where its plan says so."""
    if isinstance(requested, TemplateRequest) or requested.search.rrf is None:
        ids = [hit["_id"] for hit in _hits(answers[0])]
    else:
        ids = fuse_ranks([parse_search(one) for one in answers], requested.search.rrf, k).ids
    return Ranking(tuple(ids[:k]))


def send_msearch(contender: Contender, requests: Requests, k: int) -> dict[str, Ranking]:
    """Send searches by query and return their rankings.

    Raises EngineError where any query fails, or was answered by another index than the contender's.
    """
    what = f"_msearch{contender.by_template}"
    index = contender.index
    items = [
        {"id": query, "searches": build_searches(requested, k)}
        for query, requested in requests.items()
    ]
    call = _call_of(contender)

    def send(batch: Sequence[Json]) -> list[Json]:
        searches = [one for item in batch for one in item["searches"]]
        return index.engine.perform(call(index.spec.index, searches))

    rankings: dict[str, Ranking] = {}
    for batch, answers in send_batches(what, items, send, partial(explain, contender, requests)):
        found = _by_query(what, batch, answers)
        _check(what, found, index.spec.index, contender.concrete)
        rankings |= {query: parse_ranking(requests[query], found[query], k) for query in found}
    return rankings


def _call_of(contender: Contender) -> Callable[[str, Sequence[Json]], Call[list[Json]]]:
    return calls.msearch_template if contender.template else calls.msearch


def _by_query(what: str, batch: Sequence[Json], answers: Sequence[Json]) -> dict[str, list[Json]]:
    """Return the answers of each query, which are in the order of the searches."""
    asked = sum(len(item["searches"]) for item in batch)
    if len(answers) != asked:
        raise EngineError(f"{what} gave {len(answers)} answers to {asked} searches")
    rest = iter(answers)
    return {item["id"]: list(islice(rest, len(item["searches"]))) for item in batch}


def _check(what: str, found: Mapping[str, Sequence[Json]], index: str, concrete: str) -> None:
    reasons = {query: _reason(index, answers) for query, answers in found.items()}
    failures = {query: reason for query, reason in reasons.items() if reason is not None}
    check_failures(what, failures, len(found))
    for query, answers in found.items():
        for answer in answers:
            check_index(what, query, _hits(answer), concrete)


def _hits(answer: Json) -> list[Json]:
    """Return the hits; without any, an answer whose documents were left out lacks the key."""
    hits: list[Json] = answer["hits"].get("hits", [])
    return hits


def _reason(index: str, answers: Sequence[Json]) -> str | None:
    """Return why a query failed; None where it did not."""
    try:
        for answer in answers:
            read_search(index, answer)
    except EngineError as error:
        return str(error)
    return None
