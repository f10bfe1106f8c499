from __future__ import annotations

import sys

import numpy as np
import pytest

from kokeshi.codes.kmeans import kmeans, nearest
from kokeshi.codes.packing import pack, unpack
from kokeshi.codes.product import ProductQuantizer
from kokeshi.codes.score_aware import ScoreAwareQuantizer
from kokeshi.errors import CodebookError, MissingExtraError

pytest.importorskip("faiss", reason="the extra codes is not installed")

X = np.random.default_rng(3).standard_normal((600, 12)).astype(np.float32)
EACH_QUANTIZER = pytest.mark.parametrize("quantizer", [ProductQuantizer, ScoreAwareQuantizer])
EACH_SIZE = pytest.mark.parametrize("size", [16, 256])


PADDED = X[:, :11]
"""Four subvectors of three dimensions hold 12: the last dimension of the last is padding."""


def fitted(kind=ProductQuantizer, m=4, size=16, vectors=X):
    return kind(m, size).fit(vectors, rng=np.random.default_rng(1))


@EACH_SIZE
def test_a_code_names_the_nearest_codeword(size):
    pq = fitted(size=size)
    parts = X.reshape(len(X), 4, 1, 3)
    distances = np.square(parts - pq.codewords).sum(axis=3)
    np.testing.assert_array_equal(pq.encode(X), distances.argmin(axis=2))


@EACH_QUANTIZER
@EACH_SIZE
@pytest.mark.parametrize("vectors", [X, PADDED], ids=["whole", "padded"])
@pytest.mark.parametrize(("m", "width"), [(1, None), (4, 3)])
def test_shapes_and_types(quantizer, size, vectors, m, width):
    dimension = vectors.shape[1]
    pq = fitted(quantizer, m, size, vectors)
    codes = pq.encode(vectors)
    table = pq.lookup_table(vectors[0])
    assert pq.codewords.shape == (m, size, width or dimension)
    assert (codes.shape, codes.dtype) == ((600, m), np.uint8)
    assert (pq.decode(codes).shape, pq.decode(codes).dtype) == ((600, dimension), np.float32)
    assert (table.shape, table.dtype) == ((m, size), np.float32)
    assert (pq.adc_scores(table, codes).shape, pq.dimension) == ((600,), dimension)


@EACH_QUANTIZER
def test_the_same_seed_gives_the_same_codebook(quantizer):
    one, again = fitted(quantizer), fitted(quantizer)
    np.testing.assert_array_equal(one.codewords, again.codewords)
    other = quantizer(4, 16).fit(X, rng=np.random.default_rng(2))
    assert (one.codewords != other.codewords).any()


@EACH_QUANTIZER
def test_padding_is_zeros_and_cut_off_again(quantizer):
    pq = fitted(quantizer, vectors=PADDED)
    assert not pq.codewords[3, :, 2].any()
    assert pq.codewords[:3].all()
    assert np.square(pq.decode(pq.encode(PADDED)) - PADDED).mean() < np.square(PADDED).mean() / 2


@EACH_QUANTIZER
def test_as_many_codewords_as_vectors_lose_nothing(quantizer):
    few = X[:16]
    pq = quantizer(4, 16).fit(few, rng=np.random.default_rng(1))
    np.testing.assert_allclose(pq.decode(pq.encode(few)), few, atol=1e-5)


@EACH_QUANTIZER
def test_no_vectors_have_no_codes(quantizer):
    pq = fitted(quantizer)
    codes = pq.encode(X[:0])
    assert codes.shape == (0, 4)
    assert pq.decode(codes).shape == (0, 12)
    assert pq.adc_scores(pq.lookup_table(X[0]), codes).shape == (0,)


@EACH_QUANTIZER
def test_one_vector_has_the_codes_it_has_among_others(quantizer):
    pq = fitted(quantizer)
    alone = np.concatenate([pq.encode(row[None]) for row in X[:50]])
    np.testing.assert_array_equal(alone, pq.encode(X)[:50])


