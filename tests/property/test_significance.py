from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kokeshi_eval.significance import compare_paired, holm

FIGURES = st.sampled_from([0.0, 0.25, 0.5, 0.63, 1.0]) | st.floats(0, 1)
WEIGHTS = st.floats(0.01, 100)
P_VALUES = st.lists(st.floats(0, 1), max_size=12)


def pairs(least=0, most=40):
    def of_size(n):
        return st.tuples(*(arrays(float, n, elements=e) for e in (FIGURES, FIGURES, WEIGHTS)))

    return st.integers(least, most).flatmap(of_size)


def compare(before, after, weights=None):
    return compare_paired(
        "nDCG@10",
        before,
        after,
        weights,
        alpha=0.05,
        power=0.8,
        resamples=99,
        rng=np.random.default_rng(0),
    )


def same(one, other):
    return one is other is None or one == pytest.approx(other, rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(given_=pairs(least=5))
def test_p_is_a_probability_and_the_interval_holds_the_difference(given_):
    found = compare(*given_)
    assert 0 < found.p <= 1
    assert found.low <= found.delta <= found.high
    assert found.wins + found.ties + found.losses == found.queries == len(given_[0])
    assert found.delta == pytest.approx(found.after - found.before, abs=1e-12)
    assert found.mde is None or found.mde >= 0


@settings(deadline=None)
@given(given_=pairs())
def test_the_other_way_round_is_the_same_with_the_other_sign(given_):
    before, after, weights = given_
    there, back = compare(before, after, weights), compare(after, before, weights)
    assert (back.wins, back.losses) == (there.losses, there.wins)
    assert back.p == there.p
    if there.queries:
        assert back.delta == -there.delta
    if there.low is not None:
        assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-12)
        assert back.mde == there.mde


@settings(deadline=None)
@given(given_=pairs(), weight=st.sampled_from([1.0, 0.25, 8.0]))
def test_equal_weights_are_none(given_, weight):
    before, after, _ = given_
    plain, weighted = compare(before, after), compare(before, after, np.full(len(before), weight))
    assert (weighted.queries, weighted.p) == (plain.queries, plain.p)
    for name in ("before", "after", "delta", "low", "high", "mde"):
        assert same(getattr(weighted, name), getattr(plain, name))


@settings(deadline=None)
@given(given_=pairs(least=1))
def test_a_weight_of_two_is_the_query_given_twice(given_):
    before, after, _ = given_
    doubled = compare(before, after, np.where(np.arange(len(before)) == 0, 2.0, 1.0))
    twice = compare(np.append(before, before[0]), np.append(after, after[0]))
    for name in ("before", "after", "delta"):
        assert getattr(doubled, name) == pytest.approx(getattr(twice, name), abs=1e-12)


@given(values=P_VALUES)
def test_holm_raises_keeps_the_order_and_stays_below_bonferroni(values):
    found = holm(values)
    for p, adjusted in zip(values, found, strict=True):
        assert p <= adjusted <= min(1, p * len(values)) + 1e-15
    ordered = [adjusted for _, adjusted in sorted(zip(values, found, strict=True))]
    assert ordered == sorted(ordered)


@given(values=P_VALUES, place=st.integers(0, 11), less=st.floats(0, 1))
def test_a_smaller_p_raises_no_other(values, place, less):
    if place >= len(values):
        return
    lower = [p * less if at == place else p for at, p in enumerate(values)]
    for before, after in zip(holm(values), holm(lower), strict=True):
        assert after <= before + 1e-15


@given(values=P_VALUES, extra=st.integers(0, 3))
def test_what_has_no_p_does_not_count(values, extra):
    assert holm([None] * extra + values) == [None] * extra + holm(values)
