"""Two plans compared on an engine that is a table, and what is printed of it."""

import io
import json
from math import log2

import pytest
from rich.console import Console

from kokeshi import Index
from kokeshi.engines import Capabilities
from kokeshi.errors import InputError, SpecError
from kokeshi.schema import Match, SearchPlan, parse_spec
from kokeshi_eval import (
    build_notes,
    build_table,
    build_warnings,
    compare,
    parse_judgments,
    print_comparison,
)

SPEC = parse_spec("index: shop\ntext: {title: , brand: }\n")
TITLE, BRAND = (SearchPlan(match=Match(fields=(name,))) for name in ("title", "brand"))
JUDGMENTS = parse_judgments(
    "query,doc_id,grade\nhat,a,3\nhat,b,1\nshoe,c,3\nshoe,d,3\nsock,e,0\nnew,f,2\nhat,a,3\n"
)
HITS = {
    "title": {"hat": "ba", "shoe": "c", "sock": "ex", "new": ""},
    "brand": {"hat": "ab", "shoe": "xyzc", "sock": "xe", "new": "fx"},
}


class TableEngine:
    """Answers from `hits` (field -> query -> ids), with the engine's own nDCG plus `error`."""

    capabilities = Capabilities("opensearch", (3, 6, 0), derived_source=True, rank_eval=True)

    def __init__(self, hits=HITS, error=0.0):
        self.hits = hits
        self.error = error

    def get_mapping(self, index):
        return {f"{index}-1": {}}

    def rank_eval(self, index, body):
        k = body["metric"]["dcg"]["k"]
        details = {request["id"]: self._answer(request, k) for request in body["requests"]}
        return {"details": details, "failures": {}}

    def _answer(self, request, k):
        match = request["request"]["query"]["multi_match"]
        ids = list(self.hits[match["fields"][0].partition(".")[0]][match["query"]])[:k]
        grades = {rating["_id"]: rating["rating"] for rating in request["ratings"]}
        ideal = dcg(sorted(grades.values(), reverse=True)[: len(ids)])
        found = dcg([grades.get(i, 0) for i in ids]) / ideal if ideal else 0.0
        hits = [{"hit": {"_index": "shop-1", "_id": i}, "rating": None} for i in ids]
        return {"metric_score": found + self.error * bool(ideal), "hits": hits}


