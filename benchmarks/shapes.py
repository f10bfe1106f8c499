"""Request shapes: each turns a body that Kokeshi built into another that asks for the same.

Kokeshi's two-stage body is an exact `knn` query of the full vector, filtered by a `knn` query of the prefix.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.datasets import VECTOR
from kokeshi.plans.scripts import load_script
from kokeshi.types import Json

Shape = Callable[[Json], Json]
"""From the body that Kokeshi built to the one that is sent."""

_PRESENT: Json = {"exists": {"field": VECTOR}}


def as_built(body: Json) -> Json:
    """Return the body as it is."""
    return body


def rescored(body: Json) -> Json:
    """Return the graph search as the query, and its hits scored again in a rescore phase."""
    shortlist, script = _parts(body)
    return {**_frame(body), "query": shortlist, "rescore": _rescore(shortlist, script)}


def rescorer_retriever(body: Json) -> Json:
    """Return the graph search and its rescoring as retrievers, which Elasticsearch has."""
    shortlist, script = _parts(body)
    rescorer = {"retriever": shortlist, "rescore": _rescore(shortlist, script)}
    return {**_frame(body), "retriever": {"rescorer": rescorer}}


def scripted(body: Json) -> Json:
    """Return a script that compares each hit of the graph search, or all that the filter leaves."""
    candidates, script = _parts(body)
    return {**_frame(body), "query": {"script_score": {"query": candidates, "script": script}}}


def oversampled(factor: float) -> Shape:
    """Return the shape that rescores k times `factor` hits by `rescore_vector`; 0 does not."""

    def shape(body: Json) -> Json:
        knn = {**body["query"]["knn"], "rescore_vector": {"oversample": factor}}
        return {**_frame(body), "query": {"knn": knn}}

    return shape


def explored(ef_search: int) -> Shape:
    """Return the shape that keeps `ef_search` candidates while it walks, which OpenSearch has."""

    def shape(body: Json) -> Json:
        ((field, knn),) = body["query"]["knn"].items()
        knn = {**knn, "method_parameters": {"ef_search": ef_search}}
        return {**_frame(body), "query": {"knn": {field: knn}}}

    return shape


def _frame(body: Json) -> Json:
    return {key: value for key, value in body.items() if key != "query"}


def _parts(body: Json) -> tuple[Json, Json]:
    """Return the query of the candidates, and the script that compares them as the body does."""
    knn = body["query"]["knn"]
    if "query_vector" in knn:
        params = {"field": knn["field"], "query_vector": knn["query_vector"]}
        script = {"source": load_script("cosine"), "params": params}
        return knn.get("filter", _PRESENT), script
    ((field, knn),) = knn.items()
    params = {"field": field, "query_value": knn["vector"], "space_type": "cosinesimil"}
    return knn.get("filter", _PRESENT), {"lang": "knn", "source": "knn_score", "params": params}


def _rescore(shortlist: Json, script: Json) -> Json:
    """Every hit of the shortlist is scored again, and by that alone."""
    again = {"script_score": {"query": {"match_all": {}}, "script": script}}
    return {
        "window_size": _k(shortlist),
        "query": {"query_weight": 0, "rescore_query": again},
    }


def _k(shortlist: Json) -> int:
    knn = shortlist["knn"]
    k: int = knn["k"] if "k" in knn else next(iter(knn.values()))["k"]
    return k
