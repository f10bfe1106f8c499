"""Measures, overlaps and the engine's definitions against values worked out by hand."""

import sys
from math import log2

import ir_measures
import pytest

from kokeshi.errors import InputError, MissingExtraError
from kokeshi_eval.definitions import DEFINITIONS, dcg, expected, explain_figure
from kokeshi_eval.measure import (
    compute_measures,
    condense,
    err,
    judged_share,
    score_rankings,
)
from kokeshi_eval.model import MEASURES, Options
from kokeshi_eval.overlap import kept, rbo, same_top

GRADES = {"q": {"a": 3, "b": 2, "c": 1, "d": 0}}
# gains 7, 3, 1
IDEAL = 7 + 3 / log2(3) + 0.5


def one(name, ids, k=10, grades=GRADES, **more):
    return compute_measures({"q": ids}, grades, (name,), k, **more)["q"][f"{name}@{k}"]


@pytest.mark.parametrize(
    ("name", "ids", "k", "value"),
    [
        ("nDCG", "abcd", 10, 1.0),
        ("nDCG", "ba", 10, (3 + 7 / log2(3)) / IDEAL),
        ("nDCG", "xyc", 10, 0.5 / IDEAL),
        ("nDCG", "cba", 1, 1 / 7),
        ("nDCG", "dx", 10, 0.0),
        ("AP", "xayb", 10, (1 / 2 + 2 / 4) / 3),
        ("AP", "xayb", 3, (1 / 2) / 3),
        ("RR", "xdc", 10, 1 / 3),
        ("RR", "xdc", 2, 0.0),
        ("P", "abx", 10, 2 / 10),
        ("P", "abx", 2, 1.0),
        ("R", "axb", 10, 2 / 3),
        ("R", "axb", 2, 1 / 3),
        # 2^3 = 8: satisfied by 7/8, 1/8
        ("ERR", "ac", 10, 7 / 8 + (1 / 8) * (1 / 8) / 2),
        ("ERR", "xc", 10, (1 / 8) / 2),
        ("ERR", "xc", 1, 0.0),
    ],
)
def test_measures_by_hand(name, ids, k, value):
    assert one(name, list(ids), k) == pytest.approx(value, abs=1e-12)


def test_linear_gain_is_the_grade():
    value = (2 + 3 / log2(3)) / (3 + 2 / log2(3) + 1 / 2)
    assert one("nDCG", ["b", "a"], gain="linear") == pytest.approx(value, abs=1e-12)


def test_the_highest_grade_of_the_scale_is_stated():
    assert one("ERR", ["c"]) == 1 / 8
    assert one("ERR", ["c"], max_grade=4) == 1 / 16
    with pytest.raises(InputError, match="max_grade 2: a document has grade 3; give at least"):
        one("ERR", ["c"], max_grade=2)


@pytest.mark.parametrize("name", MEASURES)
def test_queries_without_hits_or_positives_or_rankings_are_zero(name):
    grades = {**GRADES, "missing": {"a": 1}, "zeros": {"a": 0}, "none": {"a": 1}}
    found = compute_measures(
        {"q": ["a"], "none": [], "zeros": ["a"], "ungraded": ["a"]}, grades, (name,), 10
    )
    assert set(found) == {"q", "missing", "zeros", "none", "ungraded"}
    values = {query: row[f"{name}@10"] for query, row in found.items()}
    assert values.pop("q") > 0
    assert set(values.values()) == {0.0}


@pytest.mark.parametrize("name", ["nDCG", "RR", "ERR"])
def test_tied_scores_keep_the_order_of_the_engine(name):
    """Ids that a tie would put the other way round, whichever way it sorts."""
    assert one(name, ["a", "x"], 1) > 0
    assert one(name, ["x", "a"], 1) == 0
    assert one(name, ["c", "x"], 1) > one(name, ["x", "c"], 1)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kokeshi\[eval\]'"):
        one("nDCG", ["a"])


def test_judged_is_the_share_of_graded_hits():
    assert judged_share(["a", "x", "d", "y"], GRADES["q"], 10) == 0.5
    assert judged_share(["a", "x", "d", "y"], GRADES["q"], 1) == 1.0
    assert judged_share([], GRADES["q"], 10) is None


def test_judged_is_that_of_ir_measures():
    run = {"q": {"a": 4.0, "x": 3.0, "d": 2.0}}
    other = ir_measures.calc_aggregate([ir_measures.Judged @ 10], GRADES, run)
    assert judged_share(["a", "x", "d"], GRADES["q"], 10) == other[ir_measures.Judged @ 10]


def test_a_condensed_list_has_the_graded_hits_in_order():
    assert condense(["x", "b", "d", "y", "a"], GRADES["q"]) == ["b", "d", "a"]


def test_scores_of_a_query():
    options = Options(k=2, measures=("nDCG", "P"), gain="linear")
    found = score_rankings({"q": ["x", "a", "b"]}, GRADES, options)["q"]
    ideal = 3 + 2 / log2(3)
    assert found.values == pytest.approx({"nDCG@2": (3 / log2(3)) / ideal, "P@2": 0.5})
    assert found.judged == 0.5
    # a and b, of which b is the third hit
    assert found.condensed == pytest.approx(1.0)


