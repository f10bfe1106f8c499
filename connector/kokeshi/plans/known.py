"""What is known of an index and a filter when a plan is made to fit them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kokeshi.filters import Filter


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


def describe(known: Known, filter_: Filter | None) -> str:
    """Return what a filter leaves, as a note begins."""
    if filter_ is None:
        return f"no filter, {known.documents:,} documents"
    return f"the filter leaves {known.kept:,} of {known.documents:,} documents"


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
