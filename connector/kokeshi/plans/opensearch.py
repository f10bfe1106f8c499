"""The OpenSearch query of a plan: one request, whatever the stages.

Every similarity comes out on the scale of `kokeshi.codes.spaces`: `knn_score` and a `knn` query
answer on it in all three spaces (2.19 and 3.6, tests/conformance).
"""

from __future__ import annotations

from kokeshi.filters import build_query as build_filter
from kokeshi.mapping import SPACE_TYPES
from kokeshi.plans.scripts import load_script
from kokeshi.plans.stages import Stages, VectorStage
from kokeshi.types import Json


def build_query(stages: Stages) -> Json:
    """Return the `query` of a search body."""
    if stages.fuse and stages.rescore:
        return _fused(stages, stages.rescore, stages.fuse.weight, stages.fuse.saturation)
    candidates = _candidates(stages)
    if stages.rescore:
        return _rescored(candidates, stages.rescore)
    return candidates


def _candidates(stages: Stages) -> Json:
    """Return the query that finds candidates; its score counts only where nothing rescores."""
    if stages.shortlist:
        return _knn(stages, stages.shortlist)
    # a document without the vector would otherwise be a hit of score 0
    present = [{"exists": {"field": stages.rescore.field}}] if stages.rescore else []
    if stages.match:
        return _filtered(_match(stages), [*present, *_filters(stages)])
    return {"bool": {"filter": [*present, *_filters(stages)]}}


def _fused(stages: Stages, rescore: VectorStage, weight: float, saturation: float) -> Json:
    """BM25 and similarity are two clauses whose scores add: both are scored by the engine's own code.

    The second clause covers the union, so that a document found by its words alone gets its
    similarity too.
    """
    words = _filtered(_match(stages), _filters(stages))
    lexical = {"script_score": {"query": words, "script": _saturate(saturation)}}
    union = [words, *([_knn(stages, stages.shortlist)] if stages.shortlist else [])]
    found = {
        "bool": {"filter": [{"bool": {"should": union}}, {"exists": {"field": rescore.field}}]}
    }
    return {"bool": {"should": [lexical, _rescored(found, rescore, weight)]}}


def _saturate(saturation: float) -> Json:
    return {"source": load_script("saturate"), "params": {"saturation": saturation}}


def _match(stages: Stages) -> Json:
    query = {"query": stages.text, "fields": list(stages.fields)}
    options = stages.match.model_dump(exclude={"fields"}, exclude_none=True) if stages.match else {}
    return {"multi_match": query | options}


def _filters(stages: Stages) -> list[Json]:
    return [] if stages.filter is None else [build_filter(stages.filter)]


def _filtered(query: Json, filters: list[Json]) -> Json:
    return {"bool": {"must": [query], "filter": filters}} if filters else query


def _knn(stages: Stages, shortlist: VectorStage) -> Json:
    knn: Json = {"vector": shortlist.vector.tolist(), "k": shortlist.k}
    if filters := _filters(stages):
        knn["filter"] = filters[0]
    return {"knn": {shortlist.field: knn}}


def _rescored(candidates: Json, rescore: VectorStage, weight: float = 1.0) -> Json:
    params = {
        "field": rescore.field,
        "query_value": rescore.vector.tolist(),
        "space_type": SPACE_TYPES[rescore.space],
    }
    script = {"lang": "knn", "source": "knn_score", "params": params}
    scored: Json = {"query": candidates, "script": script}
    return {"script_score": scored if weight == 1 else scored | {"boost": weight}}
