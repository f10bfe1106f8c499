"""Rankings by `_msearch`: the searches as they are sent, and what their answers become."""

from __future__ import annotations

import json

import pytest

from kokeshi.engines import Capabilities, Engine
from kokeshi.engines.calls import Answer
from kokeshi.errors import EngineError
from kokeshi.plans import SearchRequest
from kokeshi.schema import Rrf
from kokeshi_eval import Ranking
from kokeshi_eval.msearch import build_searches, send_msearch

FAILED = {"error": {"type": "script_exception", "reason": "x is null"}, "status": 400}
SHARD_FAILED = {"_shards": {"failures": [{"reason": {"type": "io", "reason": "disk gone"}}]}}


def one(query, size=20):
    return SearchRequest(({"size": size, "_source": ["title"], "query": query},), ())


def two(words, vectors, rrf, size=20):
    bodies = tuple({"size": size, "_source": False, "query": query} for query in (words, vectors))
    return SearchRequest(bodies, (), rrf)


def answer(ids, index="shop-1"):
    hits = [{"_index": index, "_id": i, "_score": 1.0} for i in ids]
    total = {"value": len(hits), "relation": "eq"}
    return {"took": 1, "_shards": {"total": 1}, "hits": {"total": total, "hits": hits}}


class LetterEngine(Engine):
    """Answers a query with its letters as hits, or with what `answers` has for it; `bad` fails all."""

    capabilities = Capabilities("elasticsearch", (9, 4, 3), derived_source=True)

    def __init__(self, **answers):
        self.answers = answers
        self.sent = []

    def perform(self, call):
        bodies = [json.loads(line) for line in call.body.splitlines()[1::2]]
        self.sent.append((call.path, bodies))
        if any(body["query"] == "bad" for body in bodies):
            raise EngineError("unknown query [bad]", status=400)
        return call.read(Answer(200, {"responses": [self._answer(body) for body in bodies]}))

    def close(self):
        pass

    def _answer(self, body):
        return self.answers.get(body["query"]) or answer(body["query"][: body["size"]])


def rank(requests, k=10, **answers):
    return send_msearch(LetterEngine(**answers), "shop", "shop-1", requests, k)


def test_a_search_is_what_is_served_to_depth_k_without_documents():
    body = {"size": 20, "from": 5, "_source": ["title"], "query": {"match_all": {}}, "min_score": 1}
    sent = {"query": {"match_all": {}}, "min_score": 1, "size": 7, "_source": False}
    assert build_searches(SearchRequest((body,), ()), 7) == [sent]
    assert body["size"] == 20  # what was built is left as it is


def test_searches_that_are_fused_keep_their_window():
    words, vectors = build_searches(two("w", "v", Rrf(window=100), size=100), 10)
    assert words == {"query": "w", "size": 100, "_source": False}
    assert vectors == {"query": "v", "size": 100, "_source": False}


def test_answers_become_rankings_cut_at_k():
    found = rank({"hat": one("abcd"), "shoe": one(""), "靴": one("c")}, k=3)
    assert found == {"hat": Ranking(("a", "b", "c")), "shoe": Ranking(()), "靴": Ranking(("c",))}
    assert {ranking.path for ranking in found.values()} == {"_msearch"}


def test_two_searches_are_fused_by_rank():
    # c has 1/3 + 1/1, a has 1/1, b and x have 1/2: of these two the words' comes first
    requests = {"hat": two("abc", "cxd", Rrf(rank_constant=0)), "gone": two("", "", Rrf())}
    requests["one"] = two("", "ba", Rrf())
    found = rank(requests, k=3)
    assert found["hat"].ids == ("c", "a", "b")
    assert found["gone"].ids == ()
    assert found["one"].ids == ("b", "a")


def test_the_fused_ranking_is_as_deep_as_the_window_whatever_k():
    """z is first of both to a window of 3; cut at k = 1 it would not be seen."""
    request = two("xyz", "abz", Rrf(window=3, rank_constant=0), size=3)
    assert rank({"hat": request}, k=3)["hat"].ids == ("x", "a", "z")
    flat = two("xyz", "abz", Rrf(window=3, rank_constant=60), size=3)
    assert rank({"hat": flat}, k=1)["hat"].ids == ("z",)


def test_batches_hold_whole_queries_in_order():
    engine = LetterEngine()
    requests = {f"q{n}": two(f"a{n}", f"b{n}", Rrf()) for n in range(150)}
    found = send_msearch(engine, "shop", "shop-1", requests, 10)
    assert list(found) == list(requests)
    assert found["q7"].ids == ("7", "a", "b")
    assert [(path, len(bodies)) for path, bodies in engine.sent] == [
        ("/shop/_msearch", 200),
        ("/shop/_msearch", 100),
    ]


def test_any_failure_makes_the_run_invalid():
    with pytest.raises(EngineError, match=r"_msearch failed for 1 of 2 queries, so no mean.*'b': "):
        rank({"a": one("hits"), "b": one("boom")}, boom=FAILED)
    with pytest.raises(EngineError, match=r"1 of 1 .*'a': .*io: disk gone"):
        rank({"a": one("boom")}, boom=answer("a") | SHARD_FAILED)
    fused = {"a": two("hits", "boom", Rrf())}
    with pytest.raises(EngineError, match=r"1 of 1 .*'a': .*script_exception: x is null"):
        rank(fused, boom=FAILED)


def test_many_failures_are_counted_not_all_printed():
    with pytest.raises(EngineError, match=r"9 of 9 .*'4': .*; and 4 more$"):
        rank({str(n): one("boom") for n in range(9)}, boom=FAILED)


def test_a_query_that_cannot_be_parsed_is_named():
    requests = {"a": one("x"), "b": one("bad"), "c": one("x")}
    with pytest.raises(EngineError, match=r"_msearch refused query 'b': unknown query") as caught:
        rank(requests)
    assert caught.value.status == 400


def test_answers_that_cannot_be_trusted():
    with pytest.raises(EngineError, match="answered by 'shop-2', not 'shop-1': the alias moved"):
        rank({"a": one("moved")}, moved=answer("x", "shop-2"))

    class ShortEngine(LetterEngine):
        def perform(self, call):
            return super().perform(call)[:-1]

    with pytest.raises(EngineError, match="_msearch gave 1 answers to 2 searches"):
        send_msearch(ShortEngine(), "shop", "shop-1", {"a": two("x", "y", Rrf())}, 10)
