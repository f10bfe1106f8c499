"""Codes of one bit and of one byte a dimension."""

from __future__ import annotations

import numpy as np
import pytest

from kokeshi.codes.binary import BinaryCode
from kokeshi.codes.int8 import Int8Code
from kokeshi.codes.rotation import PcaRotation
from kokeshi.errors import CodebookError

X = np.random.default_rng(0).normal(size=(500, 13)).astype(np.float32) * np.arange(1, 14) + 2
X = X.astype(np.float32)
QUERY = X[0]
KINDS = {
    "binary": BinaryCode,
    "binary, rotated": lambda: BinaryCode(PcaRotation()),
    "int8": Int8Code,
}
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


def fitted(kind):
    return KINDS[kind]().fit(X, rng=np.random.default_rng(1))


@EACH_KIND
def test_scores_are_dot_products_with_what_codes_stand_for(kind):
    code = fitted(kind)
    codes = code.encode(X)
    expected = code.decode(codes).astype(np.float64) @ QUERY
    np.testing.assert_allclose(code.scores(QUERY, codes), expected, rtol=1e-4, atol=1e-3)


@EACH_KIND
def test_what_codes_stand_for_has_the_same_codes(kind):
    code = fitted(kind)
    codes = code.encode(X)
    np.testing.assert_array_equal(code.encode(code.decode(codes)), codes)


@EACH_KIND
def test_it_is_trained_first(kind):
    with pytest.raises(CodebookError, match="is not trained: call fit first"):
        KINDS[kind]().encode(X)


@EACH_KIND
def test_nothing_to_fit_to_is_refused(kind):
    with pytest.raises(CodebookError, match="no vectors to fit an? "):
        KINDS[kind]().fit(X[:0], rng=np.random.default_rng(1))


@EACH_KIND
def test_vectors_have_the_dimensions_of_the_sample(kind):
    with pytest.raises(CodebookError, match=r"vectors of shape \(500, 5\): give \(N, 13\)"):
        fitted(kind).encode(X[:, :5])


@EACH_KIND
@pytest.mark.parametrize("codes", [np.zeros((2, 9), np.uint8), np.zeros((2, 13), np.float32)])
def test_codes_have_their_shape_and_type(kind, codes):
    with pytest.raises(CodebookError, match=r"codes of .* give u?int8 \(N, "):
        fitted(kind).decode(codes)


def test_a_bit_says_whether_a_vector_is_above_the_mean():
    codes = fitted("binary").encode(X)
    assert codes.shape == (500, 2)
    bits = np.unpackbits(codes, axis=1)
    np.testing.assert_array_equal(bits[:, :13], (X - X.mean(axis=0)) >= 0)
    assert not bits[:, 13:].any()


def test_hamming_distances_count_the_bits_that_differ():
    code = fitted("binary")
    codes = code.encode(X)
    bits = np.unpackbits(codes, axis=1)
    expected = (bits != bits[0]).sum(axis=1)
    assert expected.any()
    assert code.hamming_distances(QUERY, codes).tolist() == expected.tolist()


def test_a_byte_is_off_by_half_a_step_at_most():
    code = fitted("int8")
    codes = code.encode(X)
    assert codes.dtype == np.int8
    assert (codes.min(axis=0) == -128).all()
    assert (codes.max(axis=0) == 127).all()
    step = np.ptp(X, axis=0) / 255
    assert (np.abs(code.decode(codes) - X) <= step * 0.501).all()


def test_what_is_outside_the_sample_is_cut():
    far = np.stack([X.max(axis=0) + 100, X.min(axis=0) - 100])
    assert fitted("int8").encode(far).tolist() == [[127] * 13, [-128] * 13]


def test_a_constant_dimension_stays_as_it_is():
    constant = np.full((20, 2), 7, np.float32)
    code = Int8Code().fit(constant, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(code.decode(code.encode(constant)), constant)


def test_a_byte_takes_any_magnitude():
    wide = np.array([[-1e19], [1e19]], np.float32)
    code = Int8Code().fit(wide, rng=np.random.default_rng(1))
    assert code.encode(wide).tolist() == [[-128], [127]]
