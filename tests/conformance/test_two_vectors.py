"""Plans that find by one vector and score by another, of documents that lack either."""

from __future__ import annotations

import pytest

from kokeshi import Index
from kokeshi.ingest.documents import serialise
from kokeshi.schema import SearchPlan

SPEC = """
index: conformance-two-vectors
text: [title]
vectors:
  words:
    encoder: {name: precomputed, column: w}
    dimension: 2
    graph: true
    quantization: none
  image: {encoder: {name: precomputed, column: i}, dimension: 2, space: dot}
"""
DOCUMENTS = {
    "both": {"title": "red shoe", "words": [1.0, 0.0], "image": [1.0, 2.0]},
    "also": {"title": "red lamp", "words": [0.0, 1.0], "image": [-1.0, 0.0]},
    "no image": {"title": "red boot", "words": [0.6, 0.8]},
    "no words": {"title": "red kite", "image": [9.0, 9.0]},
    "neither": {"title": "red tent"},
}


@pytest.fixture(scope="module")
def index(open_index) -> Index:
    opened = open_index(SPEC)
    body = b"".join(serialise(id_, fields) for id_, fields in DOCUMENTS.items())
    assert {item.reason for item in opened.engine.bulk(opened.spec.index, body)} == {None}
    opened.engine.refresh(opened.spec.index)
    return opened


SHORTLIST = {"dims": "full", "k": 10, "vector": "words"}
RESCORE = {"vector": "image"}


@pytest.mark.parametrize(
    ("plan", "scores"),
    [
        ({"shortlist": SHORTLIST}, {"both": 1.0, "no image": 0.8, "also": 0.5}),
        ({"rescore": RESCORE}, {"no words": 10.0, "both": 2.0, "also": 0.5}),
        ({"shortlist": SHORTLIST, "rescore": RESCORE}, {"both": 2.0, "also": 0.5}),
        ({"match": {}, "rescore": RESCORE}, {"no words": 10.0, "both": 2.0, "also": 0.5}),
    ],
    ids=["found by one", "scored by the other", "both", "words and one"],
)
def test_a_document_that_cannot_be_compared_is_no_hit(index, plan, scores):
    result = index.search("red", vector=[1.0, 0.0], plan=SearchPlan.model_validate(plan))
    assert {hit.id: hit.score for hit in result.hits} == pytest.approx(scores, rel=1e-6)
    assert result.ids == list(scores)


def test_words_alone_still_find_it(index):
    plan = SearchPlan.model_validate(
        {"match": {}, "shortlist": SHORTLIST, "rescore": RESCORE, "fuse": {"weight": 1}}
    )
    result = index.search("red", vector=[1.0, 0.0], plan=plan)
    assert set(result.ids) == set(DOCUMENTS)
    assert result.ids[0] == "no words"
