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
    """What is known of an index and a filter.

    documents: in all; kept: how many of them pass the filter. shards: that are searched; indices: that
    they belong to, several behind an alias.
    """

    documents: int
    kept: int
    shards: int = 1
    indices: int = 1


EXACT_BELOW = 1000
"""Documents up to which comparing all of them is as fast as a graph search of 400, or faster, on both engines."""

FILTERED_K = 400
"""Shortlist under a filter, at least: a graph search loses neighbours there that it finds without."""

WALKED = 2
"""Candidates that a graph search keeps while it walks, for each that it gives."""


def adapt(stages: Stages, plan: SearchPlan, known: Known | None) -> tuple[Stages, tuple[str, ...]]:
    """Return the stages that fit what the filter leaves, and why."""
    if stages.shortlist is None or plan.shortlist is None:
        return stages, ()
    below = plan.shortlist.exact_below
    exact_below = EXACT_BELOW if below is None else below
    if known and known.kept <= exact_below and _is_sharper(stages.rescore, stages.shortlist):
        why = (
            f"{_of(known, stages)}: all of them are compared exactly, as up to {exact_below:,} are"
        )
        return replace(stages, shortlist=None, scan=True), (f"{why} (shortlist.exact_below)",)
    fixed = plan.shortlist.candidates is not None or stages.filter is None
    k = stages.shortlist.k if fixed else max(stages.shortlist.k, FILTERED_K)
    return _shared(stages, stages.shortlist, k, known)


def _is_sharper(rescore: VectorStage | None, shortlist: VectorStage) -> bool:
    """Whether the rescoring compares the vector of the shortlist, in no fewer dimensions."""
    if rescore is None or rescore.name != shortlist.name:
        return False
    return len(rescore.vector) >= len(shortlist.vector)


def _of(known: Known, stages: Stages) -> str:
    if stages.filter is None:
        return f"no filter, {known.documents:,} documents"
    return f"the filter leaves {known.kept:,} of {known.documents:,} documents"


def _shared(
    stages: Stages, shortlist: VectorStage, k: int, known: Known | None
) -> tuple[Stages, tuple[str, ...]]:
    """Return the stages with the share of k that each shard gives, and why."""
    widened = "" if k == shortlist.k else f", {shortlist.k:,} widened under a filter"
    note = f"a shortlist of {k:,}{widened}, by the graph of {shortlist.field}"
    if known is None:
        return _with_k(stages, shortlist, k), (note,)
    notes = [f"{_of(known, stages)}: {note}"]
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


def per_shard_k(k: int, shards: int) -> int:
    """Return how many each shard must give so that together they hold the k nearest of all.

    Documents lie on the shards of an index by a hash of their id, so a shard's share of the k nearest
    is binomial, B(k, 1 / shards). Its mean, 4.5 standard deviations and 4 more: fewer than two searches
    in ten thousand exceed that on any shard (k to 5,000, 300 shards; the exact tails were summed).

    >>> per_shard_k(400, 1), per_shard_k(400, 3), per_shard_k(10, 5)
    (400, 180, 10)
    """
    share = 1 / shards
    deviation = math.sqrt(k * share * (1 - share))
    return min(k, math.ceil(k * share + 4.5 * deviation + 4))
