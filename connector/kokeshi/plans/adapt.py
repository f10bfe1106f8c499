"""A plan made to fit what its filter leaves: scan exactly where that is little, widen in between.

A graph search under a filter loses neighbours that it would find without; `benchmarks/search.py`
measures how many, and the figures below come from there (docs/search.md).
"""

from __future__ import annotations

from dataclasses import replace

from kokeshi.plans.adapt_codes import adapt_codes
from kokeshi.plans.known import Known, describe, per_shard_k
from kokeshi.plans.stages import Stages, VectorStage
from kokeshi.schema import SearchPlan
from kokeshi.schema.plan import MAX_K

EXACT_BELOW = 1000
"""Documents up to which comparing all is as fast as a graph search of 400, or faster, on both engines."""

FILTERED_K = 400
"""Shortlist under a filter, at least: a graph search loses neighbours there that it finds without."""

WALKED = 2
"""Candidates that a graph search keeps while it walks, for each that it gives."""


def adapt(stages: Stages, plan: SearchPlan, known: Known | None) -> tuple[Stages, tuple[str, ...]]:
    """Return the stages that fit what the filter leaves, and why."""
    if stages.coded:
        return adapt_codes(stages, plan, known)
    if stages.shortlist is None or plan.shortlist is None:
        return stages, ()
    below = plan.shortlist.exact_below
    exact_below = EXACT_BELOW if below is None else below
    if known and known.kept <= exact_below and _is_sharper(stages.rescore, stages.shortlist):
        left = describe(known, stages.filter)
        why = f"{left}: all of them are compared exactly, as up to {exact_below:,} are"
        return replace(stages, shortlist=None, exact=True), (f"{why} (shortlist.exact_below)",)
    fixed = plan.shortlist.candidates is not None or stages.filter is None
    k = stages.shortlist.k if fixed else max(stages.shortlist.k, FILTERED_K)
    return _shared(stages, stages.shortlist, k, known)


def _is_sharper(rescore: VectorStage | None, shortlist: VectorStage) -> bool:
    """Whether the rescoring compares the vector of the shortlist, in no fewer dimensions."""
    if rescore is None or rescore.name != shortlist.name:
        return False
    return len(rescore.vector) >= len(shortlist.vector)


def _shared(
    stages: Stages, shortlist: VectorStage, k: int, known: Known | None
) -> tuple[Stages, tuple[str, ...]]:
    """Return the stages with the share of k that each shard gives, and why."""
    widened = "" if k == shortlist.k else f", {shortlist.k:,} widened under a filter"
    note = f"a shortlist of {k:,}{widened}, by the graph of {shortlist.field}"
    if known is None:
        return _with_k(stages, shortlist, k), (note,)
    notes = [f"{describe(known, stages.filter)}: {note}"]
    each = per_shard_k(k, known.shards) if known.indices == 1 else k
    if known.shards > 1:
        notes.append(
            f"k is per shard: each of {known.shards} gives its {each:,} nearest, "
            f"{each * known.shards:,} in all, which hold the {k:,} nearest"
        )
    return _with_k(stages, shortlist, each), tuple(notes)


def _with_k(stages: Stages, shortlist: VectorStage, k: int) -> Stages:
    walked = min(max(k, shortlist.candidates or WALKED * k), MAX_K)
    return replace(stages, shortlist=replace(shortlist, k=k, candidates=walked))
