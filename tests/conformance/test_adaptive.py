"""Plans fit what their filter leaves: exact where that is little, else k for each shard; all exact."""

from __future__ import annotations

import numpy as np
import pytest

from kokeshi import F, Index
from kokeshi.codes import SPACES, normalise
from kokeshi.plans.adapt import per_shard_k
from kokeshi.schema import Fuse, Match, Rescore, SearchPlan, Shortlist

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


def test_just_above_the_limit_a_graph_is_walked(index, query):
    shortlist = Shortlist(dims=8, k=20, exact_below=100, candidates=20)
    plan = SearchPlan(shortlist=shortlist, rescore=Rescore())
    options = {"plan": plan, "vector": query, "filter": F.price < 101, "size": 5}
    notes = index.build_search(**options).notes
    assert "a shortlist of 20, by the graph of embedding_8" in notes[0]
    assert len(index.search(**options).ids) == 5


def test_a_short_shortlist_is_widened_under_a_filter(index, vectors, query):
    options = {"plan": two_stage(5, 100), "vector": query, "filter": F.price < 101, "size": 5}
    assert "a shortlist of 400, 5 widened under a filter" in index.build_search(**options).notes[0]
    assert_scores(index.search(**options), best(vectors, query, 5, 101))


@pytest.mark.parametrize("below", [50, 150, COUNT])
def test_an_answer_does_not_depend_on_what_was_asked_before(index, query, below):
    options = {"plan": two_stage(5, 100), "vector": query, "filter": F.price < below}
    asked = Index(index.spec, index.engine)
    whole = asked.search(**options, size=40)
    pages = [
        Index(index.spec, index.engine).search(**options, size=10, offset=offset).ids
        for offset in range(0, 40, 10)
    ]
    assert [id_ for page in pages for id_ in page] == whole.ids
    assert asked.search(**options, size=40).ids == whole.ids


def test_hybrid_compares_all_that_a_filter_leaves_where_it_is_little(fill_index, vectors, query):
    spec = SPEC.replace("conformance-adaptive", "conformance-hybrid").replace(
        "metadata:", "text: [title]\nmetadata:"
    )
    rows = enumerate(vectors)
    documents = [
        {"id": f"p{i}", "price": i, "title": "shoe" if i < 3 else "lamp", "vector": v.tolist()}
        for i, v in rows
    ]
    index = fill_index(spec, documents)
    plan = SearchPlan(
        match=Match(),
        shortlist=Shortlist(dims=8, k=2, exact_below=100, candidates=2),
        rescore=Rescore(),
        fuse=Fuse(),
    )
    found = index.search("shoe", vector=query, plan=plan, filter=F.price < 60, size=60)
    assert sorted(found.ids) == sorted(f"p{i}" for i in range(60))


def test_documents_that_came_since_are_counted_anew(fill_index, open_index, vectors, query):
    spec = SPEC.replace("conformance-adaptive", "conformance-grown")
    index = open_index(spec)
    asked = {"plan": two_stage(20, 100), "vector": query, "size": 5}
    assert index.search(**asked).ids == []
    documents = [{"id": f"p{i}", "price": i, "vector": v.tolist()} for i, v in enumerate(vectors)]
    other = fill_index(spec, documents)  # through another Index
    index.search(**asked)  # compares all, as it knows of none, and notices
    assert index.build_search(**asked).notes == other.build_search(**asked).notes


def test_k_is_widened_to_hold_the_nearest_of_all_shards(index, query, engine):
    shortlist = Shortlist(dims=8, k=60, exact_below=0)
    options = {"plan": SearchPlan(shortlist=shortlist), "vector": query, "size": 5}
    index.search(**options)
    shards = 1 if engine.capabilities.dialect == "memory" else 3
    k = per_shard_k(60, shards)
    assert index.search(**options).total == k * shards
    notes = index.build_search(**options).notes
    assert any(f"each of 3 gives its {k} nearest" in n for n in notes) == (shards == 3)


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
    plan = SearchPlan(shortlist=Shortlist(dims=8, k=50, exact_below=0))
    asked = {"plan": plan, "vector": query, "size": 5}
    for _ in range(2):  # learn, then use what was learnt
        index.search(**asked)
    fill_index(spec.replace("shards: 3", "shards: 1"), documents)
    assert index.search(**asked).total == 50
