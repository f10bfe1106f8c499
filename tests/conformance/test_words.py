"""BM25 on every engine equals Lucene's formula in NumPy: ids and scores, for every way to match."""

from __future__ import annotations

import numpy as np
import pytest

from kokeshi import Index
from kokeshi.errors import CapabilityError
from kokeshi.schema import Fuse, Match, Rescore, SearchPlan, Shortlist

COUNT = 120
SPEC = """
index: conformance-words
text:
  title: {boost: 2}
  description:
  brand:
metadata: {brand: keyword, price: float}
vectors:
  embedding:
    encoder: {name: precomputed, column: vector}
    dimension: 8
    prefixes: [4]
    quantization: none
"""
WORDS = ["red", "blue", "green", "shoe", "lamp", "scarf", "jacket", "sofa", "tent", "boot"]
ODD = [
    "Don't stop: 3.14,5 e.g. wi-fi x_y 1,000.50 v1.2 a1 1a #tag C++",
    "藍色のカタカナ 한국어 ひらがな Ελληνικά ΣΑΣ İstanbul Straße e\u0301te\u0301 été",
    "🦊 fox 👩‍👩‍👧 🇩🇪 👍🏽 שלום ไทย Ⅷ ½",
    "",
    "...",
    "red " * 60,
    ["red shoe", None, "blue lamp"],
    "word " * 41 + "rare",
]


def make_documents() -> list[dict]:
    """Titles of one to eight words, descriptions up to two hundred, so that lengths are quantised."""
    rng = np.random.default_rng(5)
    documents = [
        {
            "id": f"p{i}",
            "title": " ".join(rng.choice(WORDS, rng.integers(1, 9))),
            "description": " ".join(rng.choice(WORDS, rng.integers(1, 200))),
            "brand": str(rng.choice(["Acme Red", "Blue Boot", "Ten"])),
            "price": float(i),
            "vector": rng.normal(size=8).tolist(),
        }
        for i in range(COUNT)
    ]
    for document, odd in zip(documents, ODD, strict=False):
        document["title"] = odd
    del documents[20]["description"]
    return documents


@pytest.fixture(scope="module")
def documents() -> list[dict]:
    return make_documents()


@pytest.fixture(scope="module")
def index(fill_index, documents) -> Index:
    return fill_index(SPEC, documents)


@pytest.fixture(scope="module")
def exact(oracle, documents) -> Index:
    return oracle(SPEC, documents)


def assert_same(index: Index, exact: Index, text: str, **options) -> None:
    """The same documents with the same scores; equal scores may come in any order."""
    found = index.search(text, size=COUNT, **options)
    expected = exact.search(text, size=COUNT, **options)
    assert (found.total, found.total_is_exact) == (expected.total, True)
    assert sorted(found.ids) == sorted(expected.ids)
    scores = {hit.id: hit.score for hit in expected.hits}
    np.testing.assert_allclose(
        [hit.score for hit in found.hits], [hit.score for hit in expected.hits], rtol=1e-5
    )
    np.testing.assert_allclose(
        [hit.score for hit in found.hits], [scores[id_] for id_ in found.ids], rtol=1e-5
    )


TEXTS = ["red", "red shoe", "red red lamp sofa", "Blue Boot", "nowhere", "tent RED-boot", "..."]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "match",
    [
        Match(),
        Match(fields=("title",)),
        Match(fields=("title^3", "description^0.5")),
        Match(type="most_fields"),
        Match(type="most_fields", operator="and"),
        Match(operator="and"),
        Match(minimum_should_match=2),
        Match(minimum_should_match=-1),
        Match(minimum_should_match="75%"),
        Match(minimum_should_match="-25%", fields=("title", "brand")),
        Match(operator="and", minimum_should_match="50%"),
        Match(operator="and", minimum_should_match=2),
        Match(type="phrase"),
        Match(type="phrase", fields=("description",)),
    ],
    ids=str,
)
def test_words_score_as_lucene_says(index, exact, match, text):
    assert_same(index, exact, text, plan=SearchPlan(match=match))


@pytest.mark.parametrize(("text", "ids"), [("red shoe", ["p6"]), ("shoe blue", [])])
def test_a_phrase_does_not_span_two_values(index, text, ids):
    plan = SearchPlan(match=Match(type="phrase", fields=("title",)), filter="id = p6")
    assert index.search(text, plan=plan).ids == ids


