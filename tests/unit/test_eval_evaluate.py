"""Whole evaluations in memory: figures worked out by hand, what is noted, what is refused."""

from __future__ import annotations

import io
import json
from math import log2

import pytest
from rich.console import Console

from kokeshi import Index, MemoryEngine
from kokeshi.errors import InputError, SpecError
from kokeshi.schema import Match, Rescore, SearchPlan, parse_spec
from kokeshi_eval import (
    Contender,
    EvalQuery,
    Evaluation,
    Judgments,
    Options,
    evaluate,
    parse_judgments,
    parse_options,
    print_evaluation,
)

SPEC = "index: shop\ntext: {title: , brand: }\nmetadata: {price: float}\n"
DOCUMENTS = [
    {"id": "a", "title": "hat hat", "brand": "red", "price": 5},
    {"id": "b", "title": "hat red wool", "brand": "hat", "price": 50},
    {"id": "c", "title": "shoe", "brand": "cap"},
    {"id": "d", "title": "cap", "brand": "shoe"},
    {"id": "e", "title": "sock", "brand": "sock"},
]
TITLE, BRAND = (SearchPlan(match=Match(fields=(name,))) for name in ("title", "brand"))
JUDGMENTS = parse_judgments(
    "query,doc_id,grade\nhat,a,3\nhat,b,1\nshoe,c,2\nshoe,d,2\nsock,e,0\nnew,e,2\nhat,a,3\n"
)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    index = Index(parse_spec(SPEC), MemoryEngine())
    path = tmp_path_factory.mktemp("shop") / "shop.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in DOCUMENTS))
    index.ingest(path)
    return index


@pytest.fixture
def run(index):
    def call(baseline=TITLE, candidate=BRAND, judgments=JUDGMENTS, queries=None, **options):
        contenders = [Contender("now", index, baseline), Contender("new", index, candidate)]
        return evaluate(contenders[0], contenders[1:], judgments, queries, parse_options(**options))

    return call


def rows_of(evaluation):
    return {row.id: row for row in evaluation.queries}


def text_of(evaluation, *, every=False, width=200):
    stream = io.StringIO()
    print_evaluation(evaluation, Console(file=stream, width=width), every=every)
    return stream.getvalue()


def test_rows_have_the_figures_worked_out_by_hand(run):
    rows = rows_of(run())
    assert list(rows) == ["hat", "shoe", "sock", "new"]
    hat = rows["hat"]
    assert (hat.baseline.ids, hat.candidates[0].ranked.ids) == (("a", "b"), ("b",))
    assert hat.baseline.grades == (3, 1)
    assert hat.baseline.values["nDCG@10"] == pytest.approx(1.0)
    assert hat.candidates[0].ranked.values["nDCG@10"] == pytest.approx(1 / (7 + 1 / log2(3)))
    assert hat.candidates[0].ranked.values["R@10"] == 0.5
    assert hat.baseline.judged == 1.0
    assert rows["new"].baseline.judged is None
    assert rows["sock"].positives == 0


def test_the_impact_takes_the_baseline_as_truth(run):
    evaluation = run()
    moved = rows_of(evaluation)["hat"].candidates[0].moved
    assert moved.pseudo_ndcg == pytest.approx(1 / (1 + 1 / log2(3)))
    assert moved.change == 1 - moved.pseudo_ndcg
    assert (moved.kept, moved.identical) == (1.0, False)
    shoe = rows_of(evaluation)["shoe"].candidates[0].moved
    assert (shoe.pseudo_ndcg, shoe.rbo, shoe.kept) == (0.0, 0.0, 0.0)
    assert rows_of(evaluation)["new"].candidates[0].moved is None
    assert evaluation.candidates[0].impact.queries == 3
    assert evaluation.candidates[0].impact.changed == pytest.approx(2 / 3)


def test_what_only_the_candidate_finds_is_all_new(run):
    queries = [EvalQuery("hat", "hat"), EvalQuery("wool", "wool"), EvalQuery("nil", "nil")]
    evaluation = run(BRAND, TITLE, queries=queries)
    moved = {row.id: row.candidates[0].moved for row in evaluation.queries}
    assert moved["nil"] is None
    wool = moved["wool"]
    assert (wool.change, wool.rbo, wool.kept, wool.identical) == (1.0, 0.0, 0.0, False)
    assert evaluation.candidates[0].impact.queries == 2


