from __future__ import annotations

from math import comb, sqrt

import numpy as np
import pytest
from scipy import stats

from kokeshi.errors import InputError
from kokeshi_eval.significance import (
    compare_paired,
    effective_size,
    holm,
    interval,
    minimum_detectable_effect,
    sign_flip,
)

SETTINGS = {"alpha": 0.05, "power": 0.8, "resamples": 999}


def rng(seed=0):
    return np.random.default_rng(seed)


def compare(before, after, weights=None, *, seed=0, **settings):
    given = None if weights is None else np.array(weights, float)
    before, after = np.array(before, float), np.array(after, float)
    return compare_paired("nDCG@10", before, after, given, **(SETTINGS | settings), rng=rng(seed))


def deltas_of(n, seed=0, shift=0.0):
    generator = rng(seed)
    return np.where(generator.random(n) < 0.4, 0.0, generator.normal(shift, 0.15, n))


def by_scipy(deltas, weights, resamples):
    """The same test, by its general implementation."""
    values = deltas * weights / weights.sum()
    found = stats.permutation_test(
        (values,),
        lambda x, axis: x.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=rng(1),
    )
    return found.pvalue


@pytest.mark.parametrize("n", [5, 8, 12])
@pytest.mark.parametrize("weighted", [False, True])
def test_few_queries_are_counted_exactly(n, weighted):
    deltas = deltas_of(n, seed=n)
    weights = rng(n).uniform(0.1, 5, n) if weighted else np.ones(n)
    found = sign_flip(deltas, weights, resamples=2**n, rng=rng())
    assert found == pytest.approx(by_scipy(deltas, weights, np.inf), rel=1e-12)
    assert found == sign_flip(deltas, weights, resamples=2**n, rng=rng(7))  # nothing is drawn


def test_queries_that_all_gain_the_same_follow_the_sign_test():
    deltas = np.array([0.1] * 9 + [-0.1])
    exact = 2 * sum(comb(10, losses) for losses in (0, 1)) / 2**10
    assert sign_flip(deltas, np.ones(10), resamples=9_999, rng=rng()) == exact


@pytest.mark.parametrize("shift", [0.0, 0.03])
def test_many_queries_are_sampled(shift):
    deltas, weights = deltas_of(116, seed=3, shift=shift), rng(4).uniform(0.5, 2, 116)
    found = sign_flip(deltas, weights, resamples=9_999, rng=rng())
    expected = by_scipy(deltas, weights, 9_999)
    error = sqrt(2 * expected * (1 - expected) / 9_999)
    assert abs(found - expected) < 4 * error


def test_a_sampled_p_counts_what_was_seen():
    gains = np.full(100, 0.2)
    assert sign_flip(gains, np.ones(100), resamples=999, rng=rng()) == 1 / 1_000


def test_batches_change_no_distribution(monkeypatch):
    deltas = deltas_of(60, seed=5, shift=0.03)
    together = sign_flip(deltas, np.ones(60), resamples=9_999, rng=rng())
    monkeypatch.setattr("kokeshi_eval.significance._CELLS", 1_000)
    assert sign_flip(deltas, np.ones(60), resamples=9_999, rng=rng()) == together


def test_ties_are_no_evidence():
    deltas = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    alone = sign_flip(deltas, np.ones(6), resamples=99, rng=rng())
    assert alone == 2 / 2**6
    tied = np.concatenate([deltas, np.zeros(500), np.full(500, 1e-12)])
    assert sign_flip(tied, np.ones(1_006), resamples=99, rng=rng()) == alone


def test_the_same_seed_gives_the_same_figures():
    before = rng(1).random(116)
    after = before + deltas_of(116)
    assert compare(before, after, seed=5) == compare(before, after, seed=5)
    assert compare(before, after, seed=5) != compare(before, after, seed=6)


def test_a_difference_states_everything():
    before, after = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5], [0.9, 0.8, 0.5, 0.5 + 9e-10, 0.4, 0.7]
    found = compare(before, after)
    assert (found.label, found.queries) == ("nDCG@10", 6)
    assert (found.wins, found.ties, found.losses) == (3, 2, 1)
    assert found.before == pytest.approx(0.5)
    assert found.after == pytest.approx(3.8 / 6)
    assert found.delta == pytest.approx(0.8 / 6)
    assert found.low < found.delta < found.high
    assert found.p == 4 / 16  # of the signs of .4 .3 -.1 .2: all alike, and this one, both ways
    assert found.p_adjusted is None


