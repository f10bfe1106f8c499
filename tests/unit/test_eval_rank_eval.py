"""`_rank_eval` requests as they are sent, and what its answers become."""

from __future__ import annotations

import json

import pytest

from kokeshi import Index
from kokeshi.engines import Capabilities, Engine
from kokeshi.engines.calls import Answer
from kokeshi.errors import CapabilityError, EngineError, InputError
from kokeshi.plans import SearchRequest
from kokeshi.schema import Rrf, parse_spec
from kokeshi_eval.batches import build_batches
from kokeshi_eval.contenders import Contender, PlanRequest
from kokeshi_eval.model import Route
from kokeshi_eval.probes import find_rank_eval, find_templates, find_time_limit
from kokeshi_eval.rank_eval import (
    CONCURRENT,
    METRICS,
    build_body,
    build_ratings,
    build_request,
    parse_response,
)
from kokeshi_eval.ranker import Ranker, highest_grade
from kokeshi_eval.ranking import Ranking
from kokeshi_eval.templates import Template, TemplateRequest

SPEC = parse_spec("index: shop\ntext: {title: }\n")
TEMPLATE = Template("shop.mustache", '{"size": {{size}}, "query": "{{query_text}}"}')

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
TYPED = {"error": {"type": "illegal_argument_exception", "reason": "Required [requests, metric]"}}
MISSING = {"error": "no handler found for uri [/shop/_rank_eval] and method [POST]"}


def limits(**kinds):
    return {kind: {"search": {"default_search_timeout": at}} for kind, at in kinds.items()}


NO_LIMIT = limits(defaults="-1")


def answer(ids, score=0.5, index="shop-1"):
    hits = [{"hit": {"_index": index, "_id": i, "_score": 1.0}, "rating": None} for i in ids]
    return {"metric_score": score, "hits": hits, "unrated_docs": []}


class FakeEngine(Engine):
    """Answers each request with its ratings as hits, the score being the metric's number of letters.

    Refuses bodies whose query is `bad`. cut: `_msearch` says that every search was cut short.
    """

    capabilities = Capabilities("opensearch", (3, 6, 0), derived_source=True)

    def __init__(self, *, limit=NO_LIMIT, shards=1, module=True, mustache=True, cut=False):
        self.found = {
            "get_mapping": Answer(200, {"shop-1": {"mappings": {}}}),
            "find_rank_eval": Answer(400, TYPED if module else MISSING),
            "find_templates": Answer(400, TYPED if mustache else MISSING),
            "find_time_limit": Answer(200, limit) if limit else Answer(403, None),
            "count_shards": Answer(200, {"_shards": {"total": shards}}),
        }
        self.cut = cut
        self.sent = []
        self.operations = []

    def perform(self, call):
        self.operations.append(call.operation)
        if call.operation in self.found:
            return call.read(self.found[call.operation])
        if call.operation == "search_template":
            raise EngineError("unexpected '}'", status=400)
        return call.read(Answer(200, getattr(self, f"_{call.operation}")(call)))

    def close(self):
        pass

    def _rank_eval(self, call):
        self.sent.append((call.index, call.body))
        requests = call.body["requests"]
        if any("bad" in (r.get("request") or r["params"]).values() for r in requests):
            raise EngineError("no requests added", status=400)
        (metric,) = call.body["metric"]
        ids = {r["id"]: [rating["_id"] for rating in r["ratings"]] for r in requests}
        details = {query: answer(found, len(metric)) for query, found in ids.items()}
        return {"metric_score": 0.5, "details": details, "failures": {}}

    def _msearch(self, call):
        count = len(call.body.splitlines()) // 2
        found = {"_shards": {"total": 3}, "timed_out": self.cut, "hits": {"hits": []}}
        return {"responses": [found] * count}

    _msearch_template = _msearch


def plan(query):
    return PlanRequest(SearchRequest(({"query": query, "size": 20},), ()))


def filled(query):
    return TemplateRequest(TEMPLATE, {"query_text": query, "size": 20})


def ranker(engine=None, template=None):
    return Ranker(Contender("new", Index(SPEC, engine or FakeEngine()), template=template))


def test_a_request_is_the_search_without_paging():
    body = {"size": 20, "from": 5, "_source": False, "query": {"match_all": {}}, "min_score": 1}
    ratings = build_ratings("shop-1", {"7": 3, "8": 0})
    assert build_request("靴", PlanRequest(SearchRequest((body,), ())), ratings) == {
        "id": "靴",
        "request": {"query": {"match_all": {}}, "min_score": 1},
        "ratings": [
            {"_index": "shop-1", "_id": "7", "rating": 3},
            {"_index": "shop-1", "_id": "8", "rating": 0},
        ],
    }
    assert "size" in body  # what was built is left as it is


