"""The query of a plan: one request, whatever the stages. Engines differ in two clauses only.

Codes are scored by a script, the same on both engines, and the best of them are compared again by
the body's `rescore`. Every similarity comes out on the scale of `kokeshi.codes.spaces`.
"""

from __future__ import annotations

from typing import Protocol

from kokeshi.filters import build_query as build_filter
from kokeshi.plans.coded import CodeStage
from kokeshi.plans.scripts import load_script
from kokeshi.plans.stages import Stages, VectorStage
from kokeshi.types import Json


class Clauses(Protocol):
    """What an engine calls the two comparisons of vectors."""

    def build_nearest(self, stage: VectorStage, filter_: Json | None) -> Json:
        """Return the query of the k nearest of what the filter leaves, by a graph where there is one.

        A flat field needs a filter that passes only documents with the vector: without any, OpenSearch
        3.6 misses documents after a merge that dropped deleted ones; Elasticsearch takes documents
        without the vector for hits of score 0.
        """

    def build_similarity(self, candidates: Json, stage: VectorStage) -> Json:
        """Return the query that scores each candidate by its exact similarity."""


def build_query(stages: Stages, clauses: Clauses) -> Json:
    """Return the `query` of a search body, and its `rescore` where codes are scored first."""
    if stages.scan:
        return _scanned(stages, stages.scan, clauses)
    if stages.fuse and stages.rescore:
        fuse = stages.fuse
        return {"query": _fused(stages, stages.rescore, fuse.weight, fuse.saturation, clauses)}
    candidates = _candidates(stages, clauses)
    if stages.rescore is None:
        return {"query": candidates}
    if stages.rescore.flat:  # everything is compared, and no script has to be run
        return {"query": clauses.build_nearest(stages.rescore, candidates)}
    return {"query": clauses.build_similarity(candidates, stages.rescore)}


def _scanned(stages: Stages, scan: CodeStage, clauses: Clauses) -> Json:
    """The score of the codes decides which k are compared exactly, and nothing else."""
    script = {"source": load_script("adc"), "params": scan.params}
    query = {"script_score": {"query": _candidates(stages, clauses), "script": script}}
    if stages.rescore is None:
        return {"query": query}
    exact = clauses.build_similarity({"match_all": {}}, stages.rescore)
    weights = {"query_weight": 0, "rescore_query_weight": 1}
    rescore = {"window_size": scan.k, "query": {"rescore_query": exact, **weights}}
    return {"query": query, "rescore": rescore}


def _candidates(stages: Stages, clauses: Clauses) -> Json:
    """Return the query that finds candidates; its score counts only where nothing rescores."""
    # a document without the vector would otherwise be a hit of score 0, or fail the search
    present = [{"exists": {"field": stages.rescore.field}}] if stages.rescore else []
    if stages.shortlist:
        nearest = _shortlist(stages, stages.shortlist, clauses)
        if stages.rescore is None or stages.rescore.name == stages.shortlist.name:
            return nearest
        return _filtered(nearest, present)
    if stages.match:
        return _filtered(_match(stages), [*present, *_filters(stages)])
    if stages.coded:
        # a document with codes has the vector too
        present = present if stages.rescore and stages.rescore.name != stages.coded.name else []
        return {"bool": {"filter": [*present, *_filters(stages), *_code_filters(stages)]}}
    return {"bool": {"filter": [*present, *_filters(stages)]}}


def _code_filters(stages: Stages) -> list[Json]:
    """Codes and cells of another codebook are never looked at."""
    found: list[Json] = []
    if stages.coded:
        found.append({"term": {stages.coded.digest_field: stages.coded.digest}})
    if stages.cells:
        found.append({"terms": {stages.cells.cell_field: stages.cells.probed}})
    return found


def _shortlist(stages: Stages, shortlist: VectorStage, clauses: Clauses) -> Json:
    if not shortlist.flat:
        return clauses.build_nearest(shortlist, _filter(stages))
    present = {"exists": {"field": shortlist.field}}
    return clauses.build_nearest(shortlist, {"bool": {"filter": [present, *_filters(stages)]}})


def _fused(
    stages: Stages, rescore: VectorStage, weight: float, saturation: float, clauses: Clauses
) -> Json:
    """BM25 and similarity are two clauses whose scores add: both are scored by the engine's own code.

    The second clause covers the union, so that a document found by its words alone gets its
    similarity too.
    """
    words = _filtered(_match(stages), _filters(stages))
    lexical = {"script_score": {"query": words, "script": _saturate(saturation)}}
    union = [words]
    if stages.shortlist:
        union.append(_shortlist(stages, stages.shortlist, clauses))
    candidates = _filters(stages) if stages.exact else [{"bool": {"should": union}}]
    found = {"bool": {"filter": [*candidates, {"exists": {"field": rescore.field}}]}}
    similarity = clauses.build_similarity(found, rescore)
    if weight != 1:
        similarity["script_score"]["boost"] = weight
    return {"bool": {"should": [lexical, similarity]}}


def _saturate(saturation: float) -> Json:
    return {"source": load_script("saturate"), "params": {"saturation": saturation}}


def _match(stages: Stages) -> Json:
    query = {"query": stages.text, "fields": list(stages.fields)}
    options = stages.match.model_dump(exclude={"fields"}, exclude_none=True) if stages.match else {}
    boost = {} if stages.boost == 1 else {"boost": stages.boost}
    return {"multi_match": query | options | boost}


def _filter(stages: Stages) -> Json | None:
    return None if stages.filter is None else build_filter(stages.filter)


def _filters(stages: Stages) -> list[Json]:
    found = _filter(stages)
    return [] if found is None else [found]


def _filtered(query: Json, filters: list[Json]) -> Json:
    return {"bool": {"must": [query], "filter": filters}} if filters else query
