from __future__ import annotations

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kokeshi import F
from kokeshi.engines import Capabilities
from kokeshi.errors import FilterError, SpecError
from kokeshi.plans import Query, build_search, default_plans, find_plan
from kokeshi.plans.build import all_filters
from kokeshi.schema import Fuse, Match, Rescore, SearchPlan, Shortlist, parse_spec

OPENSEARCH = Capabilities("opensearch", (3, 6, 0), derived_source=True)
ELASTICSEARCH = Capabilities("elasticsearch", (9, 4, 3), derived_source=True)
ENGINES = [OPENSEARCH, ELASTICSEARCH]
SPEC = parse_spec("""
index: plans
text:
  title:
    subfields: {ngram: {}}
  brand: {boost: 2}
  details.material:
    subfields: {ngram: {}}
metadata: {brand: keyword, price: float}
vectors:
  embedding: {encoder: wordllama, source: "{title}", dimension: 4, prefixes: [2]}
  image: {encoder: x, dimension: 3, space: dot}
plans:
  mine: {match: {fields: [title]}}
""")
VECTORS = {
    "embedding": np.array([3, 4, 0, 0], np.float32),
    "image": np.array([1, 2, 3], np.float32),
}
QUERY = Query(text="jacket", vectors=VECTORS)


def body(plan: SearchPlan | str, query: Query = QUERY, spec=SPEC, engine=OPENSEARCH):
    (only,) = build_search(spec, find_plan(spec, plan), query, engine).bodies
    return only


def query(**changes) -> Query:
    return Query(**{"text": "jacket", "vectors": VECTORS, **changes})


def knn_of(value) -> dict:
    """The one kNN clause of a body, wherever it is."""
    if isinstance(value, dict):
        if "knn" in value:
            return value["knn"]
        value = list(value.values())
    found = [knn_of(item) for item in value if isinstance(item, dict | list)]
    return next((knn for knn in found if knn), {})


def sources_of(value) -> list[str]:
    """Every script source of a body."""
    if isinstance(value, list):
        return [source for item in value for source in sources_of(item)]
    if not isinstance(value, dict):
        return []
    own = [value["script"]["source"]] if isinstance(value.get("script"), dict) else []
    return own + [source for item in value.values() for source in sources_of(item)]


def test_the_default_plan_has_two_stages():
    assert find_plan(SPEC, None) == default_plans(SPEC)["two-stage"]


@pytest.mark.parametrize(
    ("yaml", "default"),
    [
        ("text: [title]", "bm25"),
        ("vectors: {v: {encoder: x, dimension: 4}}", "exact"),
        ("vectors: {v: {encoder: x, dimension: 4, prefixes: [2]}}", "two-stage"),
    ],
)
def test_the_default_plan_is_the_best_that_the_spec_allows(yaml, default):
    spec = parse_spec(f"index: a\n{yaml}")
    assert find_plan(spec, None) == default_plans(spec)[default]


def test_a_spec_with_nothing_to_search_has_no_plan():
    with pytest.raises(SpecError, match="neither text nor vectors"):
        find_plan(parse_spec("index: a\nmetadata: {price: float}"), None)


def test_an_unknown_plan_lists_the_known():
    known = "bm25, exact, single, two-stage, hybrid, rrf, mine"
    with pytest.raises(SpecError, match=f"unknown plan 'best'; known are: {known}, or give a YAML"):
        find_plan(SPEC, "best")


def test_two_stages_without_prefixes_say_what_is_missing():
    spec = parse_spec("index: a\nvectors: {v: {encoder: x, dimension: 4}}")
    with pytest.raises(SpecError, match="'two-stage'; it needs prefixes in the spec"):
        find_plan(spec, "two-stage")


def test_a_plan_of_the_spec_replaces_the_built_in_one():
    spec = parse_spec("index: a\ntext: [title]\nplans: {bm25: {match: {operator: and}}}")
    assert find_plan(spec, "bm25").match == Match(operator="and")


@pytest.mark.parametrize(
    ("name", "text"), [("p.yaml", "rescore: {}"), ("p.json", '{"rescore": {}}')]
)
def test_a_plan_is_read_from_a_file(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert find_plan(SPEC, str(tmp_path / name)) == SearchPlan(rescore=Rescore())


def test_a_plan_file_that_is_missing_says_so(tmp_path):
    with pytest.raises(SpecError, match=r"absent.yaml: no such file; give the name of a plan"):
        find_plan(SPEC, str(tmp_path / "absent.yaml"))


@pytest.mark.parametrize("text", [None, ""])
def test_words_need_a_text(text):
    with pytest.raises(SpecError, match="give the query a text"):
        body("bm25", query(text=text))


def test_a_comparison_needs_a_vector():
    with pytest.raises(SpecError, match="compares 'embedding': give the query a text or a vector"):
        body("exact", query(vectors={}))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (SearchPlan(rescore=Rescore(dims=3)), "asks for 3 dimensions of 'embedding', .* has 2, 4"),
        (SearchPlan(rescore=Rescore(vector="sound")), "unknown vector 'sound'.* embedding, image"),
        (SearchPlan(match=Match(fields=("colour",))), "unknown text field 'colour'.* title, brand"),
        (SearchPlan(match=Match(fields=("title.raw",))), "unknown text field 'title.raw'"),
        (SearchPlan(match=Match(fields=("price^2",))), "unknown text field 'price'"),
    ],
)
def test_a_plan_names_what_the_spec_has(plan, message):
    with pytest.raises(SpecError, match=message):
        body(plan)