def test_a_template_is_sent_once_and_filled_by_each_request():
    requests = [build_request(query, filled(query), []) for query in ("hat", "靴")]
    body = build_body(requests, METRICS["nDCG"](10, 3), TEMPLATE)
    (template,) = body["templates"]
    assert template["template"] == {"source": TEMPLATE.source}  # a text: an object loses toJson
    assert body["requests"][1] == {
        "id": "靴",
        "template_id": template["id"],
        "params": {"query_text": "靴", "size": 20},
        "ratings": [],
    }


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("nDCG", {"dcg": {"k": 7, "normalize": True}}),
        ("P", {"precision": {"k": 7, "relevant_rating_threshold": 1}}),
        ("R", {"recall": {"k": 7, "relevant_rating_threshold": 1}}),
        ("RR", {"mean_reciprocal_rank": {"k": 7, "relevant_rating_threshold": 1}}),
        ("ERR", {"expected_reciprocal_rank": {"k": 7, "maximum_relevance": 3}}),
    ],
)
def test_every_measure_of_the_engine_has_its_metric(name, metric):
    assert METRICS[name](7, 3) == metric


def test_the_highest_grade_is_at_least_one():
    assert highest_grade({"a": {"7": 2}, "b": {"8": 4}}) == 4
    assert highest_grade({}) == highest_grade({"a": {"7": 0}}) == 1


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
    assert parse_response(response, ["a", "b"], "shop-1", "P") == {
        "a": Ranking(("7", "8"), {"P": 0.25}),
        "b": Ranking((), {"P": 0.0}),
    }


def test_any_failure_makes_the_run_invalid():
    response = {"metric_score": "NaN", "details": {"b": answer([])}, "failures": {"a": FAILURE}}
    message = "failed for 1 of 2 queries, so no mean holds: 'a': null_pointer_exception: x is null"
    with pytest.raises(EngineError, match=message):
        parse_response(response, ["a", "b"], "shop-1", "nDCG")


def test_many_failures_are_counted_not_all_printed():
    failures = {str(n): FAILURE for n in range(9)}
    with pytest.raises(EngineError, match=r"9 of 9 .*'4': .*; and 4 more$"):
        parse_response({"details": {}, "failures": failures}, list("012345678"), "shop-1", "nDCG")


def test_answers_that_cannot_be_trusted():
    def parse(details):
        return parse_response({"details": details, "failures": {}}, ["a"], "shop-1", "nDCG")

    with pytest.raises(EngineError, match="no answer for 'a'"):
        parse({})
    with pytest.raises(EngineError, match="answered by 'shop-2', not 'shop-1': the alias moved"):
        parse({"a": answer(["7"], index="shop-2")})
    with pytest.raises(EngineError, match="'a' answered NaN"):
        parse({"a": answer([], "NaN")})


def test_sending_names_the_concrete_index_in_ratings_and_batches():
    engine = FakeEngine()
    queries = [f"q{n}" for n in range(150)]
    requests = {query: plan("good") for query in queries}
    found = ranker(engine).rank(requests, {query: {"7": 3} for query in queries}, 10)
    assert list(found) == queries
    assert all(ranking == Ranking(("7",), {"nDCG": 3}) for ranking in found.values())
    assert [(index, len(body["requests"])) for index, body in engine.sent] == [
        ("shop", 100),
        ("shop", 50),
    ]
    body = engine.sent[0][1]
    assert body["max_concurrent_searches"] == CONCURRENT
    assert body["requests"][0]["ratings"][0]["_index"] == "shop-1"


def test_each_measure_is_a_call_and_the_hits_are_of_the_first():
    engine = FakeEngine()
    metrics = ("RR", "AP", "ERR")  # of AP the engine knows nothing
    found = ranker(engine).rank({"a": plan("good")}, {"a": {"7": 3}}, 10, metrics)
    sent = [body["metric"] for _, body in engine.sent]
    assert sent == [METRICS["RR"](10, 3), METRICS["ERR"](10, 3)]
    figures = {"RR": len("mean_reciprocal_rank"), "ERR": len("expected_reciprocal_rank")}
    assert found == {"a": Ranking(("7",), figures)}


def test_the_highest_grade_of_the_scale_can_be_above_those_of_these_queries():
    engine = FakeEngine()
    ranker(engine).rank({"a": plan("good")}, {"a": {"7": 2}}, 10, ("ERR",), max_grade=4)
    assert engine.sent[0][1]["metric"]["expected_reciprocal_rank"]["maximum_relevance"] == 4


