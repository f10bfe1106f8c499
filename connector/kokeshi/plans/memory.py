"""The memory engine takes a plan as it stands: its query holds the stages, as JSON.

A filter is its own text, so that the memory engine evaluates it without the queries that the other
dialects make of it.
"""

from __future__ import annotations

from dataclasses import asdict

from kokeshi.plans.stages import Stages, VectorStage
from kokeshi.types import Json


def build_query(stages: Stages) -> Json:
    """Return the `query` of a search body."""
    found: Json = {}
    if stages.match:
        options = stages.match.model_dump(exclude={"fields"}, exclude_none=True)
        found |= {"text": stages.text, "fields": list(stages.fields), "match": options}
    if stages.shortlist:
        found["shortlist"] = _comparison(stages.shortlist)
    if stages.rescore:
        found["rescore"] = _comparison(stages.rescore)
    if stages.scan:
        found["scan"] = True
    if stages.fuse:
        found["fuse"] = stages.fuse.model_dump()
    if stages.filter is not None:
        found["filter"] = str(stages.filter)
    return {"stages": found}


def _comparison(stage: VectorStage) -> Json:
    return asdict(stage) | {"vector": stage.vector.tolist()}