def test_means_leave_out_what_says_nothing(run):
    evaluation = run()
    improvement = evaluation.candidates[0].improvement["nDCG@10"]
    assert improvement.queries == 3
    half = 1 / (1 + 1 / log2(3))
    assert improvement.before == pytest.approx((1 + half + 0) / 3)
    assert evaluation.baseline.values["nDCG@10"] == improvement.before
    assert (improvement.wins, improvement.ties, improvement.losses) == (0, 2, 1)
    notes = " ".join(evaluation.notes)
    assert "1 query ('sock') without a positive grade left out" in notes
    assert "1 query ('new') for which now returns nothing: what a candidate finds there is" in notes
    assert "1 repeated rows merged" in notes


def test_weights_are_those_of_the_queries(run):
    queries = [EvalQuery("hat", "hat", weight=3.0), EvalQuery("shoe", "shoe")]
    evaluation = run(queries=queries)
    found = evaluation.candidates[0].improvement["nDCG@10"]
    rows = rows_of(evaluation)
    deltas = [
        rows[q].candidates[0].ranked.values["nDCG@10"] - rows[q].baseline.values["nDCG@10"]
        for q in ("hat", "shoe")
    ]
    assert found.delta == pytest.approx((3 * deltas[0] + deltas[1]) / 4)
    assert "2 queries ('sock', 'new') of the judgments not in the query set." in evaluation.notes


def test_a_query_has_its_own_filter_and_text(run):
    query = EvalQuery("hat", "red hat", filter="price < 10", attributes={"band": "head"})
    row = run(queries=[query]).queries[0]
    assert row.baseline.ids == ("a",)
    assert row.attributes == {"words": "2", "filter": "price < 10", "band": "head"}


def test_a_plan_against_itself_changes_nothing(run):
    evaluation = run(candidate=TITLE)
    candidate = evaluation.candidates[0]
    assert {found.delta for found in candidate.improvement.values()} == {0.0}
    assert (candidate.impact.change, candidate.impact.rbo) == (0.0, pytest.approx(1.0))
    assert candidate.decision.verdict == "skip"
    assert (candidate.harmed, candidate.helped) == ((), ())


def test_depths_are_kept_apart(run):
    evaluation = run(k=1, impact_k=2)
    hat = rows_of(evaluation)["hat"]
    assert evaluation.label == "nDCG@1"
    assert hat.baseline.ids == ("a", "b")
    assert hat.baseline.values["P@1"] == 1.0
    assert evaluation.candidates[0].impact.k == 2
    assert evaluation.baseline.hits == pytest.approx(2 / 3)


def test_without_judgments_there_is_an_impact_and_no_improvement(run):
    queries = [EvalQuery(text, text) for text in ("hat", "shoe")]
    evaluation = run(judgments=Judgments({}), queries=queries)
    assert "No judgments are given: only the impact is known." in evaluation.notes
    candidate = evaluation.candidates[0]
    assert candidate.improvement["nDCG@10"].delta is None
    assert candidate.impact.change is not None
    assert candidate.decision.verdict == "collect judgments"
    assert evaluation.warnings == ()


def test_a_linear_gain_is_another_figure(run):
    hat = rows_of(run(gain="linear"))["hat"].candidates[0].ranked
    assert hat.values["nDCG@10"] == pytest.approx(1 / (3 + 1 / log2(3)))


def test_queries_that_moved_bring_their_requests_and_documents(run):
    evaluation = run()
    assert evaluation.candidates[0].harmed == ("hat",)
    assert evaluation.requests["now"]["hat"][0]["query"]
    assert evaluation.documents["shop"]["a"] == {"title": "hat hat", "brand": "red", "price": 5}
    assert set(evaluation.documents["shop"]) == {"a", "b"}


def test_everything_is_data(run):
    evaluation = run()
    assert Evaluation.model_validate_json(evaluation.model_dump_json()) == evaluation
    assert {
        evaluation.baseline.latency.queries,
        evaluation.candidates[0].system.latency.queries,
    } == {4}


def test_the_terminal_shows_verdict_figures_and_notes(run):
    text = text_of(run())
    assert "now → new: collect judgments" in text
    assert "nDCG@10" in text
    assert "by _msearch, without figures of the engine's own" in text
    assert "sock" not in text.split("collect judgments")[0]
    assert "sock" in text_of(run(), every=True).split("collect judgments")[0]


