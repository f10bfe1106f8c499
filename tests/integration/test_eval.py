"""`_rank_eval` of a real engine against ir_measures, on small indices and on a real catalogue."""

from __future__ import annotations

import gzip
import json
from math import log2

import pytest
from typer.testing import CliRunner

from kokeshi import Index
from kokeshi.cli.eval import app
from kokeshi.errors import EngineError, InputError
from kokeshi.mapping import build_index
from kokeshi.schema import Fuse, Match, Rescore, SearchPlan, Shortlist, parse_spec
from kokeshi_eval import build_warnings, compare, load_judgments, parse_judgments, send_rank_eval

pytestmark = pytest.mark.engine

SMALL = """
index: kokeshi-eval-small
text: {title: , brand: }
"""
SMALL_DOCUMENTS = [
    {"id": "ä 1", "title": "hat red wool", "brand": "hat"},
    {"id": "b/2", "title": "hat hat red", "brand": "cap"},
    {"id": "c", "title": "shoe", "brand": "cap"},
    {"id": "d", "title": "靴 白", "brand": "hat hat"},
    *({"id": f"n{n}", "title": f"thing {n}", "brand": "shoe"} for n in range(12)),
]
SMALL_JUDGMENTS = parse_judgments(
    "query,doc_id,grade\n"
    "hat,ä 1,3\nhat,b/2,1\nhat,d,2\n"
    + "".join(f"shoe,n{n},3\n" for n in range(5))
    + "shoe,c,3\n靴 白,d,2\n靴 白,c,0\n"
    '"hat ""red"" {{x}} \\ \'",b/2,3\n'
    "cap,c,0\ngone,c,1\n"
)
TITLE, BRAND = (SearchPlan(match=Match(fields=(name,))) for name in ("title", "brand"))

ICECAT = """
index: kokeshi-eval-icecat
text: {title: , description: , brand: }
metadata: {price: float, brand: keyword}
vectors:
  embedding: {encoder: wordllama, source: "{title}. {description}", dimension: 256, prefixes: [64]}
"""


def write_lines(path, documents):
    path.write_text("".join(json.dumps(d, ensure_ascii=False) + "\n" for d in documents), "utf-8")
    return path


@pytest.fixture(scope="module")
def small(engine, tmp_path_factory):
    index = Index(parse_spec(SMALL), engine)
    path = write_lines(tmp_path_factory.mktemp("small") / "small.jsonl", SMALL_DOCUMENTS)
    index.ingest(path, recreate=True)
    yield index
    engine.delete_index(index.spec.index)


@pytest.fixture(scope="module")
def icecat_judgments(data_folder):
    return load_judgments(data_folder / "icecat" / "judgments.csv")


@pytest.fixture(scope="module")
def icecat(engine, data_folder, icecat_judgments, tmp_path_factory):
    """Every judged product and others up to 3,000."""
    judged = {doc_id for row in icecat_judgments.grades.values() for doc_id in row}
    with gzip.open(data_folder / "icecat" / "products.jsonl.gz", "rt", encoding="utf-8") as lines:
        products = [json.loads(line) for line in lines]
    products.sort(key=lambda product: str(product["id"]) not in judged)
    index = Index(parse_spec(ICECAT), engine)
    path = write_lines(tmp_path_factory.mktemp("icecat") / "products.jsonl", products[:3000])
    index.ingest(path, recreate=True)
    yield index
    engine.delete_index(index.spec.index)


def test_few_hits_have_a_cut_ideal_in_the_engine_only(small):
    rows = {row.query: row for row in compare(small, SMALL_JUDGMENTS, TITLE, BRAND).rows}
    shoe = rows["shoe"]
    assert (shoe.before.hits, shoe.before.engine_ndcg) == (1, 1.0)
    assert shoe.before.ndcg == pytest.approx(
        1 / sum(1 / log2(rank + 1) for rank in range(1, 7)), abs=1e-9
    )
    assert shoe.before.ndcg_cut == pytest.approx(1.0)
    assert shoe.before.idcg_differs
    assert shoe.before.agrees
    assert rows["gone"].before.hits == 0
    assert rows["gone"].impact is None


def test_queries_of_any_text_and_ids_of_any_text(small):
    comparison = compare(small, SMALL_JUDGMENTS, TITLE, BRAND)
    rows = {row.query: row for row in comparison.rows}
    assert list(rows) == SMALL_JUDGMENTS.queries
    assert rows["靴 白"].before.ndcg == 1.0
    assert rows['hat "red" {{x}} \\ \''].before.ndcg > 0
    assert rows["hat"].before.judged == rows["hat"].after.judged == 1.0
    assert comparison.disagreements == ()


def test_queries_without_a_positive_are_kept_apart(small):
    comparison = compare(small, SMALL_JUDGMENTS, TITLE, BRAND)
    assert [row.query for row in comparison.without_positive] == ["cap"]
    assert comparison.summary().queries == len(SMALL_JUDGMENTS.queries) - 1
    (cap,) = comparison.without_positive
    assert (cap.after.hits, cap.after.engine_ndcg, cap.after.ndcg) == (2, 0.0, 0.0)


