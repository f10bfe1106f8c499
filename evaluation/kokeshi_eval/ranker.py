"""Rankings of many queries on one index, by the best path that its engine and their plan allow."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from kokeshi.index import Index
from kokeshi.plans import SearchRequest
from kokeshi_eval.msearch import send_msearch
from kokeshi_eval.rank_eval import find_rank_eval, send_rank_eval
from kokeshi_eval.ranking import Ranking, Route

Requests = Mapping[str, SearchRequest]
"""query -> its search, all of one plan."""


class Ranker:
    """Ranks by `_rank_eval`, which also gives the engine's own nDCG, or else by `_msearch`.

    Raises CapabilityError where the index is an alias of several.
    """

    def __init__(self, index: Index) -> None:
        self._engine = index.engine
        self._index = index.spec.index
        self._concrete = index.concrete_name()

    def route(self, requests: Requests) -> Route:
        """Return the path that `rank` takes, and why it is not `_rank_eval`."""
        if any(request.rrf for request in requests.values()):
            return Route("_msearch", "rrf fuses two searches in the client")
        if not self._has_rank_eval:
            return Route("_msearch", f"{self._engine.capabilities} has no _rank_eval")
        return Route("_rank_eval")

    def rank(
        self, requests: Requests, grades: Mapping[str, Mapping[str, int]], k: int
    ) -> dict[str, Ranking]:
        """Return the first k hits of each query.

        grades: query -> document -> grade, what the engine's nDCG is computed from. Raises
        EngineError where any query fails.
        """
        if self.route(requests).path == "_msearch":
            return send_msearch(self._engine, self._index, self._concrete, requests, k)
        bodies = {query: request.bodies[0] for query, request in requests.items()}
        return send_rank_eval(self._engine, self._index, self._concrete, bodies, grades, k)

    @cached_property
    def _has_rank_eval(self) -> bool:
        return self._engine.perform(find_rank_eval(self._index))