def test_vector_plans_need_a_vector_in_the_spec():
    with pytest.raises(SpecError, match="compares vectors, but the spec has none"):
        body(SearchPlan(rescore=Rescore()), spec=parse_spec("index: a\ntext: [title]"))


def test_word_plans_need_a_text_in_the_spec():
    spec = parse_spec("index: a\nvectors: {v: {encoder: x, dimension: 4}}")
    with pytest.raises(SpecError, match="the spec has no text fields"):
        body(SearchPlan(match=Match()), spec=spec)


@pytest.mark.parametrize(
    ("size", "offset"), [(0, 0), (-1, 0), (10, -1), (10_001, 0), (10, 9_991), (1, 10_000)]
)
def test_hits_lie_between_one_and_ten_thousand(size, offset):
    with pytest.raises(SpecError, match=f"size {size} with offset {offset}: .* at most 10000"):
        body("exact", query(size=size, offset=offset))


@pytest.mark.parametrize(
    ("size", "offset", "k"), [(10, 0, 400), (400, 0, 400), (300, 200, 500), (10, 9_990, 10_000)]
)
def test_k_grows_to_the_hits_that_are_asked_for(size, offset, k):
    found = knn_of(body("two-stage", query(size=size, offset=offset)))["embedding"]
    assert found["k"] == size + offset
    assert knn_of(found["filter"])["embedding_2"]["k"] == k


def test_the_prefix_of_a_cosine_query_has_length_one():
    found = knn_of(body("two-stage"))["embedding"]
    assert knn_of(found["filter"])["embedding_2"]["vector"] == pytest.approx([0.6, 0.8])


def test_the_vector_of_a_dot_query_keeps_its_length():
    found = body(SearchPlan(rescore=Rescore(vector="image")))
    present = {"bool": {"filter": [{"exists": {"field": "image"}}]}}
    assert found["query"] == {"knn": {"image": {"vector": [1, 2, 3], "k": 10, "filter": present}}}


@pytest.mark.parametrize("option", ["graph: true", "prefixes: [2]"])
def test_a_vector_with_a_graph_is_compared_by_a_script(option):
    spec = parse_spec(f"index: a\nvectors: {{v: {{encoder: x, dimension: 4, {option}}}}}")
    dims = "full" if option.startswith("graph") else 2
    asked = query(vectors={"v": np.ones(4, np.float32)})
    found = body(SearchPlan(rescore=Rescore(dims=dims)), asked, spec)["query"]["script_score"]
    assert found["script"]["source"] == "knn_score"
    assert found["query"]["bool"]["filter"] == [
        {"exists": {"field": "v" if dims == "full" else "v_2"}}
    ]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (None, ["title", "brand.text^2", "details.material"]),
        (("title^3", "brand"), ["title^3", "brand.text"]),
        (("title.ngram^0.5",), ["title.ngram^0.5"]),
        (("details.material.ngram",), ["details.material.ngram"]),
    ],
)
def test_words_are_matched_where_they_are_analysed(fields, found):
    sent = body(SearchPlan(match=Match(fields=fields)))["query"]["multi_match"]["fields"]
    assert sent == found


def test_options_of_a_match_are_sent():
    plan = SearchPlan(match=Match(type="phrase", operator="and", minimum_should_match="75%"))
    sent = body(plan)["query"]["multi_match"]
    assert (sent["type"], sent["operator"], sent["minimum_should_match"]) == (
        "phrase",
        "and",
        "75%",
    )


@pytest.mark.parametrize("engine", ENGINES, ids=str)
@pytest.mark.parametrize("plan", ["bm25", "exact", "single", "two-stage", "hybrid"])
def test_the_filters_of_plan_and_query_are_both_sent(plan, engine):
    changed = find_plan(SPEC, plan).model_copy(update={"filter": "price < 50"})
    sent = orjson.dumps(body(changed, query(filter=F.brand == "acme"), engine=engine)).decode()
    assert '"lt":50.0' in sent
    assert '"brand":"acme"' in sent


def test_a_filter_on_an_unknown_field_is_refused():
    with pytest.raises(FilterError, match="weight"):
        body("exact", query(filter=F.weight < 3))


def test_no_filters_are_no_filter():
    assert all_filters(SPEC, None, None) is None


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        (None, {"excludes": ["embedding", "image", "embedding_2"]}),
        ((), False),
        (("title", "price"), ["title", "price"]),
    ],
)
def test_vectors_are_not_sent_back_unasked(fields, source):
    assert body("exact", query(fields=fields))["_source"] == source


def test_a_weight_of_one_needs_no_boost():
    plan = SearchPlan(match=Match(), rescore=Rescore(), fuse=Fuse(weight=1))
    assert b"boost" not in orjson.dumps(body(plan))


@settings(deadline=None)
@given(text=st.text(min_size=1), brand=st.text(min_size=1), saturation=st.floats(0.1, 1e6))
def test_nothing_of_a_user_is_part_of_a_script(text, brand, saturation):
    plan = SearchPlan(
        match=Match(),
        shortlist=Shortlist(dims=2, k=5),
        rescore=Rescore(),
        fuse=Fuse(saturation=saturation),
    )
    plain = sources_of(body("hybrid"))
    assert sources_of(body(plan, query(text=text, filter=F.brand == brand))) == plain
    assert len(plain) == 2


@settings(deadline=None)
@given(text=st.text(min_size=1))
def test_a_text_reaches_the_engine_unchanged(text):
    assert body("bm25", query(text=text))["query"]["multi_match"]["query"] == text
