"""Plans fit what their filter leaves: exact where that is little, else k for each shard; all exact."""

from __future__ import annotations

import numpy as np
import pytest

from kokeshi import F, Index
from kokeshi.codes import SPACES, normalise
from kokeshi.plans.adapt import per_shard_k
from kokeshi.schema import Rescore, SearchPlan, Shortlist

COUNT = 300
DIMENSION = 16
SPEC = """
index: conformance-adaptive
metadata: {price: float}
shards: 3
vectors:
  embedding:
    encoder: {name: precomputed, column: vector}
    dimension: 16
    prefixes: [8]
    quantization: none
"""


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(4).normal(size=(COUNT, DIMENSION)).astype(np.float32)


@pytest.fixture(scope="module")
def filled(fill_index, vectors) -> Index:
    rows = enumerate(vectors)
    documents = [{"id": f"p{i}", "price": i, "vector": v.tolist()} for i, v in rows]
    return fill_index(SPEC, documents)


@pytest.fixture
def index(filled) -> Index:
    """The index, of which nothing is known yet."""
    return Index(filled.spec, filled.engine)


@pytest.fixture(scope="module")
def query():
    return np.random.default_rng(6).normal(size=DIMENSION).astype(np.float32)


def two_stage(k: int, exact_below: int) -> SearchPlan:
    return SearchPlan(shortlist=Shortlist(dims=8, k=k, exact_below=exact_below), rescore=Rescore())


def best(vectors, query, size: int, below: int = COUNT) -> list[float]:
    """The exact scores of the best, of documents cheaper than `below`."""
    similarity = SPACES["cosine"].similarity(query, normalise(vectors[:below]))
    scores = SPACES["cosine"].to_score(similarity.astype(np.float64))
    return sorted(scores.tolist(), reverse=True)[:size]


def assert_scores(result, expected: list[float]) -> None:
    np.testing.assert_allclose([hit.score for hit in result.hits], expected, rtol=1e-5)


@pytest.mark.parametrize("below", [1, 20, 100])
def test_what_little_a_filter_leaves_is_compared_exactly(index, vectors, query, below):
    plan, options = two_stage(5, 100), {"vector": query, "filter": F.price < below, "size": 5}
    (note,) = index.build_search(plan=plan, **options).notes
    assert f"the filter leaves {below} of {COUNT} documents: all of them are compared" in note
    result = index.search(plan=plan, **options)
    assert_scores(result, best(vectors, query, 5, below))
    assert result.total == below


def test_just_above_the_limit_a_graph_is_walked(index, query):
    plan = two_stage(20, 100)
    options = {"plan": plan, "vector": query, "filter": F.price < 101, "size": 5}
    notes = index.build_search(**options).notes
    assert "a shortlist of 20 by the graph of embedding_8" in notes[0]
    assert 20 <= index.search(**options).total <= 3 * 20


def test_the_first_search_learns_what_the_second_uses(index, vectors, query):
    options = {"plan": two_stage(5, 100), "vector": query, "filter": F.price < 50, "size": 5}
    first, second = index.search(**options), index.search(**options)
    assert first.total < second.total == 50
    assert_scores(second, best(vectors, query, 5, 50))


def test_k_is_widened_to_hold_the_nearest_of_all_shards(index, query, engine):
    options = {"plan": two_stage(60, 0), "vector": query, "size": 5}
    index.search(**options)
    shards = 1 if engine.capabilities.dialect == "memory" else 3
    k = per_shard_k(60, shards)
    assert index.search(**options).total == k * shards
    notes = index.build_search(**options).notes
    assert any(f"each of 3 shards gives its {k} nearest" in n for n in notes) == (shards == 3)


@pytest.mark.parametrize("below", [30, 150, COUNT])
def test_a_shortlist_of_all_that_is_left_is_exact(index, vectors, query, below):
    options = {"plan": two_stage(COUNT, 0), "vector": query, "filter": F.price < below, "size": 20}
    for _ in range(2):  # before and after the filter is known
        assert_scores(index.search(**options), best(vectors, query, 20, below))


def test_a_filter_that_leaves_nothing_is_known_to_leave_nothing(index, query):
    options = {"plan": two_stage(5, 100), "vector": query, "filter": F.price < 0}
    assert [index.search(**options).total for _ in range(2)] == [0, 0]


def test_an_index_made_anew_with_other_shards_is_noticed(fill_index, vectors, query):
    spec = SPEC.replace("conformance-adaptive", "conformance-anew")
    documents = [{"id": f"p{i}", "price": i, "vector": v.tolist()} for i, v in enumerate(vectors)]
    index = fill_index(spec, documents)
    asked = {"plan": two_stage(50, 0), "vector": query, "size": 5}
    for _ in range(2):  # learn, then use what was learnt
        index.search(**asked)
    fill_index(spec.replace("shards: 3", "shards: 1"), documents)
    assert index.search(**asked).total == 50