def test_weights_count_in_every_mean():
    before, after = np.zeros(6), np.array([1, 0, 0, 0, 0, -1.0])
    found = compare(before, after, [3, 1, 1, 1, 1, 1])
    assert (found.before, found.after, found.delta) == (0, 0.25, 0.25)
    assert (found.wins, found.losses) == (1, 1)


def test_few_queries_have_figures_but_no_test():
    found = compare([0.1, 0.2, 0.3, 0.4], [0.2, 0.3, 0.4, 0.5])
    assert found.delta == pytest.approx(0.1)
    assert found.wins == 4
    assert (found.p, found.low, found.high, found.mde) == (None, None, None, None)
    assert compare([0.0] * 5, [0.1] * 5).p == 2 / 2**5


def test_no_query_has_no_figures():
    found = compare([], [])
    assert found.queries == 0
    assert found.before is found.after is found.delta is found.p is found.mde is None


@pytest.mark.parametrize("gain", [0.0, 0.25])
def test_equal_differences_have_no_spread(gain):
    found = compare([0.5] * 30, [0.5 + gain] * 30)
    assert found.low == found.high == found.delta == gain
    assert found.mde is None
    assert found.p == (1.0 if gain == 0 else 1 / 1_000)


def test_one_query_of_all_the_weight_proves_nothing():
    found = compare([0.0] * 30, [0.9] + [0.1, -0.1] * 14 + [0.1], [1e9] + [1] * 29)
    assert found.p > 0.4  # half of the signs of the others add to it
    assert found.mde is None


@pytest.mark.parametrize(
    ("before", "after", "weights", "message"),
    [
        ([1, 2], [1], None, "2 figures before, 1 after, 2 weights: a paired comparison needs"),
        ([1, 2], [1, 2], [1], "2 after, 1 weights"),
        ([1, 2], [1, 2], [1, 0], "weight 0: a query's weight is above 0; leave it out"),
        ([1, 2], [1, 2], [1, np.nan], "weight nan"),
    ],
)
def test_what_does_not_pair_is_refused(before, after, weights, message):
    with pytest.raises(InputError, match=message):
        compare(before, after, weights)


def test_the_interval_is_that_of_scipy():
    values = deltas_of(116, seed=8)
    found = interval(values, np.ones(116), alpha=0.1, resamples=9_999, rng=rng())
    normal = values.mean() + np.array([-1.645, 1.645]) * values.std() / sqrt(116)
    assert found == pytest.approx(tuple(normal), abs=0.003)
    narrow = interval(values, np.ones(116), alpha=0.5, resamples=9_999, rng=rng())
    assert found[0] < narrow[0] < narrow[1] < found[1]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_narrowest_interval_holds_the_mean(sign):
    values = sign * np.array([0.0] * 19 + [1.0])
    low, high = interval(values, np.ones(20), alpha=0.999, resamples=999, rng=rng())
    assert low <= sign * 0.05 <= high
    skewed = sign * rng(1).exponential(size=8) ** 4
    low, high = interval(skewed, np.ones(8), alpha=0.999, resamples=999, rng=rng())
    assert low <= skewed.mean() <= high


def test_the_minimum_detectable_effect_is_the_formula():
    deltas = deltas_of(116, seed=9)
    error = deltas.std(ddof=1) / sqrt(116)
    quantiles = stats.t.ppf(0.975, 115) + stats.t.ppf(0.8, 115)
    found = minimum_detectable_effect(deltas, np.ones(116), alpha=0.05, power=0.8)
    assert found == pytest.approx(quantiles * error, rel=1e-12)
    four = minimum_detectable_effect(np.tile(deltas, 4), np.ones(464), alpha=0.05, power=0.8)
    assert four == pytest.approx(found / 2, rel=0.01)


def test_more_power_asks_for_more():
    deltas, weights = deltas_of(40, seed=2), np.ones(40)
    found = [
        minimum_detectable_effect(deltas, weights, alpha=0.05, power=p) for p in (0.5, 0.8, 0.95)
    ]
    assert found == sorted(found)
    assert minimum_detectable_effect(deltas, weights, alpha=0.9, power=0.01) == 0.0


def test_unequal_weights_leave_fewer_queries():
    assert effective_size(np.ones(10)) == 10
    assert effective_size(np.array([9.0] + [1e-9] * 9)) == pytest.approx(1)
    deltas = deltas_of(100, seed=2)
    even = minimum_detectable_effect(deltas, np.ones(100), alpha=0.05, power=0.8)
    uneven = np.where(np.arange(100) % 2, 1.0, 3.0)
    assert minimum_detectable_effect(deltas, uneven, alpha=0.05, power=0.8) > even


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == [0.03, 0.06, 0.06, 0.02]
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([None, 0.03, None]) == [None, 0.03, None]
    assert holm([]) == []