def test_a_table_of_l2_holds_minus_squared_distances():
    pq = fitted(vectors=PADDED)
    codes = pq.encode(PADDED)
    scores = pq.adc_scores(pq.lookup_table(PADDED[7], space="l2"), codes)
    expected = -np.square(pq.decode(codes) - PADDED[7]).sum(axis=1)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)


def test_a_table_of_cosine_is_that_of_dot():
    pq = fitted()
    cosine = pq.lookup_table(X[0], space="cosine")
    np.testing.assert_array_equal(cosine, pq.lookup_table(X[0], space="dot"))


class Reversed:
    """An orthogonal transform: dimensions in reverse."""

    matrix = np.eye(12, dtype=np.float32)[::-1]

    def apply(self, vectors):
        return vectors @ self.matrix

    invert = apply


@EACH_QUANTIZER
def test_a_rotation_is_applied_and_undone(quantizer):
    pq = quantizer(4, 16, Reversed()).fit(X, rng=np.random.default_rng(1))
    plain = quantizer(4, 16).fit(X[:, ::-1], rng=np.random.default_rng(1))
    codes = pq.encode(X)
    np.testing.assert_array_equal(codes, plain.encode(X[:, ::-1]))
    np.testing.assert_allclose(pq.decode(codes), plain.decode(codes)[:, ::-1], atol=1e-6)
    scores = pq.adc_scores(pq.lookup_table(X[7]), codes)
    np.testing.assert_allclose(scores, pq.decode(codes) @ X[7], rtol=1e-5, atol=1e-5)


@EACH_QUANTIZER
def test_codewords_can_be_given(quantizer):
    pq = fitted(quantizer, vectors=PADDED)
    again = quantizer(4, 16).restore(pq.codewords, 11)
    np.testing.assert_array_equal(again.encode(PADDED), pq.encode(PADDED))


@pytest.mark.parametrize(
    ("codewords", "dimension"),
    [
        (np.zeros((4, 16, 2), np.float32), 12),
        (np.zeros((4, 256, 3), np.float32), 12),
        (np.full((4, 16, 3), np.nan, np.float32), 12),
    ],
)
def test_codewords_that_do_not_fit_are_refused(codewords, dimension):
    with pytest.raises(CodebookError, match=r"give finite ones of shape \(4, 16, 3\)"):
        ProductQuantizer(4, 16).restore(codewords, dimension)


@EACH_QUANTIZER
@pytest.mark.parametrize("use", ["encode", "decode", "lookup_table"])
def test_an_untrained_one_says_so(quantizer, use):
    with pytest.raises(CodebookError, match=f"this {quantizer.__name__} is not trained: call fit"):
        getattr(quantizer(4, 16), use)(X)


@pytest.mark.parametrize("size", [0, 15, 64, 512])
def test_a_codebook_has_16_or_256_codewords(size):
    with pytest.raises(CodebookError, match=f"codebook_size {size}: write 16 .* or 256"):
        ProductQuantizer(4, size)


def test_there_is_at_least_one_subvector():
    with pytest.raises(CodebookError, match="num_subvectors 0: write 1 or more"):
        ProductQuantizer(0)


@EACH_QUANTIZER
@pytest.mark.parametrize(("m", "padding", "remedy"), [(13, 1, 12), (9, 3, 6), (5, 1, 4)])
def test_no_subvector_is_all_padding(quantizer, m, padding, remedy):
    with pytest.raises(
        CodebookError, match=f"num_subvectors {m} for 12 dim.*: {padding} sub.* write {remedy}, or"
    ):
        quantizer(m, 16).fit(X, rng=np.random.default_rng(1))


@EACH_QUANTIZER
def test_training_takes_as_many_vectors_as_codewords(quantizer):
    with pytest.raises(CodebookError, match="15 vectors for 16 codewords: give at least 16"):
        quantizer(4, 16).fit(X[:15], rng=np.random.default_rng(1))