def test_a_missing_query_has_no_hits():
    found = score_rankings({}, GRADES, Options())["q"]
    assert (set(found.values.values()), found.judged, found.condensed) == ({0.0}, None, 0.0)


def test_err_of_no_hits_is_zero():
    assert err([], 3) == 0.0


def test_rbo_by_hand():
    # overlaps 0, 2 of lists of two: (1-p)/p * (2/2 p^2) + 2/2 p^2
    assert rbo(["a", "b"], ["b", "a"], 0.5) == pytest.approx(0.5 * 0.5 + 0.25)
    # s = 1, l = 2, overlaps 1, 1: p/p terms, then the assumed depth 2
    value = (0.5 / 0.5) * (1 * 0.5 + (1 / 2) * 0.25 + (1 * 1 / (1 * 2)) * 0.25) + (0 + 1) * 0.25
    assert rbo(["a"], ["a", "b"], 0.5) == pytest.approx(value)


def test_rbo_of_empty_and_disjoint_lists():
    assert rbo([], []) == 1.0
    assert rbo([], ["a"]) == rbo(["a"], []) == rbo(["a", "b"], ["c"]) == 0.0


def test_the_top_weighs_more_the_smaller_p_is():
    swapped = ["b", "a", "c", "d"]
    assert rbo(list("abcd"), swapped, 0.5) < rbo(list("abcd"), swapped, 0.9) < 1


def test_same_top_and_kept():
    assert same_top(["a", "b"], ("a", "b", "c"), 2)
    assert not same_top(["a", "b"], ["b", "a"], 2)
    assert not same_top(["a"], ["a", "b"], 2)
    assert kept(["a", "b", "c"], ["c", "x"], 2) == 0.0
    assert kept(["a", "b", "c"], ["c", "x"], 3) == 0.5
    assert kept(["a"], [], 3) is None


def test_dcg_by_hand():
    assert dcg([3, 0, 1]) == 7 + 1 / 2
    assert dcg([]) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nDCG", (1 + 3 / log2(3)) / (7 + 3 / log2(3))),
        ("P", 1.0),
        ("R", 2 / 3),
        ("RR", 1.0),
        ("ERR", 1 / 8 + (7 / 8) * (3 / 8) / 2),
    ],
)
def test_the_engine_divides_by_what_came_back(name, value):
    assert expected(name, ["c", "b"], GRADES["q"], 10, 3) == pytest.approx(value)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_no_hits_and_no_positives_are_zero_for_the_engine(name):
    assert expected(name, [], GRADES["q"], 10, 3) == 0.0
    assert expected(name, ["d", "x"], {"d": 0}, 10, 3) == 0.0


def figure(name, value, standard, ids, **more):
    return explain_figure(name, value, standard, ids, GRADES["q"], 10, max_grade=3, **more)


def test_equal_figures_need_no_reason():
    assert figure("RR", 1.0, 1.0, ["a"]).why is None
    assert figure("nDCG", 1.0, 1.0, ["a", "b", "c"]).why is None


def test_five_perfect_documents_and_one_hit():
    """The example of the engine's cut ideal: it says 1.0 where nDCG@10 is 0.34."""
    grades = {"q": dict.fromkeys("abcde", 3)}
    standard = one("nDCG", ["a"], grades=grades)
    assert standard == pytest.approx(0.34, abs=0.005)
    found = explain_figure("nDCG", 1.0, standard, ["a"], grades["q"], 10, max_grade=3)
    assert found.expected == 1.0
    assert found.why == "its ideal ranking is cut at the hits that came back, not at 10"


def test_reasons_name_what_differs():
    assert figure("P", 1.0, 0.1, ["a"]).why == "it divides by the hits that came back, not by 10"
    linear = one("nDCG", ["b", "a"], gain="linear")
    found = figure("nDCG", (3 + 7 / log2(3)) / (7 + 3 / log2(3)), linear, ["b", "a"], gain="linear")
    assert found.why == (
        "its gain is 2^grade - 1, not the grade and "
        "its ideal ranking is cut at the hits that came back, not at 10"
    )
    short = {"a": 3, "b": 2}
    value, linear = dcg([2, 3]) / dcg([3, 2]), one("nDCG", "ba", grades={"q": short}, gain="linear")
    found = explain_figure("nDCG", value, linear, "ba", short, 10, max_grade=3, gain="linear")
    assert found.why == "its gain is 2^grade - 1, not the grade"
    assert figure("ERR", 7 / 8, 0.5, ["a"]).why == (
        "the standard one is of other grades, or another highest grade"
    )


def test_an_engine_that_is_not_as_defined_is_seen():
    assert figure("RR", 0.25, 1.0, ["a"]).why == (
        "the engine's definition gives 1.000000 for these hits and grades, not 0.250000"
    )
