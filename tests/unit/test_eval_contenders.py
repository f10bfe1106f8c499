"""Contenders as they are written, the requests that they build, and templates."""

from __future__ import annotations

import pytest

from kokeshi import Index
from kokeshi.engines.memory import MemoryEngine
from kokeshi.errors import InputError, SpecError
from kokeshi.schema import Match, SearchPlan, parse_spec
from kokeshi_eval.contenders import Contender, build_requests, parse_contender
from kokeshi_eval.fetch import build_fetch
from kokeshi_eval.latency import spread_queries, take_turns
from kokeshi_eval.queries import EvalQuery
from kokeshi_eval.templates import Template, build_params, load_template

SOURCE = '{"size": {{size}}, "query": {"match": {"title": "{{query_text}}"}}}'
SPECS = {
    None: parse_spec("index: shop\ntext: {title: }\nmetadata: {price: float}\n"),
    "other.yaml": parse_spec("index: other\ntext: {title: }\nplans: {words: {match: {}}}\n"),
}


def open_index(spec):
    return Index(SPECS[spec], MemoryEngine())


@pytest.fixture
def template(tmp_path):
    path = tmp_path / "title.mustache"
    path.write_text(SOURCE, "utf-8")
    return path


def contender(plan=None, template=None):
    return Contender("new", open_index(None), plan, template)


@pytest.mark.parametrize(
    ("text", "label", "plan", "index"),
    [
        ("bm25", "bm25", "bm25", "shop"),
        ("new=bm25", "new", "bm25", "shop"),
        ("words@other.yaml", "words@other", "words", "other"),
        ("a new one = words @ other.yaml", "a new one", "words", "other"),
    ],
)
def test_a_contender_is_a_plan_with_a_label_and_a_spec(text, label, plan, index):
    found = parse_contender(text, open_index)
    assert (found.label, found.plan, found.index.spec.index) == (label, plan, index)
    assert found.description == plan
    assert found.template is None


def test_files_are_named_by_their_stem(tmp_path, template):
    path = tmp_path / "wide.yaml"
    path.write_text("match: {fields: [title]}\n", "utf-8")
    assert parse_contender(str(path), open_index).label == "wide"
    found = parse_contender(f"{template}@other.yaml", open_index)
    assert (found.label, found.plan, found.template.name) == (
        "title@other",
        None,
        "title.mustache",
    )
    assert found.description == "title.mustache"


def test_a_plan_is_described_by_what_it_says():
    assert contender(SearchPlan(match=Match(fields=("title",)))).description == (
        '{"match":{"fields":["title"]}}'
    )
    assert contender().description == "default"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", InputError, "contender '': expected"),
        ("new=", InputError, "contender 'new=': expected"),
        ("@other.yaml", InputError, "contender '@other.yaml': expected"),
        ("fast", SpecError, "unknown plan 'fast'"),
        ("new=way=bm25", SpecError, "unknown plan 'way=bm25'"),
        ("words", SpecError, "unknown plan 'words'"),
        ("gone.yaml", SpecError, "gone.yaml"),
        ("gone.mustache", InputError, "template 'gone.mustache': No such file"),
    ],
)
def test_what_cannot_be_a_contender_is_refused(text, error, message):
    with pytest.raises(error, match=message):
        parse_contender(text, open_index)


def test_templates_that_give_other_hits_than_asked_for_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"'a.mustache': it does not ask for \{\{size\}\} hits; add"
    ):
        Template("a.mustache", '{"query": "{{query_text}}"}')
    with pytest.raises(InputError, match=r"'a.mustache': 'from' leaves out the first hits; delete"):
        Template("a.mustache", '{"size": {{ size }}, "from" : 10}')
    after = (
        '{"size": {{size}}, "query": {"match": {"title": "} {{{q}}} \\\\\\" "}}, "from": {{from}}}'
    )
    with pytest.raises(InputError, match="'from' leaves out the first hits"):
        Template("a.mustache", after)
    latin = tmp_path / "latin.mustache"
    latin.write_bytes('{"size": {{size}}, "query": "é"}'.encode("latin-1"))
    with pytest.raises(InputError, match=r"latin.mustache': 'utf-8' codec"):
        load_template(latin)


@pytest.mark.parametrize(
    "part",
    [
        '"query": {"range": {"price": {"from": 1, "to": {{price}}}}}',
        '"query": {"bool": {"filter": [{{#toJson}}filter{{/toJson}}, {"range": {"x": {"from": 1}}}]}}',
        '"query": {"match": {"title": "{{query_text}} \\"from\\": } "}}, "sort": ["from"]',
    ],
)
def test_a_template_may_have_a_from_that_is_not_its_own(part):
    source = f'{{"size": {{{{size}}}}, {part}}}'
    assert Template("a.mustache", source).source == source


def test_a_template_gets_the_text_the_size_the_filter_and_the_attributes():
    queries = [
        EvalQuery("q1", "hat", "price < 20", attributes={"band": "head"}),
        EvalQuery("q2", 'a "red" 靴'),
    ]
    found = build_requests(contender(template=Template("t", SOURCE)), queries, 20)
    filtered = build_params(SPECS[None], queries[0], 20, "opensearch")
    assert filtered == {
        "band": "head",
        "query_text": "hat",
        "size": 20,
        "filter": {"bool": {"filter": [{"range": {"price": {"lt": 20.0}}}]}},
    }
    assert {key: found["q1"].params[key] for key in ("band", "size")} == {
        "band": "head",
        "size": 20,
    }
    assert found["q2"].params["filter"] == {"match_all": {}}
    assert found["q2"].shown == [{"source": SOURCE, "params": found["q2"].params}]


@pytest.mark.parametrize("name", ["query_text", "size", "filter"])
def test_an_attribute_with_the_name_of_a_parameter_is_refused(name):
    query = EvalQuery("q1", "hat", attributes={name: "x"})
    with pytest.raises(InputError, match=f"query 'q1': its attribute '{name}'.*rename the column"):
        build_requests(contender(template=Template("t", SOURCE)), [query], 10)


def test_a_plan_sends_the_search_that_is_served_with_the_filter_of_the_query():
    one = contender("bm25")
    queries = [EvalQuery("q1", "hat", "price < 20"), EvalQuery("q2", "hat")]
    found = build_requests(one, queries, 20)
    served = one.index.build_search("hat", plan="bm25", filter="price < 20", size=20, fields=())
    assert found["q1"].shown == list(served.bodies)
    assert found["q1"].shown != found["q2"].shown


@pytest.mark.parametrize("template", [None, Template("t", SOURCE)])
def test_a_filter_that_does_not_fit_names_the_query(template):
    queries = [EvalQuery("q1", "hat"), EvalQuery("q2", "hat", "colour = 'red'")]
    with pytest.raises(InputError, match="query 'q2': .*colour"):
        build_requests(contender("bm25", template), queries, 10)


def test_documents_are_asked_for_by_id_with_the_fields_that_are_shown():
    assert build_fetch(["a", "b"], ["title"]) == {
        "size": 2,
        "_source": ["title"],
        "query": {"ids": {"values": ["a", "b"]}},
        "track_total_hits": False,
    }


def test_timed_queries_are_spread_over_all_and_contenders_take_turns():
    assert spread_queries(list("abcdefgh"), 4) == ["a", "c", "e", "g"]
    assert spread_queries(["a", "b"], 4) == ["a", "b"]
    assert list(take_turns(["x", "y", "z"], ["q", "r"])) == [
        ("x", "q"),
        ("y", "q"),
        ("z", "q"),
        ("y", "r"),
        ("z", "r"),
        ("x", "r"),
    ]
