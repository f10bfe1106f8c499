"""How long searches take: one at a time, the contenders taking turns, by the client's clock."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kokeshi.engines import calls
from kokeshi.engines.calls import read_search
from kokeshi.results import fuse_ranks, parse_search
from kokeshi_eval.contenders import Contender, Requested, Requests
from kokeshi_eval.model import Latency
from kokeshi_eval.templates import TemplateRequest

LIMIT: Final = 100
"""Queries that are timed unless another number is given."""

WARM: Final = 5
"""Queries that are sent before, and not timed."""


@dataclass(frozen=True)
class Timed:
    """A contender, and what it sends."""

    contender: Contender
    requests: Requests


def measure_latency(contended: Sequence[Timed], limit: int = LIMIT) -> dict[str, Latency]:
    """Return label -> latency of the same queries, at most `limit`, evenly spread over all.

    The time is from sending a search to its parsed hits; encoding its text is no part of it. Raises
    EngineError where a search fails.
    """
    queries = spread_queries(list(contended[0].requests), limit) if contended else []
    for query in queries[:WARM]:
        for one in contended:
            _time(one.contender, one.requests[query])
    taken: dict[str, list[float]] = {one.contender.label: [] for one in contended}
    for one, query in take_turns(contended, queries):
        taken[one.contender.label].append(_time(one.contender, one.requests[query]))
    return {label: _summarise(times) for label, times in taken.items() if times}


def spread_queries(queries: Sequence[str], limit: int) -> list[str]:
    """Return at most `limit` of the queries, in order, as far apart as they can be."""
    step = max(len(queries) / limit, 1)
    return [queries[int(number * step)] for number in range(min(limit, len(queries)))]


def take_turns(contended: Sequence[Timed], queries: Sequence[str]) -> Iterator[tuple[Timed, str]]:
    """Yield every contender for each query, another one first each time: who comes later finds caches."""
    for number, query in enumerate(queries):
        first = number % len(contended)
        for one in (*contended[first:], *contended[:first]):
            yield one, query


def _time(contender: Contender, requested: Requested) -> float:
    """Return the milliseconds of one search."""
    started = time.perf_counter()
    _search(contender, requested)
    return (time.perf_counter() - started) * 1000


def _search(contender: Contender, requested: Requested) -> None:
    engine, name = contender.index.engine, contender.index.spec.index
    if isinstance(requested, TemplateRequest):
        (body,) = requested.shown
        parse_search(engine.perform(calls.search_template(name, body)))
        return
    request = requested.search
    if request.rrf is None:
        parse_search(engine.search(name, request.bodies[0]))
        return
    answers = [read_search(name, one) for one in engine.msearch(name, request.bodies)]
    fuse_ranks([parse_search(one) for one in answers], request.rrf, request.rrf.window)


def _summarise(times: Sequence[float]) -> Latency:
    p50, p95 = np.percentile(times, (50, 95))
    return Latency(queries=len(times), p50=float(p50), p95=float(p95))
