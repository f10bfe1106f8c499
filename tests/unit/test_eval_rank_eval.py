"""`_rank_eval` requests as they are sent, and what its answers become."""

import json

import pytest

from kokeshi.engines import Capabilities, Engine
from kokeshi.engines.calls import Answer
from kokeshi.errors import EngineError
from kokeshi_eval import (
    Ranking,
    build_batches,
    build_ratings,
    build_request,
    parse_response,
    send_rank_eval,
)
from kokeshi_eval.rank_eval import find_rank_eval

FAILURE = {
    "error": {
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
        "failed_shards": [
            {
                "reason": {
                    "type": "script_exception",
                    "reason": "runtime error",
                    "caused_by": {"type": "null_pointer_exception", "reason": "x is null"},
                }
            }
        ],
    }
}


def answer(ids, score=0.5, index="shop-1"):
    hits = [{"hit": {"_index": index, "_id": i, "_score": 1.0}, "rating": None} for i in ids]
    return {"metric_score": score, "hits": hits, "unrated_docs": []}


class FakeEngine(Engine):
    """Answers each request with its ratings as hits; refuses bodies whose query is `bad`."""

    capabilities = Capabilities("opensearch", (3, 6, 0), derived_source=True)

    def __init__(self):
        self.sent = []

    def perform(self, call):
        self.sent.append((call.index, call.body))
        requests = call.body["requests"]
        if any(request["request"]["query"] == "bad" for request in requests):
            raise EngineError("unknown query [bad]", status=400)
        ids = {r["id"]: [rating["_id"] for rating in r["ratings"]] for r in requests}
        details = {query: answer(found) for query, found in ids.items()}
        return call.read(Answer(200, {"metric_score": 0.5, "details": details, "failures": {}}))

    def close(self):
        pass


def test_a_request_is_the_search_without_paging():
    body = {"size": 20, "from": 5, "_source": False, "query": {"match_all": {}}, "min_score": 1}
    ratings = build_ratings("shop-1", {"7": 3, "8": 0})
    assert build_request("靴", body, ratings) == {
        "id": "靴",
        "request": {"query": {"match_all": {}}, "min_score": 1},
        "ratings": [
            {"_index": "shop-1", "_id": "7", "rating": 3},
            {"_index": "shop-1", "_id": "8", "rating": 0},
        ],
    }
    assert "size" in body  # what was built is left as it is


def test_batches_keep_order_within_both_bounds():
    requests = [
        {"id": str(n), "request": {"query": "x" * (500 if n == 3 else 10)}} for n in range(8)
    ]
    batches = list(build_batches(requests, max_requests=2, max_bytes=200))
    assert [[request["id"] for request in batch] for batch in batches] == [
        ["0", "1"],
        ["2"],
        ["3"],
        ["4", "5"],
        ["6", "7"],
    ]
    assert all(
        len(json.dumps(batch, separators=(",", ":"))) <= 202 for batch in batches if len(batch) > 1
    )
    assert list(build_batches([])) == []


def test_bytes_are_counted_as_sent():
    requests = [{"id": "靴" * 30}] * 4  # 90 bytes each, and some
    assert [len(batch) for batch in build_batches(requests, max_bytes=210)] == [2, 2]


def test_a_response_becomes_rankings():
    response = {"details": {"a": answer(["7", "8"], 0.25), "b": answer([], 0.0)}, "failures": {}}
    assert parse_response(response, ["a", "b"], "shop-1") == {
        "a": Ranking(("7", "8"), 0.25),
        "b": Ranking((), 0.0),
    }


def test_any_failure_makes_the_run_invalid():
    response = {"metric_score": "NaN", "details": {"b": answer([])}, "failures": {"a": FAILURE}}
    message = "failed for 1 of 2 queries, so no mean holds: 'a': null_pointer_exception: x is null"
    with pytest.raises(EngineError, match=message):
        parse_response(response, ["a", "b"], "shop-1")


def test_many_failures_are_counted_not_all_printed():
    failures = {str(n): FAILURE for n in range(9)}
    with pytest.raises(EngineError, match=r"9 of 9 .*'4': .*; and 4 more$"):
        parse_response({"details": {}, "failures": failures}, list("012345678"), "shop-1")


def test_answers_that_cannot_be_trusted():
    with pytest.raises(EngineError, match="no answer for 'b'"):
        parse_response({"details": {"a": answer([])}, "failures": {}}, ["a", "b"], "shop-1")
    moved = {"details": {"a": answer(["7"], index="shop-2")}, "failures": {}}
    with pytest.raises(EngineError, match="answered by 'shop-2', not 'shop-1': the alias moved"):
        parse_response(moved, ["a"], "shop-1")
    with pytest.raises(EngineError, match="'a' answered NaN"):
        parse_response({"details": {"a": answer([], "NaN")}, "failures": {}}, ["a"], "shop-1")


def test_sending_names_the_concrete_index_in_ratings_and_batches():
    engine = FakeEngine()
    queries = [f"q{n}" for n in range(150)]
    bodies = {query: {"query": "good", "size": 20} for query in queries}
    grades = {query: {"7": 3} for query in queries}
    found = send_rank_eval(engine, "shop", "shop-1", bodies, grades, 10)
    assert list(found) == queries
    assert set(found.values()) == {Ranking(("7",), 0.5)}
    assert [(index, len(body["requests"])) for index, body in engine.sent] == [
        ("shop", 100),
        ("shop", 50),
    ]
    body = engine.sent[0][1]
    assert body["metric"] == {"dcg": {"k": 10, "normalize": True}}
    assert body["requests"][0]["ratings"][0]["_index"] == "shop-1"


def test_a_query_that_cannot_be_parsed_is_named():
    bodies = {"a": {"query": "good"}, "b": {"query": "bad"}, "c": {"query": "good"}}
    with pytest.raises(EngineError, match=r"refused query 'b': unknown query \[bad\]") as caught:
        send_rank_eval(FakeEngine(), "shop", "shop-1", bodies, {}, 10)
    assert caught.value.status == 400


TYPED = {"error": {"type": "illegal_argument_exception", "reason": "Required [requests, metric]"}}
MISSING = {"error": "no handler found for uri [/shop/_rank_eval] and method [POST]"}


@pytest.mark.parametrize(
    ("status", "body", "there"),
    [
        (400, TYPED | {"status": 400}, True),
        (404, {"error": {"type": "index_not_found_exception", "reason": "no such index"}}, True),
        (400, MISSING, False),
        (405, {"error": "Incorrect HTTP method for uri [/shop/_rank_eval]", "status": 405}, False),
        (404, "<html>no such page</html>", False),
        (410, {"error": {"type": "api_not_available_exception", "reason": "…"}}, False),
    ],
)
def test_a_refusal_is_no_proof_that_the_module_is_missing(status, body, there):
    call = find_rank_eval("shop")
    assert (call.method, call.path, call.content) == ("POST", "/shop/_rank_eval", b"{}")
    assert status in call.accept
    assert call.read(Answer(status, body)) is there


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_an_answer_that_says_nothing_of_the_module_stays_an_error(status):
    assert status not in find_rank_eval("shop").accept
