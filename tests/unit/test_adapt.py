from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from kokeshi import F
from kokeshi.plans import Known
from kokeshi.plans.adapt import EXACT_BELOW, adapt
from kokeshi.plans.known import per_shard_k
from kokeshi.plans.stages import resolve
from kokeshi.schema import Fuse, Match, Rescore, SearchPlan, Shortlist, parse_spec
from kokeshi.schema.plan import MAX_K

SPEC = parse_spec("""
index: adapt
text: [title]
metadata: {price: float}
vectors:
  v: {encoder: x, dimension: 4, prefixes: [2]}
  w: {encoder: x, dimension: 4}
""")
PLAN = SearchPlan(shortlist=Shortlist(dims=2, k=400), rescore=Rescore())
VECTORS = {name: np.ones(4, np.float32) for name in ("v", "w")}
CHEAP = F.price < 50


def with_shortlist(plan: SearchPlan = PLAN, **changes) -> SearchPlan:
    return plan.model_copy(update={"shortlist": plan.shortlist.model_copy(update=changes)})


def adapted(known: Known | None, plan: SearchPlan = PLAN, wanted=CHEAP, hits: int = 10):
    return adapt(resolve(SPEC, plan, "words", VECTORS, wanted, hits), plan, known)


def test_what_little_a_filter_leaves_is_compared_exactly():
    below, (why,) = adapted(Known(1_000_000, EXACT_BELOW))
    assert (below.shortlist, below.exact) == (None, True)
    assert why == (
        "the filter leaves 1,000 of 1,000,000 documents: all of them are compared exactly, as up to "
        "1,000 are (shortlist.exact_below)"
    )
    above, _ = adapted(Known(1_000_000, EXACT_BELOW + 1))
    assert (above.shortlist is None, above.exact) == (False, False)


def test_a_small_index_is_compared_exactly_without_a_filter():
    stages, (why,) = adapted(Known(300, 300), wanted=None)
    assert stages.exact
    assert why.startswith("no filter, 300 documents: all of them")


def test_a_filter_that_all_pass_is_a_filter():
    _, (why,) = adapted(Known(300, 300))
    assert why.startswith("the filter leaves 300 of 300 documents")


def test_the_crossover_is_the_plans_own_where_it_names_one():
    assert not adapted(Known(1_000, 50), with_shortlist(exact_below=49))[0].exact
    assert adapted(Known(1_000, 50), with_shortlist(exact_below=50))[0].exact
    assert not adapted(Known(1_000, 1), with_shortlist(exact_below=0))[0].exact


@pytest.mark.parametrize(
    ("plan", "scan"),
    [
        (SearchPlan(shortlist=Shortlist(dims=2, k=400)), False),
        (PLAN.model_copy(update={"match": Match(), "fuse": Fuse()}), True),
        (PLAN.model_copy(update={"rescore": Rescore(vector="w")}), False),
        (PLAN.model_copy(update={"rescore": Rescore(dims=2)}), True),
        (with_shortlist(dims="full").model_copy(update={"rescore": Rescore(dims=2)}), False),
    ],
    ids=["nothing rescores", "words too", "another vector", "as coarse", "coarser"],
)
def test_a_scan_is_as_sharp_as_the_shortlist_that_it_replaces(plan, scan):
    assert adapted(Known(1_000, 10), plan)[0].exact is scan


def test_a_plan_without_a_shortlist_stays_as_it_is():
    plan = SearchPlan(rescore=Rescore())
    stages, notes = adapted(Known(1_000_000, 10), plan)
    assert (stages.shortlist, stages.exact, notes) == (None, False, ())


MANY = Known(1_000_000, 500_000)


@pytest.mark.parametrize(
    ("changes", "wanted", "k"),
    [
        ({"k": 100}, CHEAP, 400),
        ({"k": 100}, None, 100),
        ({"k": 100, "candidates": 150}, CHEAP, 100),
        ({"k": 600}, CHEAP, 600),
    ],
)
def test_a_shortlist_is_widened_under_a_filter_unless_the_plan_fixes_it(changes, wanted, k):
    stages, notes = adapted(MANY, with_shortlist(**changes), wanted)
    assert stages.shortlist.k == k
    assert ("100 widened under a filter" in notes[0]) == (k == 400)


@pytest.mark.parametrize(("candidates", "walked"), [(None, 800), (600, 600), (5, 400)])
def test_a_walk_keeps_the_plans_candidates_and_no_fewer_than_k(candidates, walked):
    stages, _ = adapted(MANY, with_shortlist(candidates=candidates))
    assert stages.shortlist.candidates == walked


def test_an_engines_limit_is_kept():
    stages, _ = adapted(Known(10**6, 10**6), hits=MAX_K)
    assert (stages.shortlist.k, stages.shortlist.candidates) == (MAX_K, MAX_K)


def test_shards_of_one_index_share_a_shortlist():
    stages, notes = adapted(replace(MANY, shards=3))
    assert stages.shortlist.k == per_shard_k(400, 3) == 180
    assert notes[-1] == (
        "k is per shard: each of 3 gives its 180 nearest, 540 in all, which hold the 400 nearest"
    )


def test_shards_of_several_indices_give_all_of_it():
    stages, notes = adapted(replace(MANY, shards=3, indices=2))
    assert stages.shortlist.k == 400
    assert "each of 3 gives its 400 nearest, 1,200 in all" in notes[-1]


def test_nothing_but_the_shortlist_changes():
    stages, _ = adapted(replace(MANY, shards=3))
    before = resolve(SPEC, PLAN, "words", VECTORS, CHEAP, 10)
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


@pytest.mark.parametrize(
    ("k", "shards"), [(10, 3), (10, 24), (100, 5), (100, 100), (400, 3), (400, 24), (400, 100)]
)
def test_the_nearest_of_all_are_among_those_of_each_shard(k, shards):
    """The exact tail of the binomial, over all shards at most."""
    missed = shards * binom.sf(per_shard_k(k, shards), k, 1 / shards)
    assert missed < 2e-4
