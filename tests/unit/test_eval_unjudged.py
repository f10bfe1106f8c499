from __future__ import annotations

import itertools
from math import log2

import pytest

from kokeshi_eval.measure import compute_measures, gain_of
from kokeshi_eval.model import Contended, Options, QueryResult, Ranked
from kokeshi_eval.unjudged import find_missing

MAX_GRADE = 3
GRADES = {
    "hat": {"a": 3, "b": 1, "c": 0},
    "shoe": {"p": 2, "q": 2, "r": 1},
    "sock": {"s": 0},
    "belt": {},
}
BEFORE = {"hat": "axbm", "shoe": "ypqz", "sock": "su", "belt": "vw"}
AFTER = {"hat": "xnam", "shoe": "zpy", "sock": "us", "belt": "wv"}
WEIGHTS = {"hat": 2.0, "shoe": 1.0, "sock": 5.0, "belt": 1.0}
GRADED = ("hat", "shoe")


def ranked(query, ids):
    grades = tuple(GRADES[query].get(id_) for id_ in ids)
    return Ranked(ids=tuple(ids), grades=grades, values={}, judged=None, condensed=0.0)


def build(queries, before=BEFORE, after=AFTER):
    return [
        QueryResult(
            id=query,
            text=query,
            filter=None,
            weight=WEIGHTS[query],
            attributes={},
            positives=sum(grade > 0 for grade in GRADES[query].values()),
            baseline=ranked(query, before[query]),
            candidates=(Contended(ranked=ranked(query, after[query]), moved=None),),
        )
        for query in queries
    ]


def mean(options, best=(), counted=GRADED):
    """The weighted mean difference by ir_measures, when these (query, document) have the best grade."""
    grades = {query: dict(GRADES[query]) for query in counted}
    for query, doc_id in best:
        grades[query][doc_id] = MAX_GRADE
    totals = []
    for hits in (AFTER, BEFORE):
        rankings = {query: list(hits[query]) for query in counted}
        values = compute_measures(rankings, grades, ["nDCG"], options.k, gain=options.gain)
        totals.append(sum(WEIGHTS[q] * values[q][f"nDCG@{options.k}"] for q in counted))
    return (totals[0] - totals[1]) / sum(WEIGHTS[query] for query in counted)


def find(options, queries=GRADES):
    return find_missing(build(queries), 0, GRADES, options, MAX_GRADE)


OPTIONS = [Options(gain=gain, k=k) for gain in ("exponential", "linear") for k in (2, 3, 10)]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: f"{o.gain} {o.k}")
def test_a_swing_is_the_difference_with_that_one_grade(options):
    found = find(options)
    assert found.rise[0] == found.fall[0] == pytest.approx(mean(options), abs=1e-12)
    for one in found.documents:
        moved = mean(options, [(one.query, one.doc_id)]) - mean(options)
        assert one.swing == pytest.approx(moved, abs=1e-12)


def test_every_hit_without_a_grade_in_the_first_k_is_there_once():
    names = {(one.query, one.doc_id) for one in find(Options()).documents}
    assert names == {("hat", "x"), ("hat", "n"), ("hat", "m"), ("shoe", "y"), ("shoe", "z")}
    assert len(find(Options()).documents) == 5
    top = {(one.query, one.doc_id) for one in find(Options(k=1)).documents}
    assert top == {("hat", "x"), ("shoe", "y"), ("shoe", "z")}


def test_the_most_swing_comes_first_either_way():
    for before, after in ((BEFORE, AFTER), (AFTER, BEFORE)):
        found = find_missing(build(GRADED, before, after), 0, GRADES, Options(), MAX_GRADE)
        swings = [one.swing for one in found.documents]
        assert [abs(swing) for swing in swings] == sorted(map(abs, swings), reverse=True)
        assert min(swings) < 0 < max(swings)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: f"{o.gain} {o.k}")
def test_bounds_are_those_of_every_assignment(options):
    found = find(options)
    pool = [(one.query, one.doc_id) for one in found.documents]
    means = [
        mean(options, best)
        for count in range(len(pool) + 1)
        for best in itertools.combinations(pool, count)
    ]
    assert found.low == pytest.approx(min(means), abs=1e-12)
    assert found.high == pytest.approx(max(means), abs=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: f"{o.gain} {o.k}")
def test_the_curves_are_exact_for_several_grades_of_one_query(options):
    found = find(options)
    for curve, sign in ((found.rise, 1), (found.fall, -1)):
        assert len(curve) == len(found.documents) + 1
        for count, value in enumerate(curve):
            best = [(o.query, o.doc_id) for o in found.documents[:count] if o.swing * sign > 0]
            assert value == pytest.approx(mean(options, best), abs=1e-12)
        assert found.low - 1e-12 <= curve[-1] <= found.high + 1e-12


def test_without_any_positive_grade_all_queries_count():
    found = find(Options(), queries=("sock", "belt"))
    assert found.rise[0] == 0.0
    assert {(one.query, one.doc_id) for one in found.documents} == {
        ("sock", "u"),
        ("belt", "v"),
        ("belt", "w"),
    }
    counted = ("sock", "belt")
    for one in found.documents:
        expected = mean(Options(), [(one.query, one.doc_id)], counted)
        assert one.swing == pytest.approx(expected, abs=1e-12)
    assert found.low < 0 < found.high


def test_without_any_judgment_hits_have_a_swing_all_the_same():
    found = find_missing(build(["belt"]), 0, {}, Options(), 0)
    assert [one.swing for one in found.documents] == pytest.approx(
        [-1 + 1 / log2(3), 1 - 1 / log2(3)]
    )


def test_judged_hits_leave_nothing_open():
    alike = {query: "".join(GRADES[query]) for query in GRADED}
    found = find_missing(build(GRADED, alike, alike), 0, GRADES, Options(), MAX_GRADE)
    assert (found.documents, found.low, found.high) == ((), 0.0, 0.0)
    assert found.rise == found.fall == (0.0,)


def test_no_query_leaves_nothing_open():
    found = find_missing([], 0, {}, Options(), 0)
    assert (found.documents, found.low, found.high, found.rise) == ((), 0, 0, (0.0,))


def test_the_best_grade_is_that_of_the_scale():
    low, high = (find_missing(build(GRADED), 0, GRADES, Options(), g).high for g in (3, 5))
    assert gain_of(5) > gain_of(3)
    assert low != high
