"""What Elasticsearch calls the comparisons of vectors: a `knn` query, and a script for the exact ones.

A `knn` query answers on the scale of `kokeshi.codes.spaces`; each script of `scripts/painless`
named like a space computes the same.
"""

from __future__ import annotations

from kokeshi.plans import query
from kokeshi.plans.scripts import load_script
from kokeshi.plans.stages import Stages, VectorStage
from kokeshi.types import Json


def build_query(stages: Stages) -> Json:
    """Return the `query` of a search body, and its `rescore` where there is one."""
    return query.build_query(stages, _Clauses())


class _Clauses:
    def build_nearest(self, stage: VectorStage, filter_: Json | None) -> Json:
        knn: Json = {
            "field": stage.field,
            "query_vector": stage.vector.tolist(),
            "k": stage.k,
            "num_candidates": max(stage.candidates, stage.k),
        }
        return {"knn": knn if filter_ is None else knn | {"filter": filter_}}

    def build_similarity(self, candidates: Json, stage: VectorStage) -> Json:
        params = {"field": stage.field, "query_vector": stage.vector.tolist()}
        script = {"source": load_script(stage.space), "params": params}
        return {"script_score": {"query": candidates, "script": script}}
