"""Plans compared on a real engine, by `_rank_eval` where it has that and by `_msearch`.

What `_rank_eval` answers is compared with ir_measures, on small indices and on a real catalogue.
"""

from __future__ import annotations

import gzip
import json
from math import log2

import pytest
from typer.testing import CliRunner

from kokeshi import Index
from kokeshi.cli.eval import app
from kokeshi.engines.calls import Call
from kokeshi.errors import EngineError, InputError
from kokeshi.mapping import build_index
from kokeshi.plans import SearchRequest
from kokeshi.schema import Fuse, Match, Rescore, Rrf, SearchPlan, Shortlist, parse_spec
from kokeshi_eval import Ranker, Route, build_warnings, compare, load_judgments, parse_judgments
from kokeshi_eval.compare import build_requests
from kokeshi_eval.msearch import send_msearch
from kokeshi_eval.rank_eval import find_rank_eval

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
RRF = SearchPlan(match=Match(), shortlist=Shortlist(dims=64, k=200), rescore=Rescore(), rrf=Rrf())
NARROW_RRF = RRF.model_copy(update={"rrf": Rrf(window=7)})

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
    """Every judged product and others up to 3,000.

    In one segment: of several, which Elasticsearch searches side by side, a graph search now and
    then returns another of the last hits.
    """
    judged = {doc_id for row in icecat_judgments.grades.values() for doc_id in row}
    with gzip.open(data_folder / "icecat" / "products.jsonl.gz", "rt", encoding="utf-8") as lines:
        products = [json.loads(line) for line in lines]
    products.sort(key=lambda product: str(product["id"]) not in judged)
    index = Index(parse_spec(ICECAT), engine)
    path = write_lines(tmp_path_factory.mktemp("icecat") / "products.jsonl", products[:3000])
    index.ingest(path, recreate=True)
    merge = f"/{index.spec.index}/_forcemerge"
    one = {"max_num_segments": "1"}
    engine.perform(Call("merge", "POST", merge, lambda _: None, params=one))
    yield index
    engine.delete_index(index.spec.index)


@pytest.fixture(scope="module")
def path(small):
    """The path that this engine's hits take."""
    there = small.engine.perform(find_rank_eval(small.spec.index))
    return "_rank_eval" if there else "_msearch"


def only_of_rank_eval(path, value):
    """A figure that the engine gives, or None where it cannot."""
    return value if path == "_rank_eval" else None


def test_the_module_is_found_where_the_engine_lists_it(small, path):
    def read(answer):
        return [m["name"] for node in answer.body["nodes"].values() for m in node["modules"]]

    modules = small.engine.perform(Call("modules", "GET", "/_nodes/plugins", read))
    assert path == ("_rank_eval" if "rank-eval" in modules else "_msearch")


def test_few_hits_have_a_cut_ideal_in_the_engine_only(small, path):
    rows = {row.query: row for row in compare(small, SMALL_JUDGMENTS, TITLE, BRAND).rows}
    shoe = rows["shoe"]
    assert (shoe.before.hits, shoe.before.path) == (1, path)
    assert shoe.before.engine_ndcg == only_of_rank_eval(path, 1.0)
    assert shoe.before.ndcg == pytest.approx(
        1 / sum(1 / log2(rank + 1) for rank in range(1, 7)), abs=1e-9
    )
    assert shoe.before.ndcg_cut == pytest.approx(1.0)
    assert shoe.before.idcg_differs is (path == "_rank_eval")
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


def test_queries_without_a_positive_are_kept_apart(small, path):
    comparison = compare(small, SMALL_JUDGMENTS, TITLE, BRAND)
    assert [row.query for row in comparison.without_positive] == ["cap"]
    assert comparison.summary().queries == len(SMALL_JUDGMENTS.queries) - 1
    (cap,) = comparison.without_positive
    assert (cap.after.hits, cap.after.ndcg) == (2, 0.0)
    assert cap.after.engine_ndcg == only_of_rank_eval(path, 0.0)


def test_an_alias_scores_as_the_index_behind_it(small, engine, path):
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
    assert aliased.summary().before.ndcg > 0.5
    if path == "_rank_eval":
        assert aliased.summary().before.engine_ndcg > 0.5


def alias_body(small, alias):
    return build_index(small.spec, small.engine.capabilities) | {"aliases": {alias: {}}}


def bulk_lines():
    lines = []
    for document in SMALL_DOCUMENTS:
        lines += [json.dumps({"index": {"_id": document["id"]}}), json.dumps(document)]
    return ("\n".join(lines) + "\n").encode()


def test_one_failing_query_makes_the_run_invalid(small, path):
    script = {"source": "params.x.length()"}
    bad = {"script_score": {"query": {"match_all": {}}, "script": script}}
    message = rf"^{path} failed for 1 of 2 queries.*'b': .*null_pointer_exception"
    with pytest.raises(EngineError, match=message):
        Ranker(small).rank(two_queries(small, bad), {}, 10)