def test_eighty_columns_cut_no_figure_of_the_queries(run):
    text = text_of(run(), width=80)
    assert "1.000 → 0.131" in text
    assert "2 → 1" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 20_000}, "k 20000: at most 10000"),
        ({"k": 0}, "options: k: 0 is not accepted"),
        ({"gain": "cubic"}, "options: gain: 'cubic' is not accepted"),
        ({"measures": ("nDCG", "MRR")}, "options: measures: 'MRR' is not accepted"),
        ({"measures": ("RR", "RR")}, "options: measures: .*a measure is named twice"),
        ({"slices": ("colour",)}, "slices: no query has the attribute 'colour'"),
        ({"rule": {"min_impact": 2}}, "options: rule.min_impact: 2 is not accepted"),
    ],
)
def test_options_that_do_not_fit(run, options, message):
    with pytest.raises(InputError, match=message):
        run(**options)


def test_judgments_that_can_say_nothing(run):
    with pytest.raises(InputError, match="all 1 grades are 0"):
        run(judgments=parse_judgments("query,doc_id,grade\nhat,a,0\n"))
    with pytest.raises(InputError, match="none of its 1 documents is in the index 'shop'"):
        run(judgments=parse_judgments("query,doc_id,grade\nhat,zz,1\n"))
    with pytest.raises(InputError, match="all 1 grades are 0"):
        run(queries=[EvalQuery("sock", "sock")])
    with pytest.raises(InputError, match="none of the 1 queries has a judgment"):
        run(queries=[EvalQuery("q1", "hat")])


def test_queries_and_documents_without_a_judgment_are_told(run):
    judgments = parse_judgments("query,doc_id,grade\nhat,a,2\nhat,zz,1\nhat,yy,0\n")
    queries = [EvalQuery("hat", "hat"), EvalQuery("cap", "cap"), EvalQuery("sock", "sock")]
    found = run(judgments=judgments, queries=queries)
    assert "2 queries ('cap', 'sock') without any judgment left out" in " ".join(found.notes)
    assert found.warnings == (
        "2 of 3 queries have no judgment: the means are those of the others; judgments name a query "
        "by its id",
        "2 of 3 judgments are of documents that 'shop' does not have: are they of another index?",
    )


def test_a_filter_that_leaves_nothing_is_no_fault_of_the_judgments(run):
    found = run(queries=[EvalQuery("hat", "hat", filter="price > 1000")])
    assert found.warnings == (
        "no contender returns anything for a judged query: check the filters",
    )


@pytest.mark.parametrize("weight", [0.0, -2.0, float("inf"), float("nan")])
def test_a_weight_is_above_zero(run, weight):
    with pytest.raises(InputError, match="query 'hat': weight"):
        run(queries=[EvalQuery("hat", "hat", weight=weight)])


def test_judged_documents_that_the_index_lacks_are_noted(run):
    judgments = parse_judgments("query,doc_id,grade\nhat,a,2\nhat,zz,1\n")
    assert (
        "1 judgments are of documents that 'shop' does not have." in run(judgments=judgments).notes
    )


def test_contenders_and_queries_are_told_apart_by_name(index, run):
    twice = [Contender("same", index, TITLE), Contender("same", index, BRAND)]
    with pytest.raises(InputError, match="contender 'same': two have that label"):
        evaluate(twice[0], twice[1:], JUDGMENTS)
    with pytest.raises(InputError, match="candidates: none is given"):
        evaluate(twice[0], [], JUDGMENTS)
    with pytest.raises(InputError, match="query 'hat': two of the query set"):
        run(queries=[EvalQuery("hat", "hat"), EvalQuery("hat", "cap")])
    with pytest.raises(InputError, match="queries: there are none"):
        run(judgments=Judgments({}))


def test_a_plan_that_does_not_fit_names_the_query(run):
    with pytest.raises(InputError, match="query 'hat': this plan compares vectors"):
        run(candidate=SearchPlan(rescore=Rescore()))
    with pytest.raises(SpecError, match="no-such-plan"):
        run(candidate="no-such-plan")


def test_options_are_the_documented_defaults():
    assert parse_options() == Options()
    assert Options().labels[0] == "nDCG@10"
