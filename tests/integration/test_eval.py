"""Whole evaluations on a real engine, by `_rank_eval` where it has that and by `_msearch`.

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
from kokeshi.mapping import build_index
from kokeshi.schema import Fuse, Match, Rescore, Rrf, SearchPlan, Shortlist, parse_spec
from kokeshi_eval import (
    ENGINE_MEASURES,
    Contender,
    Judgments,
    evaluate,
    load_judgments,
    parse_judgments,
    parse_options,
)
from kokeshi_eval.probes import find_rank_eval
from kokeshi_eval.ranker import Ranker

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
NARROW = SearchPlan(shortlist=Shortlist(dims=64, k=10), rescore=Rescore())
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


def only_of_rank_eval(path, value, otherwise=None):
    """What is so where the engine gives figures of its own."""
    return value if path == "_rank_eval" else otherwise


def compare(index, judgments, *plans, labels=("now", "new", "newer"), **options):
    contenders = [Contender(label, index, plan) for label, plan in zip(labels, plans, strict=False)]
    return evaluate(contenders[0], contenders[1:], judgments, options=parse_options(**options))


def rows_of(evaluation):
    return {row.id: row for row in evaluation.queries}


def figures_of(evaluation):
    """Every figure that is no engine's own, and no time."""
    found = []
    for row in evaluation.queries:
        ranked = [row.baseline, *(one.ranked for one in row.candidates)]
        found += [(one.ids, one.values, one.judged, one.condensed) for one in ranked]
        found += [
            one.moved and one.moved.model_dump(exclude={"engine_pseudo_ndcg", "engine_expected"})
            for one in row.candidates
        ]
    parts = ("improvement", "condensed", "slices", "decision", "harmed", "helped")
    found += [one.model_dump(include=set(parts)) for one in evaluation.candidates]
    return found


def test_the_module_is_found_where_the_engine_lists_it(small, path):
    def read(answer):
        return [m["name"] for node in answer.body["nodes"].values() for m in node["modules"]]

    modules = small.engine.perform(Call("modules", "GET", "/_nodes/plugins", read))
    assert path == ("_rank_eval" if "rank-eval" in modules else "_msearch")


def test_few_hits_have_a_cut_ideal_in_the_engine_only(small, path):
    evaluation = compare(small, SMALL_JUDGMENTS, TITLE, BRAND)
    shoe = rows_of(evaluation)["shoe"].baseline
    assert shoe.ids == ("c",)
    ideal = sum(1 / log2(rank + 1) for rank in range(1, 7))
    assert shoe.values["nDCG@10"] == pytest.approx(1 / ideal, abs=1e-9)
    assert evaluation.baseline.route.path == path
    if path == "_msearch":
        assert shoe.engine == {}
        return
    figure = shoe.engine["nDCG@10"]
    assert (figure.value, figure.expected) == (1.0, pytest.approx(1.0))
    assert figure.why == "its ideal ranking is cut at the hits that came back, not at 10"
    assert any("nDCG@10 differs from the standard one" in note for note in evaluation.notes)


def test_every_measure_of_the_engine_is_the_one_of_its_definition(small, path):
    evaluation = compare(small, SMALL_JUDGMENTS, TITLE, BRAND, engine_measures=ENGINE_MEASURES)
    assert evaluation.warnings == ()
    for row in evaluation.queries:
        for ranked in (row.baseline, row.candidates[0].ranked):
            assert set(ranked.engine) == only_of_rank_eval(
                path, {f"{name}@10" for name in ENGINE_MEASURES}, set()
            )
            for figure in ranked.engine.values():
                assert figure.value == pytest.approx(figure.expected, abs=1e-6)


def test_queries_of_any_text_and_ids_of_any_text(small):
    evaluation = compare(small, SMALL_JUDGMENTS, TITLE, BRAND)
    rows = rows_of(evaluation)
    assert list(rows) == SMALL_JUDGMENTS.queries
    assert rows["靴 白"].baseline.values["nDCG@10"] == 1.0
    assert rows['hat "red" {{x}} \\ \''].baseline.values["nDCG@10"] > 0
    assert rows["hat"].baseline.judged == rows["hat"].candidates[0].ranked.judged == 1.0
    assert rows["cap"].positives == 0
    assert rows["gone"].candidates[0].moved is None
    assert evaluation.candidates[0].improvement["nDCG@10"].queries == len(rows) - 1
    assert evaluation.warnings == ()


