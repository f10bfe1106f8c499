"""What a live `_rank_eval` answers is what `kokeshi_eval.definitions` says of it."""

from __future__ import annotations

import json
import random

import pytest

from kokeshi.connect import connect
from kokeshi.engines import calls
from kokeshi_eval.definitions import DEFINITIONS, explain_figure
from kokeshi_eval.measure import compute_measures
from kokeshi_eval.rank_eval import METRICS

pytestmark = [pytest.mark.engine, pytest.mark.opensearch]

INDEX = "kokeshi-eval-definitions"
DOCUMENTS = [f"d{n}" for n in range(16)]
ABSENT = ["gone 1", "gone 2", "gone 3"]
HIGHEST = 4
EDGES = {
    "no hits": ([], {"d0": 4}),
    "no ratings": (["d0", "d1"], {}),
    "nothing at all": ([], {}),
    "zeros only": (["d0", "d1"], {"d0": 0, "d1": 0}),
    "one of five": (["d0"], dict.fromkeys(DOCUMENTS[:5], 3)),
    "unrated in front": (["d9", "d8", "d0"], {"d0": 1}),
    "rated but absent": (["d0"], {"d0": 1, **dict.fromkeys(ABSENT, 4)}),
    "worst first": (["d0", "d1", "d2"], {"d0": 0, "d1": 1, "d2": 4}),
    "best first, all of it": (["d2", "d1"], {"d1": 1, "d2": 4}),
}


@pytest.fixture(scope="module")
def engine(opensearch_url):
    lines = []
    for doc_id in DOCUMENTS:
        lines += [json.dumps({"index": {"_id": doc_id}}), "{}"]
    with connect(opensearch_url) as client:
        client.delete_index(INDEX)
        client.create_index(INDEX, {"settings": {"number_of_replicas": 0}})
        client.bulk(INDEX, ("\n".join(lines) + "\n").encode())
        client.refresh(INDEX)
        yield client
        client.delete_index(INDEX)


def random_cases():
    rng = random.Random(6)
    for number in range(60):
        hits = rng.sample(DOCUMENTS, rng.randint(0, len(DOCUMENTS)))
        rated = rng.sample(DOCUMENTS + ABSENT, rng.randint(0, 12))
        yield f"random {number}", (hits, {doc_id: rng.randint(0, HIGHEST) for doc_id in rated})


CASES = EDGES | dict(random_cases())


def request_of(name):
    """A search that returns exactly these documents in this order."""
    hits, grades = CASES[name]
    clauses = [
        {"constant_score": {"filter": {"ids": {"values": [doc_id]}}, "boost": len(hits) - rank}}
        for rank, doc_id in enumerate(hits)
    ]
    query = {"bool": {"should": clauses}} if hits else {"match_none": {}}
    ratings = [{"_index": INDEX, "_id": id_, "rating": grade} for id_, grade in grades.items()]
    return {"id": name, "request": {"query": query}, "ratings": ratings}


@pytest.mark.parametrize("k", [1, 3, 10, 20])
@pytest.mark.parametrize("measure", DEFINITIONS)
def test_the_engine_is_as_defined(engine, measure, k):
    body = {
        "requests": [request_of(name) for name in CASES],
        "metric": METRICS[measure](k, HIGHEST),
    }
    details = engine.perform(calls.rank_eval(INDEX, body))["details"]
    rankings = {name: hits for name, (hits, _) in CASES.items()}
    judged = {name: grades for name, (_, grades) in CASES.items()}
    standard = compute_measures(rankings, judged, (measure,), k, max_grade=HIGHEST)
    differing = 0
    for name, (hits, grades) in CASES.items():
        assert [hit["hit"]["_id"] for hit in details[name]["hits"]] == hits[:k]
        value = details[name]["metric_score"]
        ours = standard[name][f"{measure}@{k}"]
        found = explain_figure(measure, value, ours, hits, grades, k, max_grade=HIGHEST)
        assert value == pytest.approx(found.expected, abs=1e-6), name
        assert (found.why is None) is (value == pytest.approx(ours, abs=1e-6)), name
        differing += found.why is not None
    assert (differing > 0) is (measure in ("nDCG", "P") and k > 1)
