"""Rankings by `_msearch`: the searches as they are sent, and what their answers become."""

from __future__ import annotations

import json

import pytest

from kokeshi import Index
from kokeshi.engines import Capabilities, Engine
from kokeshi.engines.calls import Answer
from kokeshi.errors import EngineError
from kokeshi.plans import SearchRequest
from kokeshi.schema import Rrf, parse_spec
from kokeshi_eval.contenders import Contender, PlanRequest
from kokeshi_eval.msearch import build_searches, send_msearch
from kokeshi_eval.ranking import Ranking
from kokeshi_eval.templates import Template, TemplateRequest

SPEC = parse_spec("index: shop\ntext: {title: }\n")
TEMPLATE = Template("shop.mustache", '{"size": {{size}}, "query": "{{query_text}}"}')

FAILED = {"error": {"type": "script_exception", "reason": "x is null"}, "status": 400}
SHARD_FAILED = {"_shards": {"failures": [{"reason": {"type": "io", "reason": "disk gone"}}]}}


def one(query, size=20):
    body = {"size": size, "_source": ["title"], "query": query}
    return PlanRequest(SearchRequest((body,), ()))


def two(words, vectors, rrf, size=20):
    bodies = tuple({"size": size, "_source": False, "query": query} for query in (words, vectors))
    return PlanRequest(SearchRequest(bodies, (), rrf))


def filled(query, size=20):
    return TemplateRequest(TEMPLATE, {"query_text": query, "size": size})


def answer(ids, index="shop-1"):
    hits = [{"_index": index, "_id": i, "_score": 1.0} for i in ids]
    total = {"value": len(hits), "relation": "eq"}
    return {"took": 1, "_shards": {"total": 1}, "hits": {"total": total, "hits": hits}}


class LetterEngine(Engine):
    """Answers a query with its letters as hits, or with what `answers` has for it; `bad` fails all.

    With a template a query that fails has no reason but that of `_search/template`.
    """

    capabilities = Capabilities("elasticsearch", (9, 4, 3), derived_source=True)

    def __init__(self, **answers):
        self.answers = answers
        self.sent = []

    def perform(self, call):
        if call.operation == "get_mapping":
            return call.read(Answer(200, {"shop-1": {"mappings": {}}}))
        if call.operation == "search_template":
            raise EngineError("no JSON", status=400)
        bodies = [json.loads(line) for line in call.body.splitlines()[1::2]]
        self.sent.append((call.path, bodies))
        found = [body.get("params", {}).get("query_text") or body["query"] for body in bodies]
        if "bad" in found:
            raise EngineError("unknown query [bad]", status=400)
        if "gone" in found:
            raise EngineError("no answer within 60 s")
        answers = [self._answer(query, body) for query, body in zip(found, bodies, strict=True)]
        return call.read(Answer(200, {"responses": answers}))

    def close(self):
        pass

    def _answer(self, query, body):
        size = body.get("params", body)["size"]
        return self.answers.get(query) or answer(query[:size])


def send(engine, requests, k=10, template=None):
    return send_msearch(Contender("new", Index(SPEC, engine), template=template), requests, k)


def rank(requests, k=10, **answers):
    return send(LetterEngine(**answers), requests, k)


def test_a_search_is_what_is_served_to_depth_k_without_documents():
    body = {"size": 20, "from": 5, "_source": ["title"], "query": {"match_all": {}}, "min_score": 1}
    sent = {"query": {"match_all": {}}, "min_score": 1, "size": 7, "_source": False}
    assert build_searches(PlanRequest(SearchRequest((body,), ())), 7) == [sent]
    assert body["size"] == 20  # what was built is left as it is


def test_a_template_is_sent_with_its_parameters_for_k_hits():
    requested = filled("hat")
    params = {"query_text": "hat", "size": 7}
    assert build_searches(requested, 7) == [{"source": TEMPLATE.source, "params": params}]
    assert requested.params["size"] == 20


def test_searches_that_are_fused_keep_their_window():
    words, vectors = build_searches(two("w", "v", Rrf(window=100), size=100), 10)
    assert words == {"query": "w", "size": 100, "_source": False}
    assert vectors == {"query": "v", "size": 100, "_source": False}


def test_answers_become_rankings_cut_at_k():
    found = rank({"hat": one("abcd"), "shoe": one(""), "靴": one("c")}, k=3)
    assert found == {"hat": Ranking(("a", "b", "c")), "shoe": Ranking(()), "靴": Ranking(("c",))}
    assert [ranking.engine for ranking in found.values()] == [{}, {}, {}]


def test_templates_have_an_api_of_their_own():
    engine = LetterEngine()
    found = send(engine, {"hat": filled("abcd"), "靴": filled("c")}, 3, TEMPLATE)
    assert found == {"hat": Ranking(("a", "b", "c")), "靴": Ranking(("c",))}
    assert [path for path, _ in engine.sent] == ["/shop/_msearch/template"]


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
    found = send(engine, requests)
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


def test_a_search_that_was_cut_short_is_a_failure_too():
    requests = {"a": one("hits"), "b": one("slow")}
    with pytest.raises(EngineError, match=r"1 of 2 queries.*'b': .*stopped at its own time limit"):
        rank(requests, slow=answer("ab") | {"timed_out": True})


def test_many_failures_are_counted_not_all_printed():
    with pytest.raises(EngineError, match=r"9 of 9 .*'4': .*; and 4 more$"):
        rank({str(n): one("boom") for n in range(9)}, boom=FAILED)


def test_a_query_that_cannot_be_parsed_is_named():
    requests = {"a": one("x"), "b": one("bad"), "c": one("x")}
    with pytest.raises(EngineError, match=r"_msearch refused query 'b': unknown query") as caught:
        rank(requests)
    assert caught.value.status == 400


def test_a_template_error_names_template_and_query_and_has_the_reason_of_a_single_search():
    requests = {"a": filled("x"), "b": filled("bad"), "c": filled("x")}
    message = r"^_msearch with the template 'shop.mustache' refused query 'b': no JSON$"
    with pytest.raises(EngineError, match=message):
        send(LetterEngine(), requests, template=TEMPLATE)


def test_a_batch_without_an_answer_is_named_by_its_first_and_last_query():
    requests = {"a": one("x"), "b": one("gone"), "c": one("x")}
    with pytest.raises(EngineError, match=r"^_msearch of 3 queries, 'a' to 'c': no answer within"):
        rank(requests)
    with pytest.raises(EngineError, match=r"^_msearch of 'b': no answer within 60 s$"):
        rank({"b": one("gone")})


def test_answers_that_cannot_be_trusted():
    with pytest.raises(EngineError, match="answered by 'shop-2', not 'shop-1': the alias moved"):
        rank({"a": one("moved")}, moved=answer("x", "shop-2"))

    class ShortEngine(LetterEngine):
        def perform(self, call):
            found = super().perform(call)
            return found[:-1] if call.operation == "msearch" else found

    with pytest.raises(EngineError, match="_msearch gave 1 answers to 2 searches"):
        send(ShortEngine(), {"a": two("x", "y", Rrf())})
