"""Every measure against something that did not compute it, on random judgments and runs.

ir_measures takes nDCG, AP, P and R from trec_eval, and RR@k from its own MS MARCO script. So all five
are compared with trec_eval itself (pytrec_eval; score = -rank, so that it cannot re-sort ties), which
shows that nothing is lost on the way there, and with their formulas written out here, which owe
nothing to trec_eval. ERR and rank-biased overlap are compared with their formulas.
"""

from __future__ import annotations

from fractions import Fraction
from math import log2, prod

import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from kokeshi_eval.definitions import expected
from kokeshi_eval.measure import compute_measures, score_rankings
from kokeshi_eval.model import MEASURES, Options
from kokeshi_eval.overlap import kept, rbo, same_top

QUERIES = ["red shoe", "靴 白", "q3", "q4"]
DOCUMENTS = [f"d{n}" for n in range(14)]
CLOSE = 1e-9

ranked = st.lists(st.sampled_from(DOCUMENTS), unique=True, max_size=14)
graded = st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(0, 4), max_size=12)
depths = st.integers(1, 16)
rankings = st.dictionaries(st.sampled_from(QUERIES), ranked)
judgments = st.dictionaries(st.sampled_from(QUERIES), graded)
gains = st.sampled_from(["exponential", "linear"])


def gain_of(grade, gain):
    return 2**grade - 1 if gain == "exponential" else grade


def ndcg(ids, grades, k, gain):
    def total(levels):
        return sum(gain_of(g, gain) / log2(rank + 2) for rank, g in enumerate(levels[:k]))

    ideal = total(sorted(grades.values(), reverse=True))
    return total([grades.get(id_, 0) for id_ in ids]) / ideal if ideal else 0.0


def relevance(ids, grades, k):
    return [grades.get(id_, 0) >= 1 for id_ in ids[:k]], sum(g >= 1 for g in grades.values())


def average_precision(ids, grades, k, _):
    hits, relevant = relevance(ids, grades, k)
    at = [sum(hits[: r + 1]) / (r + 1) for r, hit in enumerate(hits) if hit]
    return sum(at) / relevant if relevant else 0.0


def reciprocal_rank(ids, grades, k, _):
    hits, _relevant = relevance(ids, grades, k)
    return 1 / (hits.index(True) + 1) if any(hits) else 0.0


def precision(ids, grades, k, _):
    return sum(relevance(ids, grades, k)[0]) / k


def recall(ids, grades, k, _):
    hits, relevant = relevance(ids, grades, k)
    return sum(hits) / relevant if relevant else 0.0


def expected_reciprocal_rank(highest):
    def by_formula(ids, grades, k, _):
        r = [Fraction(2 ** grades.get(id_, 0) - 1, 2**highest) for id_ in ids[:k]]
        return float(sum(prod(1 - x for x in r[:i]) * r[i] / (i + 1) for i in range(len(r))))

    return by_formula


def highest_of(grades):
    return max((g for row in grades.values() for g in row.values()), default=0)


FORMULAS = {
    "nDCG": ndcg,
    "AP": average_precision,
    "RR": reciprocal_rank,
    "P": precision,
    "R": recall,
}


@given(rankings, judgments, depths, gains)
def test_measures_are_their_formulas(found, grades, k, gain):
    formulas = FORMULAS | {"ERR": expected_reciprocal_rank(highest_of(grades))}
    computed = compute_measures(found, grades, MEASURES, k, gain=gain)
    assert set(computed) == set(found) | set(grades)
    for query, row in computed.items():
        for name, formula in formulas.items():
            value = formula(found.get(query, []), grades.get(query, {}), k, gain)
            assert row[f"{name}@{k}"] == pytest.approx(value, abs=CLOSE), (query, name)


TREC_EVAL = {
    "nDCG": "ndcg_cut_{k}",
    "AP": "map_cut_{k}",
    "RR": "recip_rank",
    "P": "P_{k}",
    "R": "recall_{k}",
}