def test_a_query_that_cannot_be_parsed_is_named():
    requests = {"a": plan("good"), "b": plan("bad"), "c": plan("good")}
    with pytest.raises(EngineError, match=r"_rank_eval refused query 'b': no requests") as caught:
        ranker().rank(requests, {}, 10)
    assert caught.value.status == 400


def test_a_template_error_names_template_and_query_and_has_the_reason_of_a_single_search():
    requests = {"a": filled("good"), "b": filled("bad")}
    message = r"^_rank_eval with the template 'shop.mustache' refused query 'b': unexpected '}'$"
    with pytest.raises(EngineError, match=message):
        ranker(template=TEMPLATE).rank(requests, {}, 10)


@pytest.mark.parametrize("grade", [-1, 2.5, 2.0, "3", None])
def test_grades_that_the_engine_would_change_are_refused_before_it_is_asked(grade):
    engine = FakeEngine()
    with pytest.raises(InputError, match=f"query 'a', document '7': grade {grade}; a whole number"):
        ranker(engine).rank({"a": plan("good")}, {"a": {"7": grade}}, 10)
    assert engine.operations == []


@pytest.mark.parametrize(
    ("engine", "checked"),
    [
        (FakeEngine(), False),
        (FakeEngine(shards=3), True),
        (FakeEngine(limit=limits(defaults="-1", persistent="5s")), True),
        (FakeEngine(limit=limits(persistent="5s", transient="-1")), False),
        (FakeEngine(limit=None), True),  # who may not ask must take it that there is one
    ],
)
def test_searches_go_by_msearch_too_where_rank_eval_could_hide_a_failure(engine, checked):
    ranker(engine).rank({"a": plan("good")}, {}, 10)
    assert ("msearch" in engine.operations) is checked


def test_a_template_may_set_a_time_limit_of_its_own():
    engine = FakeEngine()
    ranker(engine, TEMPLATE).rank({"a": filled("good")}, {}, 10)
    assert engine.operations[-1] == "msearch_template"


def test_a_failure_that_rank_eval_hides_makes_the_run_invalid():
    engine = FakeEngine(shards=3, cut=True)
    with pytest.raises(EngineError, match=r"_msearch failed for 1 of 1 .*'a': .*own time limit"):
        ranker(engine).rank({"a": plan("good")}, {}, 10)


def test_routes_say_why_there_are_no_figures_of_the_engine():
    without = FakeEngine(module=False)
    assert ranker().route({"a": plan("good")}) == Route(path="_rank_eval")
    why = f"{without.capabilities} has no _rank_eval"
    assert ranker(without).route({"a": plan("good")}) == Route(path="_msearch", why=why)
    fused = PlanRequest(SearchRequest(({}, {}), (), Rrf()))
    why = "rrf fuses two searches in the client"
    assert ranker().route({"a": fused}) == Route(path="_msearch", why=why)


def test_what_a_server_has_is_asked_once():
    engine = FakeEngine()
    ranked = ranker(engine, TEMPLATE)
    for _ in range(2):
        ranked.route({})
        ranked.rank({"a": filled("good")}, {}, 10)
    assert engine.operations.count("find_rank_eval") == 1
    assert engine.operations.count("find_templates") == 1
    assert engine.operations.count("get_mapping") == 1


def test_a_server_that_fills_no_templates_says_so():
    engine = FakeEngine(module=False, mustache=False)
    message = (
        r"template 'shop.mustache': .* fills no mustache templates; write the search as a plan"
    )
    with pytest.raises(CapabilityError, match=message):
        ranker(engine, TEMPLATE).rank({"a": filled("good")}, {}, 10)
    assert ranker(FakeEngine(module=False), TEMPLATE).route({}).path == "_msearch"


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
    paths = {find_rank_eval: "/shop/_rank_eval", find_templates: "/shop/_search/template"}
    for find, path in paths.items():
        call = find("shop")
        assert (call.method, call.path, call.content) == ("POST", path, b"{}")
        assert status in call.accept
        assert call.read(Answer(status, body)) is there


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_an_answer_that_says_nothing_of_the_module_stays_an_error(status):
    assert status not in find_rank_eval("shop").accept


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410])
def test_a_server_that_does_not_tell_its_time_limit_may_have_one(status):
    call = find_time_limit()
    assert status in call.accept
    assert call.read(Answer(status, {"error": "no"})) is True
    assert call.read(Answer(200, {})) is True
    assert call.read(Answer(200, NO_LIMIT)) is False
