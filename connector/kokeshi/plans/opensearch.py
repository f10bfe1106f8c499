"""What OpenSearch calls the comparisons of vectors.

`knn_score` and a `knn` query answer on the scale of `kokeshi.codes.spaces` in all three spaces
(2.19 and 3.6, tests/conformance).
"""

from __future__ import annotations

from kokeshi.mapping import SPACE_NAMES
from kokeshi.plans import query
from kokeshi.plans.stages import Stages, VectorStage
from kokeshi.types import Json


def build_query(stages: Stages) -> Json:
    """Return the `query` of a search body, and its `rescore` where there is one."""
    return query.build_query(stages, _Clauses())


class _Clauses:
    def build_nearest(self, stage: VectorStage, filter_: Json | None) -> Json:
        knn: Json = {"vector": stage.vector.tolist(), "k": stage.k}
        return {"knn": {stage.field: knn if filter_ is None else knn | {"filter": filter_}}}

    def build_similarity(self, candidates: Json, stage: VectorStage) -> Json:
        params = {
            "field": stage.field,
            "query_value": stage.vector.tolist(),
            "space_type": SPACE_NAMES["opensearch"][stage.space],
        }
        script = {"lang": "knn", "source": "knn_score", "params": params}
        return {"script_score": {"query": candidates, "script": script}}