def trec_eval(found, grades, k, gain, *, judged_only=False):
    """query -> name -> value; no measure but RR lacks a cut, so its run is cut."""
    runs = {q: {id_: -float(n) for n, id_ in enumerate(ids)} for q, ids in found.items()}
    cut = {q: {id_: -float(n) for n, id_ in enumerate(ids[:k])} for q, ids in found.items()}
    levels = {q: {d: gain_of(g, gain) for d, g in row.items()} for q, row in grades.items()}
    names = {text.format(k=k) for text in TREC_EVAL.values()}
    evaluator = pytrec_eval.RelevanceEvaluator(levels, names, judged_docs_only_flag=judged_only)
    whole, short = evaluator.evaluate(runs), evaluator.evaluate(cut)
    return {
        query: {
            name: (short if name == "RR" else whole)[query][text.format(k=k)]
            for name, text in TREC_EVAL.items()
        }
        for query in whole
    }


@given(rankings, judgments, depths, gains)
def test_measures_are_those_of_trec_eval(found, grades, k, gain):
    computed = compute_measures(found, grades, tuple(TREC_EVAL), k, gain=gain)
    others = trec_eval(found, grades, k, gain)
    for query, row in computed.items():
        for name in TREC_EVAL:
            value = others.get(query, {}).get(name, 0.0)
            assert row[f"{name}@{k}"] == pytest.approx(value, abs=CLOSE), (query, name)


@given(rankings, judgments, depths, gains)
def test_condensed_lists_are_those_of_trec_eval(found, grades, k, gain):
    """Its option -J leaves out what has no grade, too."""
    scored = score_rankings(found, grades, Options(k=k, gain=gain))
    others = trec_eval(found, grades, k, gain, judged_only=True)
    for query, scores in scored.items():
        value = others.get(query, {}).get("nDCG", 0.0)
        assert scores.condensed == pytest.approx(value, abs=CLOSE), query


@given(rankings, judgments, depths)
def test_judged_is_the_share_of_hits_with_a_grade(found, grades, k):
    for query, scores in score_rankings(found, grades, Options(k=k)).items():
        flags = [id_ in grades.get(query, {}) for id_ in found.get(query, [])[:k]]
        assert scores.judged == (flags.count(True) / len(flags) if flags else None)


@given(ranked, graded, depths)
def test_engine_and_standard_differ_only_by_what_is_missing(ids, grades, k):
    """Where as many hits come back as are asked for, all definitions are the standard ones."""
    standard = compute_measures({"q": ids}, {"q": grades}, MEASURES, k, max_grade=4)["q"]
    same = {"R", "RR", "ERR"} | ({"nDCG", "P"} if len(ids) >= k else set())
    for name in same:
        value = expected(name, ids, grades, k, 4)
        assert value == pytest.approx(standard[f"{name}@{k}"], abs=CLOSE), name
    for name in ("nDCG", "P"):
        assert expected(name, ids, grades, k, 4) >= standard[f"{name}@{k}"] - CLOSE


def overlap(a, b, d):
    return len(set(a[:d]) & set(b[:d]))


def rbo_ext(a, b, p):
    """Equation 32, the lists without their third part of one that is empty."""
    short, long = sorted((a, b), key=len)
    s, length = len(short), len(long)
    x_s, x_l = overlap(short, long, s), overlap(short, long, length)
    total = sum(overlap(a, b, d) / d * p**d for d in range(1, length + 1))
    total += sum(x_s * (d - s) / (s * d) * p**d for d in range(s + 1, length + 1))
    return (1 - p) / p * total + ((x_l - x_s) / length + x_s / s) * p**length


persistence = st.floats(0.05, 0.99)
some = st.lists(st.sampled_from(DOCUMENTS), unique=True, min_size=1)


@given(some, some, persistence)
def test_rank_biased_overlap_is_its_formula(a, b, p):
    assert rbo(a, b, p) == pytest.approx(rbo_ext(a, b, p), abs=CLOSE)


@given(ranked, ranked, persistence)
def test_rank_biased_overlap_is_a_symmetric_share(a, b, p):
    value = rbo(a, b, p)
    assert value == rbo(b, a, p)
    assert -CLOSE <= value <= 1 + CLOSE
    assert rbo(a, a, p) == pytest.approx(1.0)


@given(some, st.floats(0.5, 0.99), st.data())
def test_rank_biased_overlap_falls_with_what_is_replaced(ids, p, data):
    place = data.draw(st.integers(0, len(ids) - 1))
    assert rbo(ids, [*ids[:place], "new", *ids[place + 1 :]], p) < 1.0


@given(ranked, ranked, depths)
def test_kept_and_same_top_agree(a, b, k):
    share = kept(a, b, k)
    assert share == (overlap(a, b, k) / len(b[:k]) if b else None)
    if b and same_top(a, b, k):
        assert share == 1.0
