"""The published worked example of pseudo ground truth, by a live `_rank_eval` and by our own functions.

Twenty documents that one ranking returned are each rated 1. After a change, twenty come back, of which
three were among them, at the ranks 2, 5 and 10.
"""

from __future__ import annotations

import json

import pytest

from kokeshi.connect import connect
from kokeshi.engines import calls
from kokeshi_eval.definitions import dcg, expected
from kokeshi_eval.measure import compute_measures
from kokeshi_eval.pseudo import pseudo_grades

INDEX = "kokeshi-eval-pseudo-ground-truth"
K = 20
DCG, IDEAL, NORMALISED = 1.3068473871238868, 7.040268381923511, 0.1856246546622184
UNRATED = 17

BEFORE = [f"before-{rank}" for rank in range(1, K + 1)]
STAYED = {2: "before-7", 5: "before-1", 10: "before-20"}
AFTER = [STAYED.get(rank, f"after-{rank}") for rank in range(1, K + 1)]


def golden(value):
    return pytest.approx(value, rel=1e-12)


@pytest.fixture
def engine(opensearch_url):
    """An index where the field `rank` says where a document came before and after."""
    lines = []
    for doc_id in sorted({*BEFORE, *AFTER}):
        places = {"before": rank_in(BEFORE, doc_id), "after": rank_in(AFTER, doc_id)}
        lines += [json.dumps({"index": {"_id": doc_id}}), json.dumps(places)]
    with connect(opensearch_url) as client:
        client.delete_index(INDEX)
        client.create_index(INDEX, {"settings": {"number_of_replicas": 0}})
        client.bulk(INDEX, ("\n".join(lines) + "\n").encode())
        client.refresh(INDEX)
        yield client
        client.delete_index(INDEX)


def rank_in(ranking, doc_id):
    return ranking.index(doc_id) + 1 if doc_id in ranking else 1000


def ranked_by(field):
    return {"query": {"match_all": {}}, "sort": [{field: "asc"}]}


@pytest.mark.engine
@pytest.mark.opensearch
def test_the_engine_gives_the_published_figures(engine):
    hits = engine.search(INDEX, {"size": K, **ranked_by("before")})["hits"]["hits"]
    truth = pseudo_grades([hit["_id"] for hit in hits], K)
    assert list(truth) == BEFORE
    ratings = [{"_index": INDEX, "_id": id_, "rating": grade} for id_, grade in truth.items()]
    body = {
        "requests": [{"id": "q", "request": ranked_by("after"), "ratings": ratings}],
        "metric": {"dcg": {"k": K, "normalize": True}},
    }
    answer = engine.perform(calls.rank_eval(INDEX, body))
    detail = answer["details"]["q"]
    assert [hit["hit"]["_id"] for hit in detail["hits"]] == AFTER
    figures = detail["metric_details"]["dcg"]
    assert figures["dcg"] == golden(DCG)
    assert figures["ideal_dcg"] == golden(IDEAL)
    assert figures["normalized_dcg"] == golden(NORMALISED)
    assert figures["unrated_docs"] == UNRATED
    assert detail["metric_score"] == answer["metric_score"] == golden(NORMALISED)
    assert len(detail["unrated_docs"]) == UNRATED
    assert ours(AFTER, truth) == golden(detail["metric_score"])


def test_our_functions_give_the_published_figures():
    truth = pseudo_grades(BEFORE, K)
    grades = [truth.get(doc_id, 0) for doc_id in AFTER]
    assert dcg(grades) == golden(DCG)
    assert dcg(truth.values()) == golden(IDEAL)
    assert dcg(grades) / dcg(truth.values()) == golden(NORMALISED)
    assert expected("nDCG", AFTER, truth, K, 1) == golden(NORMALISED)
    assert ours(AFTER, truth) == golden(NORMALISED)
    assert sum(doc_id not in truth for doc_id in AFTER) == UNRATED


def ours(ids, truth):
    return compute_measures({"q": ids}, {"q": truth}, ("nDCG",), K)["q"][f"nDCG@{K}"]
