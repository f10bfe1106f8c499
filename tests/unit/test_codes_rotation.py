from __future__ import annotations

import numpy as np
import pytest

from kokeshi.codes.product import ProductQuantizer
from kokeshi.codes.quality import measure_quality
from kokeshi.codes.rotation import OpqRotation, PcaRotation, allocate
from kokeshi.errors import CodebookError


def correlated(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    """Vectors whose variance falls from axis to axis, turned so that every dimension mixes them."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(dimension, dimension)))
    scales = 2.0 ** -np.arange(dimension)
    return ((rng.normal(size=(count, dimension)) * scales + 0.5) @ turn.T).astype(np.float32)


X = correlated(2000, 16)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_principal_axes_come_by_falling_second_moment(rng):
    moments = np.square(PcaRotation().fit(X, rng=rng).apply(X), dtype=np.float64).mean(axis=0)
    assert (np.diff(moments) <= 1e-9).all()
    expected = np.linalg.eigvalsh(X.T.astype(np.float64) @ X / len(X))[::-1]
    np.testing.assert_allclose(moments, expected, rtol=1e-3, atol=1e-9)


def test_a_prefix_of_principal_axes_keeps_inner_products_best(rng):
    rotated = PcaRotation().fit(X, rng=rng).apply(X)
    exact = X @ X.T
    lost = np.square(exact - rotated[:, :4] @ rotated[:, :4].T).mean()
    turn, _ = np.linalg.qr(rng.normal(size=(16, 16)))
    others = [X, X[:, ::-1], X @ turn.astype(np.float32)]
    assert all(lost < np.square(exact - o[:, :4] @ o[:, :4].T).mean() / 2 for o in others)


def test_the_sign_of_an_axis_is_that_of_its_largest_component(rng):
    matrix = PcaRotation().fit(X, rng=rng).matrix
    assert (matrix[np.abs(matrix).argmax(axis=0), np.arange(16)] > 0).all()
    np.testing.assert_allclose(PcaRotation().fit(-X, rng=rng).matrix, matrix, atol=1e-6)


def test_fewer_vectors_than_dimensions_still_give_a_rotation(rng):
    fitted = PcaRotation().fit(X[:3], rng=rng)
    np.testing.assert_allclose(fitted.invert(fitted.apply(X)), X, atol=1e-5)


def test_axes_are_dealt_to_subvectors_of_equal_products():
    spread = np.random.default_rng(0).normal(size=(50_000, 4)) * [8, 4, 2, 1]
    axes = np.abs(allocate(spread.astype(np.float32), 2)).argmax(axis=0)
    assert {frozenset(axes[:2]), frozenset(axes[2:])} == {frozenset({0, 3}), frozenset({1, 2})}


def test_opq_distorts_less_than_no_rotation():
    found = {}
    for name, rotation in (("none", None), ("opq", OpqRotation(4, 16))):
        quantizer = ProductQuantizer(4, 16, rotation=rotation)
        quantizer.fit(X, rng=np.random.default_rng(1))
        quality = measure_quality(quantizer, X, correlated(500, 16), space="dot")
        found[name] = quality.distortion_parallel + quality.distortion_orthogonal
    assert found["opq"] < 0.8 * found["none"]


def test_opq_starts_with_the_axes_as_dealt(monkeypatch, rng):
    monkeypatch.setattr("kokeshi.codes.rotation._OPQ_ITERATIONS", 0)
    np.testing.assert_allclose(OpqRotation(4, 16).fit(X, rng=rng).matrix, allocate(X, 4), atol=1e-5)


def test_the_same_generator_finds_the_same_opq():
    first, second = (
        OpqRotation(4, 16).fit(X[:300], rng=np.random.default_rng(1)) for _ in range(2)
    )
    np.testing.assert_allclose(first.matrix, second.matrix, atol=1e-5)


def test_opq_wants_a_divisor_of_the_dimensions(rng):
    with pytest.raises(CodebookError, match="OpqRotation of 3 subvectors for 16 dim.*a divisor"):
        OpqRotation(3).fit(X, rng=rng)


def test_opq_wants_as_many_vectors_as_codewords(rng):
    with pytest.raises(CodebookError, match="100 vectors for 256 codewords: give at least 256"):
        OpqRotation(4).fit(X[:100], rng=rng)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0,), "num_subvectors 0: write 1 or more"), ((4, 32), "codebook_size 32: write 16")],
)
def test_opq_refuses_what_no_quantiser_has(arguments, message):
    with pytest.raises(CodebookError, match=message):
        OpqRotation(*arguments)


@pytest.mark.parametrize("method", ["apply", "invert"])
def test_vectors_have_the_dimensions_of_the_sample(method, rng):
    fitted = PcaRotation().fit(X, rng=rng)
    with pytest.raises(CodebookError, match=r"vectors of shape \(2000, 8\): give \(N, 16\)"):
        getattr(fitted, method)(X[:, :8])


@pytest.mark.parametrize("method", ["apply", "invert"])
def test_a_rotation_is_fitted_first(method):
    with pytest.raises(CodebookError, match="this PcaRotation is not fitted: call fit first"):
        getattr(PcaRotation(), method)(X)


def test_nothing_to_fit_to_is_refused(rng):
    with pytest.raises(CodebookError, match="no vectors to fit a PcaRotation to"):
        PcaRotation().fit(X[:0], rng=rng)


def test_not_finite_vectors_are_refused(rng):
    with pytest.raises(CodebookError, match="vector 1 holds NaN"):
        PcaRotation().fit(np.array([[1, 2], [np.nan, 1]], np.float32), rng=rng)


def test_a_matrix_is_restored_as_it_was(rng):
    fitted = PcaRotation().fit(X, rng=rng)
    np.testing.assert_array_equal(PcaRotation().restore(fitted.matrix).apply(X), fitted.apply(X))


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((2, 3)), r"a rotation of shape \(2, 3\): give \(D, D\)"),
        (np.ones((2, 2)), "a rotation that is not orthogonal, by 2"),
        (np.full((2, 2), np.nan), "a rotation that is not orthogonal, by nan"),
    ],
)
def test_only_an_orthogonal_matrix_is_restored(matrix, message):
    with pytest.raises(CodebookError, match=message):
        PcaRotation().restore(matrix)