def test_an_alias_scores_as_the_index_behind_it(small, engine):
    direct = compare(small, SMALL_JUDGMENTS, TITLE, BRAND)
    alias, concrete = "kokeshi-eval-alias", "kokeshi-eval-alias-1"
    engine.create_index(concrete, alias_body(small, alias))
    try:
        index = Index(small.spec.model_copy(update={"index": alias}), engine)
        engine.bulk(alias, bulk_lines())
        engine.refresh(alias)
        assert index.concrete_name() == concrete
        aliased = compare(index, SMALL_JUDGMENTS, TITLE, BRAND)
    finally:
        engine.delete_index(concrete)
    assert aliased.summary() == direct.summary()
    assert aliased.summary().before.engine_ndcg > 0.5


def alias_body(small, alias):
    return build_index(small.spec, small.engine.capabilities) | {"aliases": {alias: {}}}


def bulk_lines():
    lines = []
    for document in SMALL_DOCUMENTS:
        lines += [json.dumps({"index": {"_id": document["id"]}}), json.dumps(document)]
    return ("\n".join(lines) + "\n").encode()


def test_one_failing_query_makes_the_run_invalid(small):
    good = small.build_search("hat", plan=TITLE)
    script = {"source": "params.x.length()"}
    bad = {"query": {"script_score": {"query": {"match_all": {}}, "script": script}}}
    name = small.spec.index
    with pytest.raises(EngineError, match=r"1 of 2 queries.*'b': null_pointer_exception"):
        send_rank_eval(small.engine, name, name, {"a": good, "b": bad}, {}, 10)


def test_a_query_that_cannot_be_parsed_is_named(small):
    good = small.build_search("hat", plan=TITLE)
    name = small.spec.index
    bodies = {"a": good, "b": {"query": {"no_such_query": {}}}, "c": good}
    with pytest.raises(EngineError, match=r"refused query 'b': .*no_such_query"):
        send_rank_eval(small.engine, name, name, bodies, {}, 10)


def test_a_plan_that_cannot_take_a_query_names_it(small):
    with pytest.raises(InputError, match="query 'hat': this plan compares vectors"):
        compare(small, SMALL_JUDGMENTS, TITLE, SearchPlan(rescore=Rescore()))


@pytest.mark.data
@pytest.mark.parametrize("plan", ["exact", "single", "two-stage", "hybrid"])
def test_the_engine_agrees_with_ir_measures_on_a_real_catalogue(icecat, icecat_judgments, plan):
    comparison = compare(icecat, icecat_judgments, "bm25", plan)
    assert build_warnings(comparison) == []
    assert (len(comparison.rows), len(comparison.without_positive)) == (135, 19)
    for row in comparison.rows:
        for scores in (row.before, row.after):
            assert scores.engine_ndcg == pytest.approx(scores.ndcg_cut, abs=1e-6)
            if not scores.idcg_differs:
                assert scores.engine_ndcg == pytest.approx(scores.ndcg, abs=1e-6)
    assert comparison.summary().queries == 116
    assert 0 < comparison.summary().change < 1


@pytest.mark.data
def test_a_plan_against_itself_changes_nothing(icecat, icecat_judgments):
    comparison = compare(icecat, icecat_judgments, "hybrid", "hybrid")
    assert {row.delta for row in comparison.rows} == {0.0}
    impacts = [row.impact for row in comparison.rows]
    assert all(impact.pseudo_ndcg == pytest.approx(1.0, abs=1e-12) for impact in impacts)
    assert all(impact.identical for impact in impacts)


@pytest.mark.data
@pytest.mark.parametrize("plan", ["bm25", "two-stage", "hybrid"])
def test_what_is_evaluated_is_what_is_served(icecat, icecat_judgments, plan):
    queries = icecat_judgments.queries[:40]
    bodies = {query: icecat.build_search(query, plan=plan, size=20) for query in queries}
    name = icecat.spec.index
    rankings = send_rank_eval(icecat.engine, name, name, bodies, {}, 20)
    for query in queries:
        assert list(rankings[query].ids) == icecat.search(query, plan=plan, size=20).ids


@pytest.mark.data
def test_a_plan_with_less_weight_on_words_moves_more(icecat, icecat_judgments):
    light, heavy = (hybrid(weight) for weight in (0.2, 2.0))
    changes = [
        compare(icecat, icecat_judgments, "bm25", plan).summary().change for plan in (light, heavy)
    ]
    assert changes[0] < changes[1]


def hybrid(weight):
    return SearchPlan(
        match=Match(),
        shortlist=Shortlist(dims=64, k=200),
        rescore=Rescore(),
        fuse=Fuse(weight=weight),
    )


def test_the_command_prints_a_table_or_json(small, engine_url, tmp_path):
    (tmp_path / "kokeshi.yaml").write_text(SMALL)
    (tmp_path / "brand.yaml").write_text("match: {fields: [brand]}\n")
    (tmp_path / "judgments.csv").write_text("query,doc_id,grade\nhat,b/2,1\nhat,d,2\ncap,c,0\n")
    arguments = ["compare", "--spec", str(tmp_path / "kokeshi.yaml"), "--url", engine_url]
    arguments += ["--judgments", str(tmp_path / "judgments.csv")]
    arguments += ["--baseline", "bm25", "--candidate", str(tmp_path / "brand.yaml")]
    table = CliRunner().invoke(app, arguments)
    assert table.exit_code == 0, table.output
    assert "Improvement: nDCG@10" in table.output
    assert "from bm25 to brand" in table.output.replace("\n", " ")
    found = CliRunner().invoke(app, [*arguments, "--json", "--k", "3"])
    assert json.loads(found.stdout)["k"] == 3
    assert json.loads(found.stdout)["summary"]["queries"] == 1
