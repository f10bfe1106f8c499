"""A plan that looks at codes, made to fit what its filter leaves.

The best of few documents lie in cells that are not near the query: what a filter leaves of them is
spread over all, so cells are for filters that leave many. And of no more documents than are rescored
codes decide nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace

from kokeshi.plans.coded import CellStage, CodeStage
from kokeshi.plans.known import Known, describe, per_shard_k
from kokeshi.plans.stages import Stages
from kokeshi.schema import SearchPlan

ALL_BELOW = 10_000
"""Documents up to which every cell is looked into: their codes, or vectors, take some milliseconds."""

Notes = tuple[str, ...]


def adapt_codes(stages: Stages, plan: SearchPlan, known: Known | None) -> tuple[Stages, Notes]:
    """Return the stages that fit what the filter leaves, and why."""
    notes: Notes = ()
    if stages.cells and plan.cells:
        stages, notes = _fit_cells(stages, stages.cells, plan.cells.all_below, known)
    if stages.scan is None or plan.scan is None:
        return stages, notes
    below = stages.scan.k if plan.scan.exact_below is None else plan.scan.exact_below
    if known and known.kept <= below and not stages.cells and _rescored(stages, stages.scan):
        why = (
            f"{describe(known, stages.filter)}: all of them are compared exactly, as up to "
            f"{below:,} are (scan.exact_below)"
        )
        return replace(stages, scan=None, exact=True), (why,)
    stages, more = _fit_window(stages, stages.scan, known)
    return stages, (*notes, *more)


def _fit_cells(
    stages: Stages, cells: CellStage, all_below: int | None, known: Known | None
) -> tuple[Stages, Notes]:
    """Return the stages with the cells, or with all that the filter leaves where that is little.

    all_below: of the plan, which then widens nothing.
    """
    below = ALL_BELOW if all_below is None else all_below
    if known and known.kept <= below:
        why = (
            f"{describe(known, stages.filter)}: every cell is looked into, as of up to {below:,} "
            "(cells.all_below)"
        )
        return replace(stages, cells=None, exact=stages.scan is None), (why,)
    of = f"{describe(known, stages.filter)}: " if known else ""
    nprobe = cells.nprobe if all_below is not None else _widened(cells, known)
    more = "" if nprobe == cells.nprobe else f", {cells.nprobe:,} widened under a filter"
    looked = f"{of}{nprobe:,} of {len(cells.ids):,} cells are looked into{more}"
    return replace(stages, cells=replace(cells, nprobe=nprobe)), (looked,)


def _widened(cells: CellStage, known: Known | None) -> int:
    """Return how many cells hold the best of what a filter leaves.

    The best ten of a tenth are among the best hundred of all, which lie in more cells. Their number
    grows slower than the best do: by the square root it keeps what it kept without a filter.
    """
    share = known.kept / known.documents if known else 1
    return min(len(cells.ids), math.ceil(cells.nprobe / math.sqrt(share)))


def _rescored(stages: Stages, scan: CodeStage) -> bool:
    """Whether what the codes find is compared again by the vector that they stand for."""
    return stages.rescore is not None and stages.rescore.name == scan.name


def _fit_window(stages: Stages, scan: CodeStage, known: Known | None) -> tuple[Stages, Notes]:
    """Return the stages with the share of k that each shard rescores, and why."""
    of = f"{describe(known, stages.filter)}: " if known and not stages.cells else ""
    scored = f"{of}scored by {scan.codes_field}, made by the codebook {scan.digest[:12]}"
    if stages.rescore is None:
        return stages, (scored,)
    notes = [f"{scored}, and the best {scan.k:,} compared exactly"]
    shards = known.shards if known else 1
    each = per_shard_k(scan.k, shards) if known and known.indices == 1 else scan.k
    if shards > 1:
        notes.append(f"k is per shard: each of {shards} compares its best {each:,}")
    return replace(stages, scan=replace(scan, k=each)), tuple(notes)
