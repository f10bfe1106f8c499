"""Measures against values worked out by hand, and pseudo grades."""

import sys
from math import log2

import ir_measures
import pytest

from kokeshi.errors import MissingExtraError
from kokeshi_eval import Ranking, judged_share, ndcg, pseudo_grades, score

GRADES = {"q": {"a": 3, "b": 2, "c": 1, "d": 0}}
# ideal: 7 + 3 / log2(3) + 1 / 2
IDEAL = 7 + 3 / log2(3) + 0.5


def one(ids, k, grades=GRADES):
    return ndcg({"q": ids}, grades, {"q": k})["q"]


@pytest.mark.parametrize(
    ("ids", "k", "expected"),
    [
        (["a", "b", "c", "d"], 10, 1.0),
        (["b", "a"], 10, (3 + 7 / log2(3)) / IDEAL),
        (["x", "y", "c"], 10, 0.5 / IDEAL),
        (["c", "b", "a"], 1, 1 / 7),
        (["c", "b", "a"], 2, (1 + 3 / log2(3)) / (7 + 3 / log2(3))),
        (["d", "x"], 10, 0.0),
        ([], 10, 0.0),
    ],
)
def test_ndcg_by_hand(ids, k, expected):
    assert one(ids, k) == pytest.approx(expected, abs=1e-12)


def test_five_perfect_documents_and_one_hit():
    """The example of the engine's cut ideal: it says 1.0 where nDCG@10 is 0.34."""
    grades = {"q": dict.fromkeys("abcde", 3)}
    scores = score({"q": Ranking(("a",), 1.0)}, grades, 10)["q"]
    ideal = sum(1 / log2(rank + 1) for rank in range(1, 6))
    assert scores.ndcg == pytest.approx(1 / ideal, abs=1e-12)
    assert scores.ndcg == pytest.approx(0.34, abs=0.005)
    assert scores.ndcg_cut == 1.0
    assert scores.idcg_differs
    assert scores.agrees


def test_few_hits_but_fewer_positives_have_the_same_ideal():
    scores = score({"q": Ranking(("a", "b", "c"), 1.0)}, GRADES, 10)["q"]
    assert (scores.hits, scores.ndcg, scores.idcg_differs, scores.agrees) == (3, 1.0, False, True)


def test_an_engine_that_disagrees_is_seen():
    assert not score({"q": Ranking(("b", "a"), 1.0)}, GRADES, 10)["q"].agrees


def test_each_query_has_its_own_cutoff():
    rankings = {"x": ["b", "a"], "y": ["b", "a"], "z": ["b"]}
    grades = dict.fromkeys("xyz", GRADES["q"])
    found = ndcg(rankings, grades, {"x": 1, "y": 2, "z": 0})
    assert found == pytest.approx(
        {"x": 3 / 7, "y": (3 + 7 / log2(3)) / (7 + 3 / log2(3)), "z": 0.0}
    )


def test_tied_scores_keep_the_order_of_the_engine():
    """Ids that a tie would put the other way round, whichever way it sorts."""
    assert one(["a", "b"], 1) == 1.0
    assert one(["b", "a"], 1) == pytest.approx(3 / 7)


def test_queries_without_positives_or_without_hits_are_zero():
    found = score({"q": Ranking(("d",), 0.0), "n": Ranking((), 0.0)}, {"q": {"d": 0}}, 10)
    assert found["q"].ndcg == found["n"].ndcg == 0.0
    assert (found["q"].judged, found["n"].judged) == (1.0, None)
    assert not found["q"].idcg_differs
    assert not found["n"].idcg_differs


def test_judged_is_the_share_of_graded_hits():
    assert judged_share(["a", "x", "d", "y"], GRADES["q"], 10) == 0.5
    assert judged_share(["a", "x", "d", "y"], GRADES["q"], 1) == 1.0
    assert judged_share([], GRADES["q"], 10) is None


def test_judged_is_that_of_ir_measures():
    run = {"q": {"a": 4.0, "x": 3.0, "d": 2.0}}
    expected = ir_measures.calc_aggregate([ir_measures.Judged @ 10], GRADES, run)
    assert judged_share(["a", "x", "d"], GRADES["q"], 10) == expected[ir_measures.Judged @ 10]


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kokeshi\[eval\]'"):
        one(["a"], 10)


def test_pseudo_grades_are_one_down_to_rank_k():
    assert pseudo_grades(["a", "b", "c"], 2) == {"a": 1, "b": 1}
    assert pseudo_grades([], 20) == {}


def test_three_of_twenty_kept_give_the_published_figures():
    truth = {"q": pseudo_grades([str(n) for n in range(20)], 20)}
    ids = [f"new {rank}" for rank in range(1, 21)]
    ids[1], ids[4], ids[9] = "0", "1", "2"
    found = ndcg({"q": ids}, truth, {"q": 20})["q"]
    assert found == pytest.approx(1.3068473871238868 / 7.040268381923511, rel=1e-6)


def test_pseudo_ndcg_sees_loss_and_not_order():
    ids = [str(n) for n in range(20)]
    truth = {"q": pseudo_grades(ids, 20)}
    same = ndcg({"q": ids}, truth, {"q": 20})["q"]
    turned = ndcg({"q": ids[::-1]}, truth, {"q": 20})["q"]
    halved = ndcg({"q": ids[10:]}, truth, {"q": 20})["q"]
    other = ndcg({"q": ["x", "y"]}, truth, {"q": 20})["q"]
    assert same == turned == 1.0
    assert 1 > halved > other == 0.0