def test_an_alias_scores_as_the_index_behind_it(small, engine, path):
    direct = compare(small, SMALL_JUDGMENTS, TITLE, BRAND)
    alias, concrete = "kokeshi-eval-alias", "kokeshi-eval-alias-1"
    engine.create_index(concrete, alias_body(small, alias))
    try:
        index = Index(small.spec.model_copy(update={"index": alias}), engine)
        engine.bulk(alias, bulk_lines())
        engine.refresh(alias)
        aliased = compare(index, SMALL_JUDGMENTS, TITLE, BRAND)
        across = evaluate(
            Contender("here", small, TITLE), [Contender("there", index, TITLE)], SMALL_JUDGMENTS
        )
    finally:
        engine.delete_index(concrete)
    assert figures_of(aliased) == figures_of(direct)
    assert aliased.baseline.index == concrete
    assert across.candidates[0].impact.change == pytest.approx(0, abs=1e-12)
    assert across.candidates[0].system.index == concrete
    if path == "_rank_eval":
        assert aliased.baseline.engine == direct.baseline.engine
        assert aliased.baseline.engine["nDCG@10"] > 0.5
        assert across.candidates[0].system.engine == across.baseline.engine


def alias_body(small, alias):
    return build_index(small.spec, small.engine.capabilities) | {"aliases": {alias: {}}}


def bulk_lines():
    lines = []
    for document in SMALL_DOCUMENTS:
        lines += [json.dumps({"index": {"_id": document["id"]}}), json.dumps(document)]
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.data
def test_the_engine_agrees_with_ir_measures_on_a_real_catalogue(icecat, icecat_judgments, path):
    evaluation = compare(icecat, icecat_judgments, "bm25", "hybrid", "two-stage")
    assert evaluation.warnings == ()
    assert (len(evaluation.queries), sum(not row.positives for row in evaluation.queries)) == (
        135,
        19,
    )
    for row in evaluation.queries:
        for ranked in (row.baseline, *(one.ranked for one in row.candidates)):
            for label, figure in ranked.engine.items():
                assert figure.value == pytest.approx(figure.expected, abs=1e-6)
                if figure.why is None:
                    assert figure.value == pytest.approx(ranked.values[label], abs=1e-6)
            assert bool(ranked.engine) is (path == "_rank_eval")
    for candidate in evaluation.candidates:
        assert candidate.improvement["nDCG@10"].queries == 116
        assert 0 < candidate.impact.change < 1


@pytest.mark.data
def test_without_the_module_every_figure_is_the_same(icecat, icecat_judgments, path, monkeypatch):
    plans = ("bm25", "hybrid", "two-stage")
    found = compare(icecat, icecat_judgments, *plans)
    if path == "_msearch":  # the only path here; the other engine compares them
        assert {one.system.route.path for one in found.candidates} == {path}
        return
    monkeypatch.setattr(Ranker, "_has_rank_eval", False)
    without = compare(icecat, icecat_judgments, *plans)
    assert without.baseline.route.path == "_msearch"
    assert "has no _rank_eval" in without.baseline.route.why
    assert any("without figures of the engine's own" in note for note in without.notes)
    assert figures_of(without) == figures_of(found)


@pytest.mark.data
def test_ranks_fused_in_the_client_are_compared_with_words(icecat, icecat_judgments, path):
    evaluation = compare(icecat, icecat_judgments, "bm25", RRF)
    assert evaluation.baseline.route.path == path
    candidate = evaluation.candidates[0]
    assert candidate.system.route.path == "_msearch"
    assert candidate.system.route.why == "rrf fuses two searches in the client"
    assert candidate.system.engine == {}
    assert 0 < candidate.impact.change < 1
    back = compare(icecat, icecat_judgments, RRF, "bm25").candidates[0]
    delta = candidate.improvement["nDCG@10"].delta
    assert back.improvement["nDCG@10"].delta == pytest.approx(-delta)


@pytest.mark.data
def test_a_plan_against_itself_changes_nothing(icecat, icecat_judgments):
    evaluation = compare(icecat, icecat_judgments, "hybrid", "hybrid")
    (candidate,) = evaluation.candidates
    assert {found.delta for found in candidate.improvement.values()} == {0.0}
    assert candidate.impact.change == pytest.approx(0, abs=1e-12)
    assert candidate.impact.changed == 0
    assert candidate.decision.verdict == "skip"