@EACH_QUANTIZER
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e20])
def test_what_is_not_finite_is_refused(quantizer, value):
    bad = X.copy()
    bad[5, 2] = value
    pq = fitted(quantizer)
    with pytest.raises(CodebookError, match="vector 5 holds NaN, infinity or too large a number"):
        pq.fit(bad, rng=np.random.default_rng(1))
    with pytest.raises(CodebookError, match="vector 5 holds NaN"):
        pq.encode(bad)
    with pytest.raises(CodebookError, match="vector 0 holds NaN"):
        pq.lookup_table(bad[5])


@EACH_QUANTIZER
@pytest.mark.parametrize("bad", [X[:, :11], X[0], X[None]])
def test_another_dimension_is_refused(quantizer, bad):
    with pytest.raises(CodebookError, match=r"vectors of shape .*: give \(N, 12\)"):
        fitted(quantizer).encode(bad)


def test_a_query_of_another_dimension_is_refused():
    with pytest.raises(CodebookError, match=r"vectors of shape \(1, 11\): give \(N, 12\)"):
        fitted().lookup_table(X[0, :11])


def test_a_space_that_is_none_is_refused():
    with pytest.raises(CodebookError, match="space 'hamming': write cosine, dot, l2"):
        fitted().lookup_table(X[0], space="hamming")


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        (np.full((1, 4), 16, np.uint8), "the code 16 of a codebook of 16 codewords"),
        (np.zeros((1, 4), np.int64), r"codes of int64 \(1, 4\): give uint8"),
        (np.zeros(4, np.uint8), r"codes of uint8 \(4,\): give uint8 \(N, M\)"),
        (np.zeros((1, 3), np.uint8), "codes of 3 subvectors: the codebook has 4"),
    ],
)
def test_codes_that_do_not_fit_are_refused(codes, reason):
    pq = fitted()
    with pytest.raises(CodebookError, match=reason):
        pq.decode(codes)
    with pytest.raises(CodebookError, match=reason):
        pq.adc_scores(pq.lookup_table(X[0]), codes)


def test_a_table_that_does_not_fit_is_refused():
    pq = fitted()
    with pytest.raises(CodebookError, match=r"lookup table of shape \(3, 16\): give \(4, 16\)"):
        pq.adc_scores(pq.lookup_table(X[0])[:3], pq.encode(X))


def test_centroids_are_no_more_than_vectors():
    with pytest.raises(CodebookError, match="20 centroids of 10 vectors: give at least 20"):
        kmeans(X[:10], 20, rng=np.random.default_rng(1))


def test_nearest_is_that_of_numpy():
    centroids = kmeans(X, 8, rng=np.random.default_rng(1))
    distances = np.square(X[:, None] - centroids).sum(axis=2)
    np.testing.assert_array_equal(nearest(X, centroids), distances.argmin(axis=1))


def test_the_even_subvector_is_in_the_low_half():
    codes = np.array([[1, 2, 3], [15, 0, 15]], np.uint8)
    assert pack(codes, 16).tolist() == [[0x21, 0x03], [0x0F, 0x0F]]
    assert pack(codes, 256).tolist() == codes.tolist()


def test_packed_codes_have_the_bytes_of_their_subvectors():
    with pytest.raises(
        CodebookError, match=r"shape \(1, 3\): 4 subvectors of 16 codewords take \(N, 2\)"
    ):
        unpack(np.zeros((1, 3), np.uint8), 4, 16)


def test_a_code_that_takes_more_than_half_a_byte_is_not_packed():
    with pytest.raises(CodebookError, match="the code 16 of a codebook of 16 codewords"):
        pack(np.array([[16]], np.uint8), 16)


def test_a_missing_faiss_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kokeshi\[codes\]'"):
        fitted()
