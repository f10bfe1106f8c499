"""Rankings of contenders on real engines: both paths, templates, and what makes a run invalid."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from math import log2

import pytest

from kokeshi import Index
from kokeshi.engines.calls import Call
from kokeshi.errors import CapabilityError, EngineError
from kokeshi.plans import SearchRequest
from kokeshi.schema import Match, Rrf, SearchPlan, parse_spec
from kokeshi_eval.contenders import Contender, PlanRequest, build_requests
from kokeshi_eval.fetch import fetch_documents
from kokeshi_eval.latency import Timed, measure_latency
from kokeshi_eval.probes import find_rank_eval, find_templates
from kokeshi_eval.queries import EvalQuery
from kokeshi_eval.ranker import Ranker
from kokeshi_eval.templates import Template, TemplateRequest

pytestmark = pytest.mark.engine

SPEC = """
index: kokeshi-eval-ranking
text: {title: , brand: }
metadata: {price: float}
settings: {number_of_shards: 3, number_of_replicas: 0}
"""
DOCUMENTS = [
    {"id": "a 1", "title": "hat red wool", "brand": "cap", "price": 5},
    {"id": "b/2", "title": "hat hat red", "brand": "cap", "price": 50},
    {"id": "c", "title": "shoe", "brand": "cap", "price": 20},
    {"id": "d", "title": "靴 白", "brand": "hat hat", "price": 30},
    *({"id": f"n{n}", "title": f"thing {n}", "brand": "shoe", "price": n} for n in range(40)),
]
QUERIES = [
    EvalQuery("q1", "hat"),
    EvalQuery("q2", "thing", "price < 9"),
    EvalQuery("q3", '靴 "白" {{x}} \\ \''),
    EvalQuery("q4", "nowhere"),
]
GRADES = {
    "q1": {"a 1": 3, "b/2": 1, "d": 2},
    "q2": {f"n{n}": n % 4 for n in range(12)},
    "q3": {"d": 2, "c": 0},
    "q4": {"c": 3},
}
TITLE, BOTH = (
    SearchPlan(match=Match(fields=fields)) for fields in (("title",), ("title", "brand"))
)
SOURCE = """{
  "size": {{size}},
  "query": {"bool": {
    "must": {"multi_match": {"query": "{{query_text}}", "fields": ["title"], "type": "best_fields"}},
    "filter": [{{#toJson}}filter{{/toJson}}]
  }}
}"""
MEASURES = ("nDCG", "P", "R", "RR", "ERR")

LOOP = """double loop() {
  double s = 0;
  for (int i = 0; i < 900000; i++) { s += Math.sin(s + i) }
  return s * 0;
}
"""
SLOW = LOOP + "return loop() + 1"
SLOWER = LOOP + "return " + "loop() + " * 10 + "1"
"""Some seconds for each shard: a fast search beside it has a limit of one, even on a busy machine."""


@pytest.fixture(scope="module")
def index(engine, tmp_path_factory):
    found = Index(parse_spec(SPEC), engine)
    path = tmp_path_factory.mktemp("ranking") / "documents.jsonl"
    lines = [json.dumps(document, ensure_ascii=False) + "\n" for document in DOCUMENTS]
    path.write_text("".join(lines), "utf-8")
    found.ingest(path, recreate=True)
    yield found
    engine.delete_index(found.spec.index)


@pytest.fixture(scope="module")
def path(index):
    """The path that this engine's hits take."""
    there = index.engine.perform(find_rank_eval(index.spec.index))
    return "_rank_eval" if there else "_msearch"


@pytest.fixture(scope="module")
def fills(index):
    """Whether this engine fills templates."""
    return index.engine.perform(find_templates(index.spec.index))


def with_template(index, source=SOURCE):
    return Contender("new", index, template=Template("new.mustache", source))


def rank(contender, k=10, metrics=MEASURES, queries=QUERIES):
    return Ranker(contender).rank(build_requests(contender, queries, k), GRADES, k, metrics)


def dcg(grades):
    return sum((2**grade - 1) / log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def test_both_paths_return_what_a_search_does(index):
    contender = Contender("new", index, BOTH)
    found = rank(contender)
    for query in QUERIES:
        served = index.search(query.text, plan=BOTH, filter=query.filter, size=10).ids
        assert list(found[query.id].ids) == served
    assert len(found["q1"].ids) == 3
    assert len(found["q2"].ids) == 9
    assert found["q4"].ids == ()
    shorter = rank(contender, k=2)
    assert {id_: one.ids[:2] for id_, one in found.items()} == {
        id_: one.ids for id_, one in shorter.items()
    }


def test_figures_of_the_engine_are_of_the_hits_and_the_grades(index, path):
    found = rank(Contender("new", index, BOTH))
    if path == "_msearch":
        assert {id_: one.engine for id_, one in found.items()} == {id_: {} for id_ in found}
        return
    for query, ranking in found.items():
        grades = [GRADES[query].get(id_, 0) for id_ in ranking.ids]
        ideal = dcg(sorted(GRADES[query].values(), reverse=True)[: len(grades)])
        relevant = sum(grade > 0 for grade in grades)
        first = next((rank for rank, grade in enumerate(grades, start=1) if grade), None)
        assert ranking.engine["nDCG"] == pytest.approx(dcg(grades) / ideal if ideal else 0.0)
        assert ranking.engine["P"] == (relevant / len(grades) if grades else 0.0)
        assert ranking.engine["R"] == relevant / sum(g > 0 for g in GRADES[query].values())
        assert ranking.engine["RR"] == (1 / first if first else 0.0)
        assert ranking.engine["ERR"] == pytest.approx(err(grades, 3))


def err(grades, highest):
    found, left = 0.0, 1.0
    for rank_, grade in enumerate(grades, start=1):
        satisfied = (2**grade - 1) / 2**highest
        found += left * satisfied / rank_
        left *= 1 - satisfied
    return found


def test_a_template_ranks_as_the_plan_that_it_spells_out(index, path, fills):
    if not fills:
        message = r"'new.mustache': Elasticsearch .* fills no mustache templates; write the search"
        with pytest.raises(CapabilityError, match=message):
            rank(with_template(index))
        return
    contender = with_template(index)
    assert Ranker(contender).route({}).path == path
    found, expected = rank(contender), rank(Contender("old", index, TITLE))
    assert found == expected
    assert found["q1"].engine["nDCG"] > 0
    assert len(found["q2"].ids) == 9  # the filter holds


def test_a_template_ranks_the_same_where_there_is_no_rank_eval(index, fills):
    if not fills:
        return
    contender = with_template(index)
    ranker = Ranker(contender)
    vars(ranker)["_has_rank_eval"] = False
    found = ranker.rank(build_requests(contender, QUERIES, 10), GRADES, 10)
    expected = rank(Contender("old", index, TITLE))
    assert {id_: one.ids for id_, one in found.items()} == {
        id_: one.ids for id_, one in expected.items()
    }
    assert (
        ranker.rank(build_requests(contender, QUERIES, 10), GRADES, 2)["q1"].ids
        == (expected["q1"].ids[:2])
    )


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (SOURCE.replace("multi_match", "mlti_match"), r"unknown (query|field) \[mlti_match"),
        (SOURCE.replace('"{{query_text}}"', "{{query_text}}"), "json_parse|Unrecognized token"),
        (SOURCE.replace("{{/toJson}}", ""), "Failed to close 'toJson' tag"),
        ("[{{size}}]", "START_OBJECT|START_ARRAY"),
    ],
)
def test_a_template_error_names_the_template_and_the_query(index, fills, wrong, reason):
    if not fills:
        return
    message = rf"with the template 'new.mustache' (refused query|failed for).*'q1'.*({reason})"
    with pytest.raises(EngineError, match=message) as caught:
        rank(with_template(index, wrong), queries=QUERIES[:1])
    assert str(caught.value).count("\n") == 0


def test_a_template_that_only_some_queries_break_makes_the_run_invalid(index, fills):
    if not fills:
        return
    unquoted = SOURCE.replace('"{{query_text}}"', "{{query_text}}")
    queries = [EvalQuery("number", "7"), EvalQuery("word", "hat")]
    message = "with the template 'new.mustache' (refused query|failed for 1 of 2 .*) 'word': "
    with pytest.raises(EngineError, match=message):
        rank(with_template(index, unquoted), queries=queries)


def searching(query):
    return PlanRequest(SearchRequest(({"size": 10, "query": query, "_source": False},), ()))


def test_a_shard_that_fails_is_never_left_out_in_silence(index):
    """`_rank_eval` would answer with the hits of the two other shards, and no failure."""
    script = {"source": "doc['price'].value == 20 ? 1 / (int) (doc['price'].value - 20) : 1"}
    bad = {"script_score": {"query": {"match_all": {}}, "script": script}}
    requests = {"good": searching({"match_all": {}}), "bad": searching(bad)}
    with pytest.raises(EngineError, match=r"failed for 1 of 2 queries.*'bad': .*by zero"):
        Ranker(Contender("new", index)).rank(requests, {}, 10)


@contextmanager
def time_limit(engine, limit):
    def put(value):
        body = {"persistent": {"search.default_search_timeout": value}}
        engine.perform(Call("settings", "PUT", "/_cluster/settings", lambda _: None, body=body))

    put(limit)
    try:
        yield
    finally:
        put(None)


def test_a_query_that_times_out_is_named(index):
    script = {"source": SLOWER}
    slow = {"script_score": {"query": {"match_all": {}}, "script": script}}
    requests = {"fast": searching({"match_all": {}}), "slow": searching(slow)}
    message = r"failed for 1 of 2 queries.*'slow': .*stopped at its own time limit"
    with time_limit(index.engine, "1s"), pytest.raises(EngineError, match=message):
        Ranker(Contender("new", index)).rank(requests, {}, 10)


def test_a_search_that_times_out_has_no_latency(index, fills):
    script = {"source": SLOW}
    slow = {"script_score": {"query": {"match_all": {}}, "script": script}}
    single = searching(slow)
    fused = replace(
        single, search=replace(single.search, bodies=single.search.bodies * 2, rrf=Rrf())
    )
    text = f'{{"size": {{{{size}}}}, "query": {json.dumps(slow)} }}'
    filled = TemplateRequest(Template("slow.mustache", text), {"size": 3})
    for requested in (single, fused, *([filled] if fills else [])):
        timed = [Timed(Contender("new", index), {"q": requested})]
        with (
            time_limit(index.engine, "50ms"),
            pytest.raises(EngineError, match="stopped at its own time limit"),
        ):
            measure_latency(timed)


def test_an_alias_of_several_indices_is_refused(index):
    engine, alias = index.engine, "kokeshi-eval-ranking-alias"
    other = f"{index.spec.index}-other"
    engine.create_index(other, {})
    try:
        names = (index.spec.index, other)
        engine.update_aliases({"add": {"index": name, "alias": alias}} for name in names)
        several = Index(index.spec.model_copy(update={"index": alias}), engine)
        with pytest.raises(
            CapabilityError, match=f"'{alias}' stands for several indices: .*{other}"
        ):
            Ranker(Contender("new", several)).rank({"q": searching({"match_all": {}})}, {}, 10)
    finally:
        engine.delete_index(other)


def test_documents_are_fetched_by_their_ids(index):
    where = index.engine, index.spec.index
    found = fetch_documents(*where, ["d", "a 1", "gone", "d"], ["title", "price"])
    assert found == {
        "d": {"title": "靴 白", "price": 30},
        "a 1": {"title": "hat red wool", "price": 5},
    }
    assert fetch_documents(*where, ["c", "gone"]) == {"c": {}}
    assert fetch_documents(*where, []) == {}


def test_every_contender_is_timed_on_the_same_queries(index, fills):
    contenders = [Contender("words", index, TITLE), Contender("wide", index, BOTH)]
    contenders += [with_template(index)] if fills else []
    timed = [Timed(one, build_requests(one, QUERIES, 10)) for one in contenders]
    found = measure_latency(timed, 3)
    assert list(found) == [one.label for one in contenders]
    for latency in found.values():
        assert latency.queries == 3
        assert 0 < latency.p50 <= latency.p95
    assert measure_latency([]) == {}