def test_a_query_that_cannot_be_parsed_is_named(small, path):
    requests = two_queries(small, {"no_such_query": {}})
    with pytest.raises(EngineError, match=rf"^{path} refused query 'b': .*no_such_query"):
        Ranker(small).rank(requests, {}, 10)


def two_queries(index, bad):
    good = index.build_search("hat", plan=TITLE)
    return {"a": good, "b": SearchRequest(({"size": 10, "query": bad},), ())}


def test_a_plan_that_cannot_take_a_query_names_it(small):
    with pytest.raises(InputError, match="query 'hat': this plan compares vectors"):
        compare(small, SMALL_JUDGMENTS, TITLE, SearchPlan(rescore=Rescore()))


@pytest.mark.data
@pytest.mark.parametrize("plan", ["exact", "single", "two-stage", "hybrid"])
def test_the_engine_agrees_with_ir_measures_on_a_real_catalogue(
    icecat, icecat_judgments, plan, path
):
    comparison = compare(icecat, icecat_judgments, "bm25", plan)
    assert build_warnings(comparison) == []
    assert (len(comparison.rows), len(comparison.without_positive)) == (135, 19)
    for row in comparison.rows:
        for scores in (row.before, row.after):
            assert scores.engine_ndcg == only_of_rank_eval(
                path, pytest.approx(scores.ndcg_cut, abs=1e-6)
            )
            if path == "_rank_eval" and not scores.idcg_differs:
                assert scores.engine_ndcg == pytest.approx(scores.ndcg, abs=1e-6)
    assert comparison.summary().queries == 116
    assert 0 < comparison.summary().change < 1


@pytest.mark.data
def test_ranks_fused_in_the_client_are_compared_with_words(icecat, icecat_judgments, path):
    comparison = compare(icecat, icecat_judgments, "bm25", RRF)
    assert comparison.baseline_route.path == path
    assert comparison.candidate_route == Route("_msearch", "rrf fuses two searches in the client")
    assert build_warnings(comparison) == []
    summary = comparison.summary()
    assert (summary.before.engine_ndcg is None) is (path == "_msearch")
    assert summary.after.engine_ndcg is summary.engine_pseudo_ndcg is None
    assert 0 < summary.change < 1
    back = compare(icecat, icecat_judgments, RRF, "bm25").summary()
    assert back.delta == pytest.approx(-summary.delta)
    assert back.after.engine_ndcg == summary.before.engine_ndcg


@pytest.mark.data
def test_a_plan_against_itself_changes_nothing(icecat, icecat_judgments):
    comparison = compare(icecat, icecat_judgments, "hybrid", "hybrid")
    assert {row.delta for row in comparison.rows} == {0.0}
    impacts = [row.impact for row in comparison.rows]
    assert all(impact.pseudo_ndcg == pytest.approx(1.0, abs=1e-12) for impact in impacts)
    assert all(impact.identical for impact in impacts)


@pytest.mark.data
@pytest.mark.parametrize(
    "plan",
    ["bm25", "two-stage", "hybrid", RRF, NARROW_RRF],
    ids=["bm25", "two-stage", "hybrid", "rrf", "rrf window 7"],
)
def test_what_is_evaluated_is_what_is_served(icecat, icecat_judgments, plan):
    queries = icecat_judgments.queries[:40]
    requests = build_requests(icecat, queries, plan, 20)
    rankings = Ranker(icecat).rank(requests, {}, 20)
    top = Ranker(icecat).rank(requests, {}, 5)
    for query in queries:
        served = tuple(icecat.search(query, plan=plan, size=20).ids)
        assert rankings[query].ids == served
        assert top[query].ids == served[:5]


@pytest.mark.data
@pytest.mark.parametrize("plan", ["bm25", "two-stage", "hybrid"])
def test_both_paths_rank_alike(icecat, icecat_judgments, plan):
    """Where the engine has no `_rank_eval`, what it would have evaluated is one search each."""
    name = icecat.spec.index
    requests = build_requests(icecat, icecat_judgments.queries[:40], plan, 20)
    found = send_msearch(icecat.engine, name, name, requests, 20)
    for query, ranking in Ranker(icecat).rank(requests, {}, 20).items():
        assert found[query].ids == ranking.ids
        hits = icecat.engine.search(name, requests[query].bodies[0])["hits"]["hits"]
        assert found[query].ids == tuple(hit["_id"] for hit in hits)


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


def test_the_command_prints_a_table_or_json(small, engine_url, tmp_path, path):
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
    assert f"Hits: of both plans by {path}" in table.output
    assert ("_rank_eval" in table.output.splitlines()[0]) is (path == "_rank_eval")
    found = CliRunner().invoke(app, [*arguments, "--json", "--k", "3"])
    assert json.loads(found.stdout)["k"] == 3
    assert json.loads(found.stdout)["routes"]["candidate"]["path"] == path
    assert json.loads(found.stdout)["summary"]["queries"] == 1