@pytest.mark.parametrize(
    "text",
    [
        *("don't", "dont", "stop", "3.14,5", "3.14", "e.g", "eg", "wi", "x_y", "x", "1,000.50"),
        *("v1.2", "a1", "1a", "tag", "#tag", "c", "C++"),
        *(
            "藍",
            "色",
            "藍色",
            "カタカナ",
            "の",
            "한국어",
            "한국",
            "ひ",
            "ΕΛΛΗΝΙΚΆ",
            "σας",
            "σασ",
            "ΣΑΣ",
        ),
        *("istanbul", "i̇stanbul", "straße", "strasse", "e\u0301te\u0301", "été", "ete"),
        *("🦊", "fox", "👩‍👩‍👧", "👩", "🇩🇪", "👍🏽", "שלום", "ไทย", "ⅷ", "½"),
    ],
)
def test_words_of_all_scripts_are_found_alike(index, exact, text):
    assert_same(index, exact, text, plan=SearchPlan(match=Match(fields=("title",))))


@pytest.mark.parametrize("expression", ["price < 40", "brand = Ten", "not (brand = Ten)"])
def test_a_filter_changes_no_score(index, exact, expression):
    assert_same(index, exact, "red shoe", plan="bm25", filter=expression)


def test_cross_fields_are_matched_by_servers_alone(index, engine):
    plan = SearchPlan(match=Match(type="cross_fields"))
    if engine.capabilities.dialect == "memory":
        with pytest.raises(
            CapabilityError, match="no match of type cross_fields; take best_fields"
        ):
            index.search("red shoe", plan=plan)
    else:
        assert index.search("red shoe", plan=plan).total > 0


HYBRIDS = {
    "default": "hybrid",
    "all on the list": SearchPlan(
        match=Match(),
        shortlist=Shortlist(dims=4, k=COUNT),
        rescore=Rescore(),
        fuse=Fuse(weight=0.7, saturation=1.5),
    ),
    "words find": SearchPlan(match=Match(), rescore=Rescore(), fuse=Fuse(weight=1)),
    "a prefix scores": SearchPlan(
        match=Match(type="most_fields"), rescore=Rescore(dims=4), fuse=Fuse(saturation=0.5)
    ),
    "no weight": SearchPlan(match=Match(), rescore=Rescore(), fuse=Fuse(weight=0)),
}


@pytest.mark.parametrize("plan", HYBRIDS)
@pytest.mark.parametrize("expression", [None, "price < 60"])
def test_words_and_similarity_add_up_to_the_same_score_everywhere(index, exact, plan, expression):
    vector = np.random.default_rng(9).normal(size=8)
    for text in ("red", "blue boot lamp"):
        options = {"vector": vector, "plan": HYBRIDS[plan], "filter": expression}
        assert_same(index, exact, text, **options)


@pytest.mark.parametrize("window", [5, 100])
@pytest.mark.parametrize("scored", [{"rescore": {}}, {"shortlist": {"dims": 4, "k": 50}}])
def test_ranks_are_fused_to_the_same_answer(index, exact, window, scored):
    plan = SearchPlan(match=Match(), rrf={"window": window}, **scored)
    vector = np.random.default_rng(9).normal(size=8)
    found, expected = (
        each.search("blue boot", vector=vector, plan=plan, size=20) for each in (index, exact)
    )
    np.testing.assert_allclose(
        [hit.score for hit in found.hits], [hit.score for hit in expected.hits], rtol=1e-9
    )
    assert sorted(found.ids) == sorted(expected.ids)


def test_another_k1_changes_all_servers_alike(fill_index, server):
    documents = [{"id": f"k{i}", "title": "shoe " * (i + 1)} for i in range(4)]
    settings = "settings: {similarity: {default: {type: BM25, k1: 0.9}}}"
    index = fill_index(f"index: conformance-k1\ntext: [title]\n{settings}", documents)
    score = index.search("shoe", plan="bm25", size=1).hits[0].score
    # tf 4 of a field of 4 words, 2.5 on average, in all 4 documents
    expected = np.log(1 + 0.5 / 4.5) * 4 / (4 + 0.9 * (0.25 + 0.75 * 4 / 2.5))
    assert score == pytest.approx(expected, rel=1e-5)
