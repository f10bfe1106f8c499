"""A plan made to fit what its filter leaves: scan exactly where that is little, widen in between.

A graph search under a filter loses neighbours that it would find without; `benchmarks/search.py`
measures how many, and the figures below come from there (docs/search.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from kokeshi.plans.stages import Stages, VectorStage
from kokeshi.schema import SearchPlan
from kokeshi.schema.plan import MAX_K


@dataclass(frozen=True)
class Known:
    """What is known of an index and a filter. kept: documents that pass it; shards: that are searched."""

    documents: int
    kept: int
    shards: int = 1


EXACT_BELOW = 1_000
"""Documents up to which comparing all of them is as fast as a graph search of 400, on both engines."""

CANDIDATES = 400
"""What a graph search keeps while it walks, at least: under a filter, fewer lose neighbours."""


def adapt(stages: Stages, plan: SearchPlan, known: Known | None) -> tuple[Stages, tuple[str, ...]]:
    """Return the stages that fit what the filter leaves, and why."""
    if stages.shortlist is None or plan.shortlist is None:
        return stages, ()
    below = plan.shortlist.exact_below
    exact_below = EXACT_BELOW if below is None else below
    scans = stages.rescore is not None and stages.fuse is None
    if known and scans and known.kept <= exact_below:
        return replace(stages, shortlist=None), (_why_exact(known, exact_below),)
    return _widened(stages, stages.shortlist, plan.shortlist.candidates, known)


def _why_exact(known: Known, exact_below: int) -> str:
    return (
        f"{_of(known)}: all of them are compared exactly, as up to {exact_below:,} are "
        "(shortlist.exact_below)"
    )


def _of(known: Known) -> str:
    if known.kept == known.documents:
        return f"no filter, {known.documents:,} documents"
    return f"the filter leaves {known.kept:,} of {known.documents:,} documents"


def _widened(
    stages: Stages,
    shortlist: VectorStage,
    candidates: int | None,
    known: Known | None,
) -> tuple[Stages, tuple[str, ...]]:
    k = shortlist.k if known is None else per_shard_k(shortlist.k, known.shards)
    walked = max(k, candidates or CANDIDATES)
    notes = [f"a shortlist of {shortlist.k:,} by the graph of {shortlist.field}"]
    notes[0] = (
        f"{_of(known)}: {notes[0]}" if known else f"{notes[0]}; nothing is known of the filter"
    )
    if known and known.shards > 1:
        notes.append(
            f"k is per shard: each of {known.shards} shards gives its {k:,} nearest, "
            f"{k * known.shards:,} in all, which hold the {shortlist.k:,} nearest of the index"
        )
    changed = replace(shortlist, k=k, candidates=min(walked, MAX_K))
    return replace(stages, shortlist=changed), tuple(notes)


def per_shard_k(k: int, shards: int) -> int:
    """Return how many each shard must give so that together they hold the k nearest of all.

    Documents lie on shards by a hash of their id, so a shard's share of the k nearest is binomial,
    B(k, 1 / shards): its mean and four standard deviations, which one search in some ten thousand
    exceeds.

    >>> per_shard_k(400, 1), per_shard_k(400, 3), per_shard_k(10, 5)
    (400, 172, 8)
    """
    share = 1 / shards
    deviation = math.sqrt(k * share * (1 - share))
    return min(k, math.ceil(k * share + 4 * deviation))
