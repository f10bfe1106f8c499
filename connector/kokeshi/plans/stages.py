"""A plan made definite for one spec and one query: field names, vectors, dimensions, k."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from kokeshi.codes import prefix
from kokeshi.errors import SpecError
from kokeshi.filters import Filter
from kokeshi.plans.coded import (
    CellStage,
    Coded,
    CodeStage,
    cell_stage,
    code_stage,
    coded_query,
)
from kokeshi.schema import Fuse, IndexSpec, Match, Rescore, SearchPlan, Shortlist, VectorSpec
from kokeshi.types import Float32

if TYPE_CHECKING:
    from kokeshi.codes.codebook import Codebook


@dataclass(frozen=True)
class VectorStage:
    """A comparison of the query's vector with one field. name: in the spec; vector: (dims,) float32.

    flat: without a graph, so that a search for the nearest is exact. k: of each shard. candidates: how
    many a graph search keeps while it walks.
    """

    name: str
    field: str
    vector: Float32
    space: str
    flat: bool = False
    k: int = 0
    candidates: int = 0


@dataclass(frozen=True)
class Stages:
    """Everything that a dialect needs to write the query. fields: BM25 fields with their boosts.

    exact: all that the filter leaves is compared exactly, in place of a shortlist or of codes.
    boost: of all words, which brings the BM25 of an engine to that of Lucene.
    """

    text: str | None = None
    fields: tuple[str, ...] = ()
    match: Match | None = None
    shortlist: VectorStage | None = None
    cells: CellStage | None = None
    scan: CodeStage | None = None
    rescore: VectorStage | None = None
    fuse: Fuse | None = None
    filter: Filter | None = None
    exact: bool = False
    boost: float = 1.0

    @property
    def coded(self) -> Coded | None:
        """The codes that are looked at, if any."""
        return self.scan or self.cells


def resolve(
    spec: IndexSpec,
    plan: SearchPlan,
    text: str | None,
    vectors: Mapping[str, Float32],
    filter_: Filter | None,
    hits: int,
    boost: float = 1.0,
    codebooks: Mapping[str, Codebook] = MappingProxyType({}),
) -> Stages:
    """Return the stages of one query; k grows to the number of hits asked for. boost: of all words.

    codebooks: of the vectors whose codes the plan looks at. Raises SpecError where the plan names a
    field, vector, dimension or codes that the spec does not have, or the query lacks the text or
    vector that the plan needs.
    """
    if plan.match and not text:
        raise SpecError("this plan matches words: give the query a text")
    shortlist, rescore = plan.shortlist, plan.rescore
    cells, scan = _code_stages(spec, plan, vectors, codebooks, hits)
    return Stages(
        text=text,
        fields=_match_fields(spec, plan.match) if plan.match else (),
        match=plan.match,
        shortlist=_shortlist_stage(spec, vectors, shortlist, hits) if shortlist else None,
        cells=cells,
        scan=scan,
        rescore=_rescore_stage(spec, vectors, rescore, hits) if rescore else None,
        fuse=plan.fuse,
        filter=filter_,
        boost=boost,
    )


def find_vector(spec: IndexSpec, name: str | None) -> tuple[str, VectorSpec]:
    """Return a vector of the spec by name; None takes the first."""
    if not spec.vectors:
        raise SpecError("this plan compares vectors, but the spec has none")
    name = name or next(iter(spec.vectors))
    if name not in spec.vectors:
        raise SpecError(
            f"unknown vector '{name}' in the plan; the spec has {', '.join(spec.vectors)}"
        )
    return name, spec.vectors[name]


def vector_names(spec: IndexSpec, plan: SearchPlan) -> list[str]:
    """Return the vectors of the spec that the plan compares."""
    stages = (plan.shortlist, plan.cells, plan.scan, plan.rescore)
    return list(dict.fromkeys(find_vector(spec, stage.vector)[0] for stage in stages if stage))


def coded_names(spec: IndexSpec, plan: SearchPlan) -> list[str]:
    """Return the vectors of the spec whose codes the plan looks at."""
    stage = plan.scan or plan.cells
    return [find_vector(spec, stage.vector)[0]] if stage else []


def _code_stages(
    spec: IndexSpec,
    plan: SearchPlan,
    vectors: Mapping[str, Float32],
    codebooks: Mapping[str, Codebook],
    hits: int,
) -> tuple[CellStage | None, CodeStage | None]:
    for name in coded_names(spec, plan):
        vector = spec.vectors[name]
        query = coded_query(name, vector, vectors.get(name), codebooks)
        return (
            cell_stage(plan.cells, name, vector, query) if plan.cells else None,
            code_stage(plan.scan, name, query, hits) if plan.scan else None,
        )
    return None, None


def _shortlist_stage(
    spec: IndexSpec, vectors: Mapping[str, Float32], shortlist: Shortlist, hits: int
) -> VectorStage:
    stage = _vector_stage(spec, vectors, shortlist)
    return replace(stage, k=max(shortlist.k, hits), candidates=shortlist.candidates or 0)


def _rescore_stage(
    spec: IndexSpec, vectors: Mapping[str, Float32], rescore: Rescore, hits: int
) -> VectorStage:
    return replace(_vector_stage(spec, vectors, rescore), k=hits, candidates=hits)


def _vector_stage(
    spec: IndexSpec, vectors: Mapping[str, Float32], stage: Shortlist | Rescore
) -> VectorStage:
    name, vector = find_vector(spec, stage.vector)
    if name not in vectors:
        raise SpecError(f"this plan compares '{name}': give the query a text or a vector")
    length = vector.dimension if stage.dims == "full" else stage.dims
    if length not in (vector.dimension, *vector.prefixes):
        known = ", ".join(map(str, (*vector.prefixes, vector.dimension)))
        raise SpecError(
            f"the plan asks for {stage.dims} dimensions of '{name}', the spec has {known}"
        )
    is_full = length == vector.dimension
    field = name if is_full else f"{name}_{length}"
    query = prefix(vectors[name][None], length, space=vector.space)[0]
    return VectorStage(name, field, query, vector.space, flat=is_full and not vector.graph)


def _match_fields(spec: IndexSpec, match: Match) -> tuple[str, ...]:
    if match.fields is None:
        if not spec.text:
            raise SpecError("this plan matches words, but the spec has no text fields")
        return tuple(_boosted(spec.search_field(n), f.boost) for n, f in spec.text.items())
    return tuple(_known_field(spec, field) for field in match.fields)


def _known_field(spec: IndexSpec, field: str) -> str:
    name, _, boost = field.partition("^")
    base, _, sub = name.rpartition(".")
    if name not in spec.text and sub not in getattr(spec.text.get(base), "subfields", {}):
        raise SpecError(
            f"unknown text field '{name}' in the plan; known are {', '.join(spec.text)}"
        )
    found = spec.search_field(name) if name in spec.text else name
    return f"{found}^{boost}" if boost else found


def _boosted(field: str, boost: float) -> str:
    return field if boost == 1 else f"{field}^{boost:g}"
