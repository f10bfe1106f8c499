"""What is compared: a plan or a template on an index, and the requests that it sends for queries."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from kokeshi.engines import calls
from kokeshi.errors import EngineError, InputError, KokeshiError
from kokeshi.index import Index
from kokeshi.plans import SearchRequest, find_plan
from kokeshi.schema import SearchPlan
from kokeshi.types import Json
from kokeshi_eval.queries import EvalQuery
from kokeshi_eval.templates import SUFFIX, Template, TemplateRequest, build_params, load_template

_CONTENDER: Final = re.compile(r"(?:(?P<label>[^=/\\@]+)=)?(?P<plan>[^@]*[^@=])(?:@(?P<spec>.+))?")


@dataclass(frozen=True)
class PlanRequest:
    """One query by a plan: the very search that is served."""

    search: SearchRequest

    @property
    def shown(self) -> list[Json]:
        """The bodies: one, or two that are fused."""
        return list(self.search.bodies)


Requested = PlanRequest | TemplateRequest
"""What one query sends."""

Requests = Mapping[str, Requested]
"""query -> what it sends, all of one contender."""


@dataclass(frozen=True)
class Contender:
    """A plan, or a template in its place, on an index.

    label: what results call it. plan: a name, a YAML file or a plan; None takes the default.
    """

    label: str
    index: Index
    plan: SearchPlan | str | None = None
    template: Template | None = None

    @property
    def description(self) -> str:
        """What it is, for people: the name of a plan, a file or a template, or the plan as JSON."""
        if self.template:
            return self.template.name
        if isinstance(self.plan, SearchPlan):
            return self.plan.model_dump_json(exclude_none=True, exclude_defaults=True)
        return self.plan or "default"

    @property
    def by_template(self) -> str:
        """What messages add to the name of an API."""
        return f" with the template '{self.template.name}'" if self.template else ""

    @cached_property
    def concrete(self) -> str:
        """The index itself where the spec names an alias; an alias of several raises CapabilityError."""
        return self.index.concrete_name()


def parse_contender(text: str, open_index: Callable[[str | None], Index]) -> Contender:
    """Return the contender of `[LABEL=]PLAN[@SPEC]`.

    PLAN: a name, a YAML file, or a template, a file that ends in `.mustache`. SPEC: the file of another
    index. open_index: opens that of a spec file, or for None that of the run. Raises InputError or
    SpecError where any of them cannot be read or found.
    """
    found = _CONTENDER.fullmatch(text.strip())
    if found is None:
        raise InputError(f"contender '{text}': expected [LABEL=]PLAN[@SPEC], as in new=hybrid")
    label, plan, spec = (one.strip() if one else one for one in found.groups())
    template = load_template(plan) if Path(plan).suffix == SUFFIX else None
    index = open_index(spec)
    if template is None:
        find_plan(index.spec, plan)
    return Contender(label or _label(plan, spec), index, None if template else plan, template)


def build_requests(
    contender: Contender, queries: Sequence[EvalQuery], size: int
) -> dict[str, Requested]:
    """Return what each query sends for `size` hits, by its id; a plan's text is encoded here, once.

    Raises InputError, naming the query, where it does not fit the plan, the template or the spec.
    """
    index = contender.index
    if contender.template:
        template, dialect = contender.template, index.engine.capabilities.dialect
        return {
            query.id: TemplateRequest(template, build_params(index.spec, query, size, dialect))
            for query in queries
        }
    plan = find_plan(index.spec, contender.plan)
    return {query.id: _build_search(index, query, plan, size) for query in queries}


def explain(contender: Contender, requests: Requests, query: str) -> str | None:
    """Return why the engine refuses the template for a query; None where it does not, or for a plan.

    Of a template that becomes no JSON, `_rank_eval` and `_msearch` only say that nothing is left to send.
    """
    requested = requests[query]
    if isinstance(requested, PlanRequest):
        return None
    (body,) = requested.shown
    try:
        contender.index.engine.perform(calls.search_template(contender.index.spec.index, body))
    except EngineError as error:
        return str(error)
    return None


def _build_search(index: Index, query: EvalQuery, plan: SearchPlan, size: int) -> PlanRequest:
    try:
        return PlanRequest(
            index.build_search(query.text, plan=plan, filter=query.filter, size=size, fields=())
        )
    except KokeshiError as error:
        raise InputError(f"query '{query.id}': {error}") from error


def _label(plan: str, spec: str | None) -> str:
    name = Path(plan).stem if Path(plan).suffix else plan
    return f"{name}@{Path(spec).stem}" if spec else name