def dcg(grades):
    return sum((2**grade - 1) / log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def run(baseline=TITLE, candidate=BRAND, **options):
    return compare(Index(SPEC, TableEngine()), JUDGMENTS, baseline, candidate, **options)


def test_rows_have_the_figures_worked_out_by_hand():
    hat, shoe, sock, new = run().rows
    ideal = 7 + 1 / log2(3)
    assert hat.before.ndcg == pytest.approx((1 + 7 / log2(3)) / ideal)
    assert hat.after.ndcg == pytest.approx(1.0)
    assert hat.delta == pytest.approx(1 - (1 + 7 / log2(3)) / ideal)
    # the one hit is perfect for the engine, but two documents deserve 3
    assert shoe.before.engine_ndcg == 1.0
    assert shoe.before.ndcg == pytest.approx(7 / (7 + 7 / log2(3)))
    assert shoe.idcg_differs
    assert shoe.before.judged == 1.0
    assert shoe.after.judged == 0.25
    assert sock.positives == 0
    assert (new.before.hits, new.before.judged, new.impact) == (0, None, None)


def test_the_impact_takes_the_baseline_as_truth():
    hat, shoe, _, _ = run().rows
    # the baseline ranks b, a and the candidate a, b: the same two
    assert hat.impact.pseudo_ndcg == pytest.approx(1.0)
    assert (hat.impact.kept, hat.impact.identical) == (1.0, False)
    assert shoe.impact.pseudo_ndcg == pytest.approx(1 / log2(5))
    assert shoe.impact.change == pytest.approx(1 - 1 / log2(5))
    assert shoe.impact.kept == 0.25


def test_means_leave_out_what_says_nothing():
    comparison = run()
    summary = comparison.summary()
    hat, shoe, sock, new = comparison.rows
    assert [row.query for row in comparison.without_positive] == ["sock"]
    assert [row.query for row in comparison.without_baseline] == ["new"]
    assert (summary.queries, summary.compared) == (3, 3)
    assert summary.before.ndcg == pytest.approx((hat.before.ndcg + shoe.before.ndcg + 0) / 3)
    assert summary.delta == pytest.approx((hat.delta + shoe.delta + new.delta) / 3)
    assert (summary.better, summary.same, summary.worse) == (2, 0, 1)
    assert summary.before.judged == 1.0  # of the queries with hits
    assert summary.change == pytest.approx(sum(r.impact.change for r in (hat, shoe, sock)) / 3)
    assert comparison.disagreements == ()
    assert comparison.merged_judgments == 1


def test_a_plan_against_itself_changes_nothing():
    comparison = run(BRAND, BRAND)
    assert all(row.delta == 0 and row.impact.pseudo_ndcg == 1.0 for row in comparison.rows)
    assert all(row.impact.identical and row.impact.kept == 1.0 for row in comparison.rows)
    summary = comparison.summary()
    assert (summary.delta, summary.change, summary.identical, summary.same) == (0.0, 0.0, 4, 3)


def test_depths_are_kept_apart():
    hat, *_ = run(k=1, impact_k=2).rows
    assert hat.before.ndcg == pytest.approx(1 / 7)
    for options in ({"k": 0}, {"impact_k": 0}, {"k": 10_001}):
        with pytest.raises(InputError, match=r"a rank from 1 to 10000 is expected"):
            run(**options)


def test_an_unknown_plan_and_a_plan_that_does_not_fit():
    with pytest.raises(SpecError, match="unknown plan 'best'"):
        run("best")
    with pytest.raises(InputError, match="query 'hat': unknown text field 'colour'"):
        run(SearchPlan(match=Match(fields=("colour",))))


def test_judgments_without_any_positive_have_no_mean():
    judgments = parse_judgments("query,doc_id,grade\nhat,a,0\n")
    comparison = compare(Index(SPEC, TableEngine()), judgments, TITLE, BRAND)
    assert comparison.summary().before.ndcg is None
    assert "Improvement: unknown, since no query has a positive grade." in build_notes(comparison)
    assert printed(comparison).splitlines()[-1].split()[:4] == ["mean", "-", "→", "-"]


def test_a_baseline_that_returns_nothing_has_no_impact():
    hits = {"title": dict.fromkeys(HITS["title"], ""), "brand": HITS["brand"]}
    comparison = compare(Index(SPEC, TableEngine(hits)), JUDGMENTS, TITLE, BRAND)
    assert comparison.summary().change is None
    assert any(note.startswith("Impact: unknown") for note in build_notes(comparison))


def test_warnings_say_when_not_to_trust():
    assert build_warnings(run()) == []
    wrong = compare(Index(SPEC, TableEngine(error=0.01)), JUDGMENTS, TITLE, BRAND)
    assert len(wrong.disagreements) == 4
    assert "disagrees with its own hits by more than 1e-6 for 4 queries" in build_warnings(wrong)[0]
    strangers = parse_judgments("query,doc_id,grade\nhat,SKU-a,3\n")
    other = compare(Index(SPEC, TableEngine()), strangers, TITLE, BRAND)
    assert "not one hit has a grade" in build_warnings(other)[0]


def printed(comparison, width=110, **options):
    console = Console(file=io.StringIO(), width=width)
    console.print(build_table(comparison, **options))
    return console.file.getvalue()


def test_the_table_is_sorted_by_change_and_stars_the_ideal():
    lines = [line.split() for line in printed(run()).splitlines() if line.strip()]
    assert [line[0] for line in lines] == ["query", "new", "hat", "shoe", "mean"]
    shoe = " ".join(lines[3])
    assert "1.000* → 0.264" in shoe
    assert "sock" in printed(run(), every=True)


def test_eighty_columns_wrap_queries_and_cut_no_figure():
    judgments = parse_judgments("query,doc_id,grade\n" + "a very long query " * 5 + ",a,3\n")
    hits = {field: dict.fromkeys(judgments.queries, "a") for field in ("title", "brand")}
    comparison = compare(Index(SPEC, TableEngine(hits)), judgments, TITLE, BRAND)
    text = printed(comparison, width=80)
    assert max(map(len, text.splitlines())) <= 80
    figures = " ".join(text.splitlines()[1].split())
    assert figures.endswith("1.000 → 1.000 +0.000 1.000 → 1.000 1.00 → 1.00 0.000 1 → 1")


def test_everything_is_printed_at_once():
    console = Console(file=io.StringIO(), width=200)
    wrong = compare(Index(SPEC, TableEngine(error=0.01)), JUDGMENTS, TITLE, BRAND)
    print_comparison(wrong, console)
    text = console.file.getvalue()
    assert text.index("\nmean ") < text.index("Improvement: ") < text.index("Warning: _rank_eval")


def test_a_long_table_shows_both_ends():
    text = "query,doc_id,grade\n" + "".join(f"q{n:02},a,1\n" for n in range(30))
    ids = {f"q{n:02}": "a" for n in range(30)}
    late = {query: [*map(str, range(n % 9)), "a"] for n, query in enumerate(ids)}
    engine = TableEngine({"title": ids, "brand": late})
    comparison = compare(Index(SPEC, engine), parse_judgments(text), TITLE, BRAND)
    assert sum("→" in line for line in printed(comparison).splitlines()) == 21
    assert sum("→" in line for line in printed(comparison, every=True).splitlines()) == 31


def test_queries_are_printed_as_typed():
    judgments = parse_judgments("query,doc_id,grade\n[red]hat,a,3\n")
    hits = {field: {"[red]hat": "a"} for field in ("title", "brand")}
    comparison = compare(Index(SPEC, TableEngine(hits)), judgments, TITLE, BRAND)
    assert "[red]hat" in printed(comparison)


def test_notes_say_what_each_number_is():
    notes = "\n".join(build_notes(run()))
    for part in (
        "mean of 3 queries with a positive grade: 2 better, 0 the same, 1 worse",
        "Gain 2^grade - 1, discount log2(rank + 1)",
        "Judged@10: 1.000",
        "not whether for the better",
        "For 1 query (*)",
        "1 query without a positive grade from nDCG ('sock')",
        "returns nothing from impact ('new')",
        "1 row that repeated another was merged",
    ):
        assert part in notes


def test_json_holds_everything():
    found = json.loads(json.dumps(run().to_json()))
    assert found["gain"] == "2^grade - 1"
    assert found["without_positive"] == ["sock"]
    assert found["without_baseline"] == ["new"]
    assert found["disagreements"] == []
    assert [row["query"] for row in found["rows"]] == ["hat", "shoe", "sock", "new"]
    assert found["rows"][1]["impact"]["change"] == pytest.approx(1 - 1 / log2(5))
    assert found["rows"][3]["impact"] is None
    assert found["summary"]["queries"] == 3
