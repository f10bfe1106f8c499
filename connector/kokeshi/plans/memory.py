"""The memory engine takes a plan as it stands: its query holds the stages, as JSON.

A filter is its own text, so that the memory engine evaluates it without the queries that the other
dialects make of it.
"""

from __future__ import annotations

from dataclasses import asdict

from kokeshi.plans.stages import Stages, VectorStage
from kokeshi.types import Json


def build_query(stages: Stages) -> Json:
    """Return the `query` of a search body, which holds every stage."""
    found: Json = {}
    if stages.match:
        options = stages.match.model_dump(exclude={"fields"}, exclude_none=True)
        found |= {"text": stages.text, "fields": list(stages.fields), "match": options}
    if stages.shortlist:
        found["shortlist"] = _comparison(stages.shortlist)
    if stages.coded:
        found["codebook"] = {"field": stages.coded.digest_field, "digest": stages.coded.digest}
    if stages.cells:
        found["cells"] = {"field": stages.cells.cell_field, "ids": stages.cells.probed}
    if stages.scan:
        found["scan"] = stages.scan.params | {"k": stages.scan.k}
    if stages.rescore:
        found["rescore"] = _comparison(stages.rescore)
    if stages.exact:
        found["exact"] = True
    if stages.fuse:
        found["fuse"] = stages.fuse.model_dump()
    if stages.filter is not None:
        found["filter"] = str(stages.filter)
    return {"query": {"stages": found}}


def _comparison(stage: VectorStage) -> Json:
    return asdict(stage) | {"vector": stage.vector.tolist()}