@pytest.mark.data
@pytest.mark.parametrize(
    "plan",
    ["bm25", "two-stage", "hybrid", NARROW, RRF, NARROW_RRF],
    ids=["bm25", "two-stage", "hybrid", "k 10", "rrf", "rrf window 7"],
)
def test_what_is_evaluated_is_what_is_served(icecat, icecat_judgments, plan):
    """To any depth: a plan may look at more candidates for more hits."""
    judgments = Judgments({q: icecat_judgments.grades[q] for q in icecat_judgments.queries[:40]})
    evaluation = compare(icecat, judgments, plan, "bm25", k=10, impact_k=25)
    back = compare(icecat, judgments, "bm25", plan, k=10, impact_k=25)
    for there, here in zip(evaluation.queries, back.queries, strict=True):
        served = tuple(icecat.search(there.text, plan=plan, size=10).ids)
        assert there.baseline.ids[:10] == here.candidates[0].ranked.ids[:10] == served
        wider = tuple(icecat.search(there.text, plan=plan, size=25).ids)
        words = icecat.search(there.text, plan="bm25", size=25).ids
        kept = len(set(words) & set(wider)) / len(wider) if wider else None
        assert (moved := here.candidates[0].moved) is None or moved.kept == pytest.approx(kept)


@pytest.mark.data
def test_a_plan_with_less_weight_on_words_moves_more(icecat, icecat_judgments):
    evaluation = compare(icecat, icecat_judgments, "bm25", hybrid(0.2), hybrid(2.0))
    light, heavy = (one.impact for one in evaluation.candidates)
    assert light.change < heavy.change
    assert light.rbo > heavy.rbo


def hybrid(weight):
    return SearchPlan(
        match=Match(),
        shortlist=Shortlist(dims=64, k=200),
        rescore=Rescore(),
        fuse=Fuse(weight=weight),
    )


@pytest.fixture
def command(small, engine_url, tmp_path):
    """Run `kokeshi eval compare` of the titles and the brands, on the small index."""
    (tmp_path / "kokeshi.yaml").write_text(SMALL)
    (tmp_path / "brand.yaml").write_text("match: {fields: [brand]}\n")
    (tmp_path / "judgments.csv").write_text("query,doc_id,grade\nhat,b/2,1\nhat,d,2\ncap,c,0\n")

    def call(*more):
        arguments = ["compare", "--spec", str(tmp_path / "kokeshi.yaml"), "--url", engine_url]
        arguments += ["--judgments", str(tmp_path / "judgments.csv")]
        arguments += ["--baseline", "bm25", "--candidate", str(tmp_path / "brand.yaml"), *more]
        return CliRunner().invoke(app, arguments)

    return call


def test_the_command_prints_a_table_or_json(command, path):
    table = command()
    assert table.exit_code == 0, table.output
    assert "bm25 → brand: collect judgments" in table.output
    assert ("_rank_eval" in table.output.split("Judged@10")[0]) is (path == "_rank_eval")
    found = json.loads(command("--json", "--k", "3").stdout)
    assert found["options"]["k"] == 3
    assert found["candidates"][0]["system"]["route"]["path"] == path
    assert found["candidates"][0]["improvement"]["nDCG@3"]["queries"] == 1


def test_a_gate_that_is_closed_is_exit_code_1(command):
    closed = command("--gate")
    assert closed.exit_code == 1, closed.output
    assert "Gate: brand: collect judgments" in closed.output
    assert command("--gate", "--pass", "collect").exit_code == 0


def test_the_command_writes_reports_and_reads_them_again(command, tmp_path):
    names = ("run.json", "report.html", "comment.md", "junit.xml", "charts")
    done = command(*(part for name in names for part in ("-o", str(tmp_path / name))))
    assert done.exit_code == 0, done.output
    assert all((tmp_path / name).exists() for name in names)
    again = CliRunner().invoke(app, ["report", str(tmp_path / "run.json"), "--json"])
    assert json.loads(again.stdout) == json.loads((tmp_path / "run.json").read_text())


def test_a_stored_evaluation_is_listed_and_reported(command, engine, engine_url):
    try:
        stored = json.loads(command("--store", "--json").stdout)["id"]
        listed = CliRunner().invoke(app, ["list", "--url", engine_url])
        assert stored in listed.output
        shown = CliRunner().invoke(app, ["report", stored, "--url", engine_url, "--json"])
        assert json.loads(shown.stdout)["id"] == stored
    finally:
        engine.delete_index("kokeshi-evaluations")
