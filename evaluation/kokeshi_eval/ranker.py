"""Rankings of many queries by one contender, by the best path that its engine and it allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

from kokeshi.engines.calls import Call
from kokeshi.errors import CapabilityError
from kokeshi_eval.contenders import Contender, PlanRequest, Requests
from kokeshi_eval.model import Route
from kokeshi_eval.msearch import send_msearch
from kokeshi_eval.probes import count_shards, find_rank_eval, find_templates, find_time_limit
from kokeshi_eval.rank_eval import METRICS, send_rank_eval
from kokeshi_eval.ranking import Ranking, check_whole_grades

DEFAULT: Final[tuple[str, ...]] = ("nDCG",)


class Ranker:
    """Ranks by `_rank_eval`, which also gives the engine's own figures, or else by `_msearch`."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender

    @property
    def concrete(self) -> str:
        """The index that answers; an alias of several raises CapabilityError."""
        return self.contender.concrete

    def route(self, requests: Requests) -> Route:
        """Return the path that `rank` takes, and why it is not `_rank_eval`.

        Raises CapabilityError for a template where the engine cannot fill one.
        """
        self._check_templates()
        if any(isinstance(one, PlanRequest) and one.search.rrf for one in requests.values()):
            return Route(path="_msearch", why="rrf fuses two searches in the client")
        if not self._has_rank_eval:
            return Route(path="_msearch", why=f"{self._capabilities} has no _rank_eval")
        return Route(path="_rank_eval")

    def rank(
        self,
        requests: Requests,
        grades: Mapping[str, Mapping[str, int]],
        k: int,
        metrics: Sequence[str] = DEFAULT,
        *,
        max_grade: int | None = None,
    ) -> dict[str, Ranking]:
        """Return the first k hits of each query, with the engine's figures by `_rank_eval`.

        grades: query -> document -> grade, what those figures are computed from. metrics: measures; the
        engine is asked for those of `METRICS`, each in calls of its own. max_grade: the highest of the
        scale, for ERR; the highest of the grades if None. Raises EngineError where any query fails,
        InputError for a grade that the engine would change.
        """
        check_whole_grades(grades)
        if self.route(requests).path == "_msearch":
            return send_msearch(self.contender, requests, k)
        names = [name for name in metrics if name in METRICS] or DEFAULT
        top = highest_grade(grades) if max_grade is None else max(max_grade, 1)
        found = send_rank_eval(self.contender, requests, grades, k, names, top)
        if self._can_hide_failures:
            send_msearch(self.contender, requests, k)
        return found

    @property
    def _capabilities(self) -> str:
        return str(self.contender.index.engine.capabilities)

    def _ask(self, call: Call[bool]) -> bool:
        return self.contender.index.engine.perform(call)

    def _check_templates(self) -> None:
        template = self.contender.template
        if template and not self._has_templates:
            raise CapabilityError(
                f"template '{template.name}': {self._capabilities} fills no mustache templates; write "
                "the search as a plan, or take a server with the module lang-mustache"
            )

    @cached_property
    def _has_templates(self) -> bool:
        return self._ask(find_templates(self.contender.index.spec.index))

    @cached_property
    def _has_rank_eval(self) -> bool:
        return self._ask(find_rank_eval(self.contender.index.spec.index))

    @cached_property
    def _can_hide_failures(self) -> bool:
        """Whether `_rank_eval` might take what only a part of the index answered for all of it.

        It lists a search that failed as a whole, but neither one that a time limit cut short nor one
        for which one of several shards failed. `_msearch` shows both, so the same searches are sent by it
        too where either can be: a template may set a limit of its own.
        """
        if self.contender.template or self._ask(find_time_limit()):
            return True
        engine, name = self.contender.index.engine, self.contender.index.spec.index
        return engine.perform(count_shards(name)) > 1


def highest_grade(grades: Mapping[str, Mapping[str, int]]) -> int:
    """Return the highest grade, at least 1: the `maximum_relevance` of the engine's ERR."""
    return max((grade for row in grades.values() for grade in row.values()), default=1) or 1
