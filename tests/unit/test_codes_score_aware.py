from __future__ import annotations

import itertools

import numpy as np
import pytest

from kokeshi.codes.product import ProductQuantizer
from kokeshi.codes.score_aware import Descent, ScoreAwareQuantizer, eta
from kokeshi.errors import CodebookError

pytest.importorskip("faiss", reason="the extra codes is not installed")


def clustered(count, dimension, seed=3):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((20, dimension))
    vectors = centres[rng.integers(20, size=count)] + rng.standard_normal((count, dimension)) / 2
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


X = clustered(3000, 32)


def fitted(kind, m, size=16, vectors=X, **options):
    return kind(m, size, **options).fit(vectors, rng=np.random.default_rng(1))


def loss(vectors, decoded, weight):
    """The formula as the paper writes it, vector by vector. weight: eta."""
    residual = vectors.astype(np.float64) - decoded
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    along = (residual * unit).sum(axis=1, keepdims=True) * unit
    across = residual - along
    return weight * np.square(along).sum(axis=1) + np.square(across).sum(axis=1)


@pytest.mark.parametrize(
    ("threshold", "dimension", "expected"), [(0.2, 100, 4.125), (0, 100, 0), (0.5, 4, 1)]
)
def test_eta_is_that_of_the_paper(threshold, dimension, expected):
    assert eta(threshold, dimension) == pytest.approx(expected)


@pytest.mark.parametrize(("m", "size"), [(8, 16), (16, 16), (8, 256), (5, 16)])
def test_the_loss_is_below_that_of_plain_codes(m, size):
    plain, aware = (
        fitted(kind, m, size, threshold=0.4)
        if kind is ScoreAwareQuantizer
        else fitted(kind, m, size)
        for kind in (ProductQuantizer, ScoreAwareQuantizer)
    )
    weight = eta(0.4, 32)
    losses = [loss(X, pq.decode(pq.encode(X)), weight).mean() for pq in (plain, aware)]
    assert losses[1] < 0.9 * losses[0]


@pytest.mark.parametrize(("size", "threshold"), [(16, 0.4), (256, 0.4), (16, 0.19)])
def test_no_single_other_codeword_has_less_loss(size, threshold):
    """Of nearly every vector: descent ends after some sweeps, and compares to 16 bits or more."""
    aware, weight = fitted(ScoreAwareQuantizer, 8, size, threshold=threshold), eta(threshold, 32)
    some = X[:200]
    codes = aware.encode(some)
    reached = loss(some, aware.decode(codes), weight)
    better = np.zeros(len(some), bool)
    for m, k in itertools.product(range(8), range(size)):
        other = codes.copy()
        other[:, m] = k
        better |= loss(some, aware.decode(other), weight) < reached * (1 - 1e-3)
    assert better.mean() <= 0.05


def test_codes_are_near_the_best_of_all():
    """Two subvectors of 16 codewords have 256 pairs of codes: all are tried."""
    vectors = clustered(300, 6)
    aware = fitted(ScoreAwareQuantizer, 2, vectors=vectors, threshold=0.8)
    every = np.array(list(itertools.product(range(16), repeat=2)), np.uint8)
    decoded = aware.decode(every)
    best = [loss(np.repeat(x[None], 256, 0), decoded, eta(0.8, 6)).min() for x in vectors]
    found = loss(vectors, aware.decode(aware.encode(vectors)), eta(0.8, 6))
    assert (found >= np.array(best) - 1e-6).all()
    assert found.mean() <= 1.1 * np.mean(best)


@pytest.mark.parametrize("size", [16, 256])
def test_each_round_of_training_lowers_the_loss(size):
    pq = fitted(ProductQuantizer, 8, size)
    weight = eta(0.4, 32) - 1
    descent, codewords, losses = Descent.start(X, 8, weight), pq.codewords, []
    for _ in range(5):
        descent.sweep(codewords)
        losses.append(loss(X, pq.restore(codewords, 32).decode(descent.codes.T.copy()), weight + 1))
        codewords = descent.improve(codewords)
        losses.append(loss(X, pq.restore(codewords, 32).decode(descent.codes.T.copy()), weight + 1))
    means = np.array([each.mean() for each in losses])
    assert (np.diff(means) < 1e-6).all()


def test_improved_codewords_are_the_least_squares_solution():
    """With the other subvector fixed: no nudge of the last codewords lowers the loss."""
    pq = fitted(ProductQuantizer, 2)
    weight = eta(0.4, 32)
    descent = Descent.start(X, 2, weight - 1)
    descent.sweep(pq.codewords)
    best = descent.improve(pq.codewords)
    codes = descent.codes.T.copy()
    reached = loss(X, pq.restore(best, 32).decode(codes), weight).mean()
    rng = np.random.default_rng(5)
    for _ in range(20):
        nudged = best.copy()
        nudged[1] += 0.01 * rng.standard_normal(nudged[1].shape).astype(np.float32)
        assert loss(X, pq.restore(nudged, 32).decode(codes), weight).mean() > reached


@pytest.mark.parametrize("threshold", [0, 0.1])
def test_a_low_threshold_gives_the_plain_codes(threshold):
    assert eta(threshold, 32) < 1
    aware = fitted(ScoreAwareQuantizer, 8, threshold=threshold)
    plain = ProductQuantizer(8, 16).restore(aware.codewords, 32)
    same = aware.encode(X) == plain.encode(X)
    assert same.mean() > 0.999  # all but near ties


def test_codes_do_not_depend_on_the_length():
    aware = fitted(ScoreAwareQuantizer, 8, threshold=0.4)
    longer = fitted(ScoreAwareQuantizer, 8, vectors=4 * X, threshold=0.4)
    np.testing.assert_allclose(longer.codewords, 4 * aware.codewords, rtol=1e-3, atol=1e-4)
    assert (longer.encode(4 * X) == aware.encode(X)).mean() > 0.99


def test_a_zero_vector_gets_the_plain_codes():
    aware = fitted(ScoreAwareQuantizer, 8, threshold=0.4)
    plain = ProductQuantizer(8, 16).restore(aware.codewords, 32)
    zero = np.zeros((1, 32), np.float32)
    np.testing.assert_array_equal(aware.encode(zero), plain.encode(zero))


@pytest.mark.parametrize("threshold", [-0.1, 1, 1.5, float("nan")])
def test_a_threshold_is_a_cosine(threshold):
    with pytest.raises(CodebookError, match=f"threshold {threshold}: write a cosine from 0 to"):
        ScoreAwareQuantizer(4, threshold=threshold)
