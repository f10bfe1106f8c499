"""Every plan on each engine against an exact answer in NumPy: ids, ties by group, and scores."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import orjson
import pytest

from kokeshi import F, Index
from kokeshi.codes import SPACES, prefix
from kokeshi.errors import EncoderError
from kokeshi.ingest.documents import serialise
from kokeshi.schema import Fuse, Match, Rescore, SearchPlan, Shortlist
from kokeshi.types import Float32

DIMENSION = 32
COUNT = 500
DELETED = 20
SIZE = 25
COLOURS = ["red", "bleu été", "藍色", "🦊 fox", 'a "quoted" \\ one']
WORDS = ["jacket", "shoe", "lamp", "scarf"]
SPEC = """
index: conformance-plans-{space}
text: [title]
metadata: {{price: float, colour: keyword, sizes: keyword}}
shards: 3
vectors:
  embedding:
    encoder: {{name: precomputed, column: vector}}
    dimension: {dimension}
    prefixes: [8]
    space: {space}
    quantization: none
"""


@dataclass
class Catalogue:
    """The index, and the live documents that have a vector, in the order of `vectors`."""

    index: Index
    documents: list[dict]
    vectors: Float32
    bare: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    @property
    def space(self):
        return SPACES[self.index.spec.vectors["embedding"].space]

    def scores(self, query: Float32, dims: int = DIMENSION) -> dict[str, float]:
        """The exact score of each document at its first `dims` dimensions."""
        space = self.index.spec.vectors["embedding"].space
        vectors = prefix(self.vectors, dims, space=space)
        similarity = self.space.similarity(prefix(query[None], dims, space=space)[0], vectors)
        scores = self.space.to_score(similarity.astype(np.float64))
        return dict(zip((d["id"] for d in self.documents), scores.tolist(), strict=True))


def make_documents(rng: np.random.Generator) -> list[dict]:
    vectors = rng.normal(size=(COUNT, DIMENSION)).astype(np.float32)
    vectors[100:110] = vectors[100]  # a group of ties
    return [
        {
            "id": f"p{i}",
            "title": f"{WORDS[i % 4]} number {i}",
            "price": float(i),
            "colour": COLOURS[i % 5],
            "sizes": ["s", "m"] if i % 3 else ["l"],
            "vector": vector.tolist(),
        }
        for i, vector in enumerate(vectors)
    ]


@pytest.fixture(scope="module", params=["cosine", "dot", "l2"])
def catalogue(request, fill_index) -> Catalogue:
    documents = make_documents(np.random.default_rng(7))
    index = fill_index(SPEC.format(space=request.param, dimension=DIMENSION), documents)
    bare = [f"bare{i}" for i in range(3)]
    deleted = [document["id"] for document in documents[-DELETED:]]
    body = b"".join(serialise(id_, {"title": "jacket alone", "price": 1.0}) for id_ in bare)
    body += b"".join(orjson.dumps({"delete": {"_id": id_}}) + b"\n" for id_ in deleted)
    assert {item.reason for item in index.engine.bulk(index.spec.index, body)} == {None}
    index.engine.refresh(index.spec.index)
    live = documents[:-DELETED]
    vectors = np.array([document["vector"] for document in live], np.float32)
    return Catalogue(index, live, vectors, bare, deleted)


@pytest.fixture
def query() -> Float32:
    return np.random.default_rng(11).normal(size=DIMENSION).astype(np.float32)


def assert_best(hits, expected: dict[str, float], size: int = SIZE) -> None:
    """The hits are the best of `expected`; which of a group of equal scores comes is open."""
    scores = [hit.score for hit in hits]
    best = sorted(expected.values(), reverse=True)[:size]
    assert len({hit.id for hit in hits}) == len(hits) == len(best)
    np.testing.assert_allclose(scores, best, rtol=1e-5)
    np.testing.assert_allclose([expected[hit.id] for hit in hits], scores, rtol=1e-5)


def two_stage(k: int) -> SearchPlan:
    """The plan that walks a graph, however few documents there are."""
    return SearchPlan(shortlist=Shortlist(dims=8, k=k, exact_below=0), rescore=Rescore())


VECTOR_PLANS = ["exact", "single", "two-stage"]


@pytest.mark.parametrize("plan", ["exact", "single"])
def test_full_dimension_plans_equal_the_exact_answer(catalogue, query, plan):
    hits = catalogue.index.search(vector=query, plan=plan, size=SIZE).hits
    assert_best(hits, catalogue.scores(query))


@pytest.mark.parametrize("plan", ["exact", "single"])
def test_tied_documents_come_as_one_group(catalogue, plan):
    vector = catalogue.vectors[100]
    if catalogue.index.spec.vectors["embedding"].space == "dot":
        vector = vector * 10
    hits = catalogue.index.search(vector=vector, plan=plan, size=10).hits
    assert_best(hits, catalogue.scores(vector), 10)
    assert {hit.id for hit in hits} == {f"p{i}" for i in range(100, 110)}


@pytest.mark.parametrize("k", [COUNT, 10_000])
def test_two_stages_with_every_document_on_the_list_equal_the_exact_answer(catalogue, query, k):
    hits = catalogue.index.search(vector=query, plan=two_stage(k), size=SIZE).hits
    assert_best(hits, catalogue.scores(query))


def test_a_shortlist_alone_scores_the_prefix(catalogue, query):
    plan = SearchPlan(shortlist=Shortlist(dims=8, k=COUNT))
    hits = catalogue.index.search(vector=query, plan=plan, size=SIZE).hits
    assert_best(hits, catalogue.scores(query, dims=8))


def test_rescoring_at_a_prefix_scores_the_prefix(catalogue, query):
    plan = SearchPlan(rescore=Rescore(dims=8))
    hits = catalogue.index.search(vector=query, plan=plan, size=SIZE).hits
    assert_best(hits, catalogue.scores(query, dims=8))


FILTERS = {
    "range": (F.price < 40, lambda d: d["price"] < 40),
    "unicode": (F.colour == "藍色", lambda d: d["colour"] == "藍色"),
    "quoted": (F.colour == COLOURS[4], lambda d: d["colour"] == COLOURS[4]),
    "one of several values": (F.sizes == "m", lambda d: "m" in d["sizes"]),
    "both": (
        (F.sizes == "l") & (F.price >= 100),
        lambda d: "l" in d["sizes"] and d["price"] >= 100,
    ),
    "negated": (~(F.colour == "red"), lambda d: d["colour"] != "red"),
}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("plan", VECTOR_PLANS)
def test_a_filter_keeps_the_best_of_what_it_leaves(catalogue, query, name, plan):
    expression, keeps = FILTERS[name]
    scores = catalogue.scores(query)
    left = {d["id"]: scores[d["id"]] for d in catalogue.documents if keeps(d)}
    plan = two_stage(COUNT) if plan == "two-stage" else plan
    hits = catalogue.index.search(vector=query, plan=plan, filter=expression, size=SIZE).hits
    assert_best(hits, left)


def test_the_filters_of_plan_and_query_both_hold(catalogue, query):
    plan = SearchPlan(rescore=Rescore(), filter="price < 60")
    hits = catalogue.index.search(vector=query, plan=plan, filter="sizes = l", size=SIZE).hits
    scores = catalogue.scores(query)
    kept = [d["id"] for d in catalogue.documents if d["price"] < 60 and "l" in d["sizes"]]
    assert_best(hits, {id_: scores[id_] for id_ in kept})


@pytest.mark.parametrize("plan", ["bm25", "hybrid", *VECTOR_PLANS])
def test_a_filter_that_leaves_nothing_gives_no_hits(catalogue, query, plan):
    result = catalogue.index.search("jacket", vector=query, plan=plan, filter="price < 0")
    assert (result.ids, result.total) == ([], 0)


@pytest.mark.parametrize("plan", VECTOR_PLANS)
def test_pages_follow_each_other(catalogue, query, plan):
    whole = catalogue.index.search(vector=query, plan=plan, size=30).ids
    pages = [
        catalogue.index.search(vector=query, plan=plan, size=10, offset=offset).ids
        for offset in (0, 10, 20)
    ]
    assert [id_ for page in pages for id_ in page] == whole


def test_k_grows_with_a_deep_page(catalogue, query):
    plan = SearchPlan(shortlist=Shortlist(dims="full", k=1))
    scores = catalogue.scores(query)
    hits = catalogue.index.search(vector=query, plan=plan, size=10, offset=50).hits
    best = sorted(scores.values(), reverse=True)[50:60]
    np.testing.assert_allclose([hit.score for hit in hits], best, rtol=1e-5)


def test_more_hits_than_documents_gives_them_all(catalogue, query):
    hits = catalogue.index.search(vector=query, plan="exact", size=COUNT * 2).hits
    assert_best(hits, catalogue.scores(query), COUNT)


@pytest.mark.parametrize("plan", [*VECTOR_PLANS, SearchPlan(shortlist=Shortlist(dims=8, k=9_000))])
def test_deleted_documents_and_those_without_a_vector_do_not_appear(catalogue, query, plan):
    ids = catalogue.index.search(vector=query, plan=plan, size=1_000).ids
    assert not set(ids) & {*catalogue.deleted, *catalogue.bare}


@pytest.mark.parametrize("plan", ["bm25", "hybrid"])
def test_documents_without_a_vector_are_found_by_their_words(catalogue, query, plan):
    ids = catalogue.index.search("jacket alone", vector=query, plan=plan, size=COUNT).ids
    assert set(catalogue.bare) <= set(ids)


@pytest.mark.parametrize("shortlist", [None, Shortlist(dims=8, k=COUNT)])
def test_hybrid_adds_saturated_words_and_weighted_similarity(catalogue, query, shortlist):
    found = catalogue.index.search("jacket alone", plan="bm25", size=1_000).hits
    words = {hit.id: hit.score / (hit.score + 3.0) for hit in found}
    scores = catalogue.scores(query)
    candidates = set(words) | (set(scores) if shortlist else set())
    expected = {i: words.get(i, 0.0) + 0.7 * scores.get(i, 0.0) for i in candidates}
    plan = SearchPlan(
        match=Match(),
        shortlist=shortlist,
        rescore=Rescore(),
        fuse=Fuse(weight=0.7, saturation=3.0),
    )
    hits = catalogue.index.search("jacket alone", vector=query, plan=plan, size=SIZE).hits
    assert_best(hits, expected)


def test_words_rescored_by_similarity_alone(catalogue, query):
    scores = catalogue.scores(query)
    found = catalogue.index.search("scarf", plan="bm25", size=1_000).ids
    plan = SearchPlan(match=Match(), rescore=Rescore())
    hits = catalogue.index.search("scarf", vector=query, plan=plan, size=SIZE).hits
    assert_best(hits, {id_: scores[id_] for id_ in found})


def test_words_rescored_by_similarity_leave_out_documents_without_a_vector(catalogue, query):
    plan = SearchPlan(match=Match(), rescore=Rescore())
    ids = catalogue.index.search("jacket alone", vector=query, plan=plan, size=1_000).ids
    assert ids
    assert not set(ids) & set(catalogue.bare)


def test_vectors_do_not_come_back_with_the_hits(catalogue, query):
    hit = catalogue.index.search(vector=query, size=1).hits[0]
    assert set(hit.source) == {"id", "title", "price", "colour", "sizes"}


@pytest.mark.parametrize("fields", [(), ("price",), ("sizes", "absent")])
def test_of_a_document_comes_back_what_is_asked_for(catalogue, query, fields):
    hit = catalogue.index.search(vector=query, size=1, fields=fields).hits[0]
    assert set(hit.source) == {*fields} - {"absent"}


def test_counts_are_of_the_documents_that_pass(catalogue):
    assert catalogue.index.count("price < 10") == 10 + len(catalogue.bare)


def test_a_query_of_the_wrong_dimension_is_refused_before_it_is_sent(catalogue):
    with pytest.raises(EncoderError, match="32 dimensions are expected"):
        catalogue.index.search(vector=[1.0, 2.0])


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_counts_what_it_leaves(catalogue, name):
    expression, keeps = FILTERS[name]
    alone = [{"colour": None, "sizes": [], "price": 1.0}] * len(catalogue.bare)
    assert catalogue.index.count(expression) == sum(map(keeps, [*catalogue.documents, *alone]))


def test_everything_is_counted(catalogue):
    assert catalogue.index.count() == COUNT - DELETED + len(catalogue.bare)


@pytest.mark.parametrize("plan", ["exact", two_stage(40)], ids=["exact", "two-stage"])
def test_the_total_is_at_least_what_was_asked_for(catalogue, query, plan):
    result = catalogue.index.search(vector=query, plan=plan, size=5)
    assert result.total_is_exact
    assert 5 <= result.total <= len(catalogue.documents)


def test_a_replaced_document_is_found_as_it_is_now(catalogue, query):
    index, name = catalogue.index, catalogue.index.spec.index
    space = index.spec.vectors["embedding"].space
    first, second = prefix(catalogue.vectors[:2], DIMENSION, space=space).tolist()
    fields = {"id": "again", "embedding": first, "price": 5_000.0}
    other = {"id": "again", "embedding": second, "price": 6_000.0}
    try:
        index.engine.bulk(name, serialise("again", fields))
        index.engine.bulk(name, serialise("again", other))
        index.engine.refresh(name)
        assert (index.count("price = 5000"), index.count("price = 6000")) == (0, 1)
        (hit,) = index.search(vector=query, plan="exact", filter="price > 4000").hits
        assert hit.score == pytest.approx(catalogue.scores(query)["p1"], rel=1e-5)
    finally:
        index.engine.bulk(name, b'{"delete": {"_id": "again"}}\n')
        index.engine.refresh(name)
