"""One search: a plan and a query to the body of a request, for the engine's dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from kokeshi.engines.base import Capabilities, Dialect
from kokeshi.errors import SpecError
from kokeshi.filters import And, Filter, check_filter, read_filter
from kokeshi.plans import opensearch
from kokeshi.plans.stages import Stages, resolve
from kokeshi.schema import FieldType, IndexSpec, SearchPlan
from kokeshi.schema.plan import MAX_K
from kokeshi.types import Float32, Json

BUILDERS: Final[Mapping[Dialect, Callable[[Stages], Json]]] = {"opensearch": opensearch.build_query}


@dataclass(frozen=True)
class Query:
    """One query. vectors: vector name -> (D,) float32. fields: what to show of a document."""

    text: str | None = None
    vectors: Mapping[str, Float32] = field(default_factory=dict)
    filter: Filter | None = None
    size: int = 10
    offset: int = 0
    fields: tuple[str, ...] | None = ()


def build_search(
    spec: IndexSpec, plan: SearchPlan, query: Query, capabilities: Capabilities
) -> Json:
    """Return the request body. Raises SpecError or FilterError where plan, query and spec do not fit."""
    if query.size < 1 or query.offset < 0 or query.size + query.offset > MAX_K:
        raise SpecError(
            f"size {query.size} with offset {query.offset}: at least 1 hit, and at most {MAX_K} in all"
        )
    filter_ = all_filters(spec, plan.filter, query.filter)
    stages = resolve(spec, plan, query.text, query.vectors, filter_, query.size + query.offset)
    body: Json = {"size": query.size, "_source": _source(spec, query.fields)}
    if query.offset:
        body["from"] = query.offset
    return body | {"query": BUILDERS[capabilities.dialect](stages)}


def _source(spec: IndexSpec, fields: tuple[str, ...] | None) -> Json | list[str] | bool:
    """Vectors are never sent back unasked: they are most of a document's bytes."""
    if fields is None:
        return {"excludes": list(spec.vector_fields())}
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
