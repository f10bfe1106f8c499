"""Two plans compared on an engine that is a table, and what is printed of it."""

import io
import json
from dataclasses import replace
from math import log2

import pytest
from rich.console import Console

from kokeshi import Index
from kokeshi.engines import Capabilities, Engine
from kokeshi.engines.calls import Answer
from kokeshi.errors import InputError, SpecError
from kokeshi.schema import Match, SearchPlan, parse_spec
from kokeshi_eval import (
    Route,
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


class TableEngine(Engine):
    """Answers from `hits` (field -> query -> ids), with the engine's own nDCG plus `error`.

    module: whether it has `_rank_eval`. operations: what was asked of it.
    """

    capabilities = Capabilities("elasticsearch", (9, 4, 3), derived_source=True)

    def __init__(self, hits=HITS, error=0.0, module=True):
        self.hits = hits
        self.error = error
        self.module = module
        self.operations = []

    def perform(self, call):
        self.operations.append(call.operation)
        return call.read(getattr(self, f"_{call.operation}")(call))

    def close(self):
        pass

    def _get_mapping(self, call):
        return Answer(200, {f"{call.index}-1": {"mappings": {}}})

    def _find_rank_eval(self, call):
        return Answer(400, {"error": {"type": "parsing"} if self.module else "no handler found"})

    def _rank_eval(self, call):
        k = call.body["metric"]["dcg"]["k"]
        details = {request["id"]: self._evaluate(request, k) for request in call.body["requests"]}
        return Answer(200, {"details": details, "failures": {}})

    def _msearch(self, call):
        bodies = [json.loads(line) for line in call.body.splitlines()[1::2]]
        return Answer(200, {"responses": [self._search(body) for body in bodies]})

    def _evaluate(self, request, k):
        ids = self._find(request["request"])[:k]
        grades = {rating["_id"]: rating["rating"] for rating in request["ratings"]}
        ideal = dcg(sorted(grades.values(), reverse=True)[: len(ids)])
        found = dcg([grades.get(i, 0) for i in ids]) / ideal if ideal else 0.0
        hits = [{"hit": {"_index": "shop-1", "_id": i}, "rating": None} for i in ids]
        return {"metric_score": found + self.error * bool(ideal), "hits": hits}

    def _search(self, body):
        hits = [{"_index": "shop-1", "_id": i, "_score": 1.0} for i in self._find(body)]
        total = {"value": len(hits), "relation": "eq"}
        hits = {"total": total, "hits": hits[: body["size"]]}
        return {"took": 1, "_shards": {"total": 1}, "hits": hits}

    def _find(self, body):
        match = body["query"]["multi_match"]
        return list(self.hits[match["fields"][0].partition(".")[0]][match["query"]])


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


def without_module(baseline=TITLE, candidate=BRAND, **options):
    index = Index(SPEC, TableEngine(module=False))
    return compare(index, JUDGMENTS, baseline, candidate, **options)


def test_without_rank_eval_the_same_hits_give_the_same_figures():
    there, away = run(k=3, impact_k=2), without_module(k=3, impact_k=2)
    for one, other in zip(there.rows, away.rows, strict=True):
        for scores, found in ((one.before, other.before), (one.after, other.after)):
            assert found == replace(scores, engine_ndcg=None, idcg_differs=False, path="_msearch")
        assert other.impact == (
            one.impact and replace(one.impact, engine_pseudo_ndcg=None, path="_msearch")
        )
    means = away.summary()
    assert means.before.engine_ndcg is means.after.engine_ndcg is means.engine_pseudo_ndcg is None
    assert replace(means.after, engine_ndcg=0.0) == replace(there.summary().after, engine_ndcg=0.0)


@pytest.mark.parametrize("module", [True, False])
def test_a_run_asks_once_for_rank_eval(module):
    engine = TableEngine(module=module)
    compare(Index(SPEC, engine), JUDGMENTS, TITLE, BRAND)
    assert engine.operations.count("find_rank_eval") == 1
    assert ("rank_eval" in engine.operations) is module
    assert ("msearch" in engine.operations) is not module


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


def test_the_report_says_which_path_gave_the_hits():
    assert "Hits: of both plans by _rank_eval." in build_notes(run())
    away = without_module(BRAND, BRAND)
    assert (
        "Hits: of both plans by _msearch (Elasticsearch 9.4.3 has no _rank_eval). "
        "Those of _msearch come without an nDCG of the engine's own."
    ) in build_notes(away)
    assert not [note for note in build_notes(away) if note.startswith("_rank_eval")]
    assert build_warnings(away) == []
    found = away.to_json()
    route = {"path": "_msearch", "why": "Elasticsearch 9.4.3 has no _rank_eval"}
    assert found["routes"] == {"baseline": route, "candidate": route}
    assert found["rows"][0]["before"]["path"] == "_msearch"
    assert found["rows"][0]["impact"]["path"] == "_msearch"
    assert run().to_json()["routes"]["candidate"] == {"path": "_rank_eval", "why": None}


def test_a_table_without_any_figure_of_the_engine_has_no_column_for_it():
    assert "_rank_eval" in printed(run())
    text = printed(without_module())
    assert "_rank_eval" not in text
    mean = " ".join(text.splitlines()[-1].split())
    assert mean == "mean 0.441 → 0.755 +0.314 1.00 → 0.58 0.190 1.0 → 2.7"


def test_two_paths_leave_one_side_of_the_column_empty():
    there, away = run(), without_module()
    pairs = zip(there.rows, away.rows, strict=True)
    rows = tuple(replace(row, after=other.after) for row, other in pairs)
    route = Route("_msearch", "rrf fuses two searches in the client")
    mixed = replace(there, candidate="both", rows=rows, candidate_route=route)
    shoe = next(line for line in printed(mixed).splitlines() if line.startswith("shoe"))
    assert "1.000* → - " in shoe
    notes = "\n".join(build_notes(mixed))
    assert "by _rank_eval, both by _msearch (rrf fuses two searches in the client)" in notes
    assert "_rank_eval: nDCG 0.5699 → -." in notes


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
