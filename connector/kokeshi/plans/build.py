"""One search: a plan and a query to the requests that are sent, for the engine's dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from kokeshi.engines.base import Capabilities, Dialect
from kokeshi.errors import SpecError
from kokeshi.filters import And, Filter, check_filter, read_filter
from kokeshi.plans import elasticsearch, memory, opensearch
from kokeshi.plans.adapt import adapt
from kokeshi.plans.known import Known
from kokeshi.plans.stages import Stages, resolve
from kokeshi.schema import FieldType, IndexSpec, Rrf, SearchPlan
from kokeshi.schema.plan import MAX_K
from kokeshi.types import Float32, Json

if TYPE_CHECKING:
    from kokeshi.codes.codebook import Codebook

BUILDERS: Final[Mapping[Dialect, Callable[[Stages], Json]]] = {
    "opensearch": opensearch.build_query,
    "elasticsearch": elasticsearch.build_query,
    "memory": memory.build_query,
}


@dataclass(frozen=True)
class Query:
    """One query. vectors: vector name -> (D,) float32. fields: what to show of a document.

    codebooks: vector name -> the codebook of its codes, where the plan looks at them.
    """

    text: str | None = None
    vectors: Mapping[str, Float32] = field(default_factory=dict)
    filter: Filter | None = None
    size: int = 10
    offset: int = 0
    fields: tuple[str, ...] | None = ()
    codebooks: Mapping[str, Codebook] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchRequest:
    """What one search sends.

    bodies: one, or two whose hits `rrf` fuses. notes: what was chosen, and why.
    """

    bodies: tuple[Json, ...]
    notes: tuple[str, ...]
    rrf: Rrf | None = None


def build_search(
    spec: IndexSpec,
    plan: SearchPlan,
    query: Query,
    capabilities: Capabilities,
    known: Known | None = None,
) -> SearchRequest:
    """Return the request. known: of the index and the filter; None takes what is safe without.

    Raises SpecError or FilterError where plan, query and spec do not fit.
    """
    if query.size < 1 or query.offset < 0 or query.size + query.offset > MAX_K:
        raise SpecError(
            f"size {query.size} with offset {query.offset}: at least 1 hit, and at most {MAX_K} in all"
        )
    if plan.rrf is None:
        body, notes = _build_body(spec, plan, query, capabilities, known)
        return SearchRequest((body,), notes)
    # never more for a deeper page, or the ranks, and so the order, would change from page to page
    ranked = replace(query, size=plan.rrf.window, offset=0)
    words, vectors = (_build_body(spec, half, ranked, capabilities, known) for half in _split(plan))
    fused = f"two searches in one request, their first {plan.rrf.window} hits fused in the client by rank"
    notes = (*words[1], *vectors[1], fused)
    return SearchRequest((words[0], vectors[0]), notes, plan.rrf)


def _split(plan: SearchPlan) -> tuple[SearchPlan, SearchPlan]:
    """Return the two rankings that reciprocal rank fusion combines."""
    vectors = {"shortlist": plan.shortlist, "rescore": plan.rescore, "filter": plan.filter}
    return SearchPlan(match=plan.match, filter=plan.filter), SearchPlan(**vectors)


def _build_body(
    spec: IndexSpec,
    plan: SearchPlan,
    query: Query,
    capabilities: Capabilities,
    known: Known | None,
) -> tuple[Json, tuple[str, ...]]:
    filter_ = all_filters(spec, plan.filter, query.filter)
    hits = query.size + query.offset
    boost = 1 / capabilities.bm25_scale(spec.bm25_k1)
    stages = resolve(spec, plan, query.text, query.vectors, filter_, hits, boost, query.codebooks)
    stages, notes = adapt(stages, plan, known)
    body: Json = {"size": query.size, "_source": _source(spec, query.fields)}
    if query.offset:
        body["from"] = query.offset
    return body | BUILDERS[capabilities.dialect](stages), notes


def build_count(filter_: Filter | None, dialect: Dialect) -> Json:
    """Return the body of a search that only counts, for one request together with others."""
    return {"size": 0, "track_total_hits": True, "query": build_filter(filter_, dialect)}


def build_filter(filter_: Filter | None, dialect: Dialect) -> Json:
    """Return the query of all documents that pass a filter."""
    query: Json = BUILDERS[dialect](Stages(filter=filter_))["query"]
    return query


def _source(spec: IndexSpec, fields: tuple[str, ...] | None) -> Json | list[str] | bool:
    """Vectors and codes are never sent back unasked: they are most of a document's bytes."""
    if fields is None:
        return {"excludes": [*spec.vector_fields(), *spec.code_fields()]}
    return list(fields) or False


def filter_types(spec: IndexSpec) -> dict[str, FieldType]:
    """Return the fields that a filter may name."""
    return {spec.id: "keyword", **spec.metadata}


def all_filters(spec: IndexSpec, *filters: Filter | str | None) -> Filter | None:
    """Return the checked conjunction of filters, each an expression or its text; None without any."""
    types = filter_types(spec)
    checked = [
        read_filter(f, types) if isinstance(f, str) else check_filter(f, types)
        for f in filters
        if f is not None
    ]
    if len(checked) > 1:
        return And(tuple(checked))
    return checked[0] if checked else None
