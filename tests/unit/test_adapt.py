from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokeshi.plans import Known
from kokeshi.plans.adapt import EXACT_BELOW, adapt, per_shard_k
from kokeshi.plans.stages import resolve
from kokeshi.schema import Fuse, Match, Rescore, SearchPlan, Shortlist, parse_spec
from kokeshi.schema.plan import MAX_K

SPEC = parse_spec("""
index: adapt
text: [title]
vectors: {v: {encoder: x, dimension: 4, prefixes: [2]}}
""")
PLAN = SearchPlan(shortlist=Shortlist(dims=2, k=400), rescore=Rescore())


def with_shortlist(plan: SearchPlan = PLAN, **changes) -> SearchPlan:
    return plan.model_copy(update={"shortlist": plan.shortlist.model_copy(update=changes)})


def adapted(known: Known | None, plan: SearchPlan = PLAN, hits: int = 10):
    vectors = {"v": np.ones(4, np.float32)}
    return adapt(resolve(SPEC, plan, "words", vectors, None, hits), plan, known)


def test_what_little_a_filter_leaves_is_compared_exactly():
    edge = EXACT_BELOW
    below, (why,) = adapted(Known(1_000_000, edge))
    assert below.shortlist is None
    assert why.startswith(f"the filter leaves {edge:,} of 1,000,000 documents: all of them are")
    assert adapted(Known(1_000_000, edge + 1))[0].shortlist is not None


def test_a_small_index_is_compared_exactly_without_a_filter():
    stages, (why,) = adapted(Known(300, 300))
    assert stages.shortlist is None
    assert why.startswith("no filter, 300 documents: all of them")


def test_the_crossover_is_the_plans_own_where_it_names_one():
    assert adapted(Known(1_000, 50), with_shortlist(exact_below=49))[0].shortlist is not None
    assert adapted(Known(1_000, 50), with_shortlist(exact_below=50))[0].shortlist is None
    assert adapted(Known(1_000, 0), with_shortlist(exact_below=0))[0].shortlist is None


@pytest.mark.parametrize(
    "plan",
    [
        SearchPlan(shortlist=Shortlist(dims=2, k=400)),
        SearchPlan(
            match=Match(), shortlist=Shortlist(dims=2, k=400), rescore=Rescore(), fuse=Fuse()
        ),
    ],
    ids=["nothing rescores", "words find candidates too"],
)
def test_only_a_rescored_shortlist_gives_way_to_a_scan(plan):
    assert adapted(Known(1_000, 10), plan)[0].shortlist is not None


def test_a_plan_without_a_shortlist_stays_as_it_is():
    plan = SearchPlan(rescore=Rescore())
    stages, notes = adapted(Known(1_000_000, 10), plan)
    assert (stages.shortlist, notes) == (None, ())


def test_without_knowledge_the_search_is_the_widest():
    unknown, (why,) = adapted(None)
    assert "nothing is known of the filter" in why
    for kept in (EXACT_BELOW + 1, 100_000, 900_000, 1_000_000):
        known, _ = adapted(Known(1_000_000, kept))
        assert known.shortlist.k <= unknown.shortlist.k
        assert known.shortlist.candidates <= unknown.shortlist.candidates


def test_candidates_are_the_plans_own_where_it_names_them():
    known = Known(1_000_000, 500_000)
    assert adapted(known, with_shortlist(candidates=600))[0].shortlist.candidates == 600
    assert adapted(known, with_shortlist(candidates=5))[0].shortlist.candidates >= 400


def test_an_engines_limit_is_kept():
    stages, _ = adapted(Known(10**6, 10**6), hits=MAX_K)
    assert (stages.shortlist.k, stages.shortlist.candidates) == (MAX_K, MAX_K)


def test_shards_share_a_shortlist():
    stages, notes = adapted(Known(1_000_000, 500_000, shards=3))
    assert stages.shortlist.k == per_shard_k(400, 3)
    assert notes[-1] == (
        "k is per shard: each of 3 shards gives its 172 nearest, 516 in all, "
        "which hold the 400 nearest of the index"
    )


def test_nothing_but_the_shortlist_changes():
    stages, _ = adapted(Known(1_000_000, 500_000, shards=3))
    vectors = {"v": np.ones(4, np.float32)}
    before = resolve(SPEC, PLAN, "words", vectors, None, 10)
    assert replace(stages, shortlist=None, rescore=None) == replace(
        before, shortlist=None, rescore=None
    )


@given(k=st.integers(1, MAX_K), shards=st.integers(1, 1024))
def test_shards_give_enough_and_never_more_than_asked(k, shards):
    each = per_shard_k(k, shards)
    assert each <= k
    assert each * shards >= k
    if shards == 1:
        assert each == k


@pytest.mark.parametrize(("k", "shards"), [(10, 3), (100, 5), (400, 3), (400, 24)])
def test_the_nearest_of_all_are_among_those_of_each_shard(k, shards):
    """The share of draws in which some shard holds more of the k nearest than it gives."""
    rng = np.random.default_rng(5)
    most = rng.multinomial(k, np.full(shards, 1 / shards), size=20_000).max(axis=1)
    missed = np.mean(most > per_shard_k(k, shards))
    assert missed <= shards * math.erfc(4 / math.sqrt(2)) / 2 + 0.005
