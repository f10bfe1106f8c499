"""What is checked before training, what is measured after it, and codes searched in the process."""

from __future__ import annotations

import numpy as np
import pytest

from kokeshi.codes import SPACES, normalise
from kokeshi.codes.binary import BinaryCode
from kokeshi.codes.in_process import build_faiss_index, search_codes
from kokeshi.codes.int8 import Int8Code
from kokeshi.codes.product import ProductQuantizer
from kokeshi.codes.quality import distortions, measure_quality
from kokeshi.codes.rotation import PcaRotation
from kokeshi.codes.sample import check_sample
from kokeshi.errors import CodebookError


def vectors(count: int, dimension: int = 10, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


BASE, HELD_OUT = normalise(vectors(1200)), normalise(vectors(40, seed=1))


def test_a_good_sample_has_no_warnings():
    assert check_sample(vectors(16 * 39), codebook_size=16) == ()


@pytest.mark.parametrize(
    ("sample", "sizes", "message"),
    [
        (vectors(15), (16, 0), "15 vectors, 15 of them different, for 16 centroids.*better 624"),
        (vectors(100), (16, 200), "100 vectors, 100 of them different, for 200 centroids"),
        (np.tile(vectors(10), (90, 1)), (16, 0), "900 vectors, 10 of them different, for 16"),
        (vectors(700) * ([1] * 5 + [0] * 5), (16, 0), "5 of 10 dimensions have one value"),
        (np.array([[1, np.inf]]), (16, 0), "vector 0 holds NaN"),
        (vectors(0), (16, 0), "0 vectors, 0 of them different"),
        (np.zeros(8), (16, 0), r"vectors of shape \(8,\): give \(N, D\)"),
    ],
)
def test_a_sample_is_refused_with_the_reason(sample, sizes, message):
    with pytest.raises(CodebookError, match=message):
        check_sample(sample, codebook_size=sizes[0], nlist=sizes[1])


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (vectors(100), "100 vectors for 16 centroids are few: with 624 or more"),
        (vectors(700) * ([1] * 9 + [0]), "1 of 10 dimensions have one value"),
        (np.tile(vectors(300), (3, 1)), "only 300 of 900 vectors are different"),
    ],
)
def test_a_poor_sample_is_warned_of(sample, message):
    (warning,) = check_sample(sample, codebook_size=16)
    assert message in warning


def test_zero_is_zero_whatever_its_sign():
    sample = np.array([[0.0, 1], [-0.0, 1]])
    with pytest.raises(CodebookError, match="2 vectors, 1 of them different"):
        check_sample(sample, codebook_size=16)


def quantizer(size=16, subvectors=5, rotation=None, seed=1):
    found = ProductQuantizer(subvectors, size, rotation=rotation)
    return found.fit(BASE, rng=np.random.default_rng(seed))


class Exact:
    """Codes that lose nothing."""

    def encode(self, X):
        return X

    def decode(self, codes):
        return codes


class Reversed(Exact):
    def decode(self, codes):
        return -codes


@pytest.mark.parametrize("space", SPACES)
def test_codes_that_lose_nothing_are_perfect(space):
    quality = measure_quality(Exact(), BASE, HELD_OUT, space=space)
    assert quality.recall1_at_10 == 1
    assert quality.distortion_parallel == pytest.approx(0)
    assert quality.distortion_orthogonal == pytest.approx(0)
    assert (quality.queries, quality.base) == (40, 1200)


def test_codes_that_point_the_other_way_find_nothing():
    quality = measure_quality(Reversed(), BASE, HELD_OUT, space="dot")
    assert quality.recall1_at_10 == 0
    assert quality.distortion_parallel == pytest.approx(4, rel=1e-5)
    assert quality.distortion_orthogonal == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("rotation", [None, PcaRotation])
def test_recall_is_that_of_adc(space, rotation):
    coder = quantizer(rotation=rotation and rotation())
    codes = coder.encode(BASE)
    best = [SPACES[space].similarity(query, BASE).argmax() for query in HELD_OUT]
    _, found = search_codes(coder, codes, HELD_OUT, 10, space=space)
    expected = np.mean([row in ids for row, ids in zip(best, found, strict=True)])
    assert 0 < expected < 1
    quality = measure_quality(coder, BASE, HELD_OUT, space=space)
    assert quality.recall1_at_10 == pytest.approx(expected)


def test_a_copy_of_the_best_is_as_good():
    class Last(Exact):
        """Finds the last of the rows that are alike."""

        def decode(self, codes):
            return codes * np.linspace(0.9, 1, len(codes))[:, None]

    base = np.tile(HELD_OUT[:1], (30, 1))
    quality = measure_quality(Last(), base, HELD_OUT[:1], space="dot")
    assert quality.recall1_at_10 == 1


def test_errors_are_split_along_the_vector_and_across():
    X = np.array([[2, 0], [0, 0]], np.float32)
    assert distortions(X, np.array([[1, 3], [0, 0]], np.float32)) == (0.25, 2.25)


@pytest.mark.parametrize("coder", [BinaryCode(), Int8Code()])
def test_every_kind_of_code_is_measured(coder):
    coder.fit(BASE, rng=np.random.default_rng(1))
    assert 0.1 < measure_quality(coder, BASE, HELD_OUT, space="cosine").recall1_at_10 <= 1


@pytest.mark.parametrize(("base", "held_out"), [(BASE[:0], HELD_OUT), (BASE, HELD_OUT[:0])])
def test_nothing_to_measure_by_is_refused(base, held_out):
    with pytest.raises(CodebookError, match="held-out vectors and .* give at least one of each"):
        measure_quality(Exact(), base, held_out, space="dot")


QUANTIZERS = {
    "4 bits": lambda: quantizer(),
    "8 bits": lambda: quantizer(256),
    "odd and padded": lambda: quantizer(subvectors=3),
    "rotated": lambda: quantizer(rotation=PcaRotation()),
    "rotated and padded": lambda: quantizer(subvectors=3, rotation=PcaRotation()),
}
EACH_QUANTIZER = pytest.mark.parametrize("name", QUANTIZERS)


@EACH_QUANTIZER
@pytest.mark.parametrize("space", SPACES)
def test_the_best_codes_are_those_nearest_as_decoded(name, space):
    coder = QUANTIZERS[name]()
    codes = coder.encode(BASE)
    scores, ids = search_codes(coder, codes, HELD_OUT, 10, space=space)
    kind = "dot" if space == "cosine" else space  # decoded vectors are not of length 1
    for query, row, found in zip(HELD_OUT, scores, ids, strict=True):
        exact = SPACES[kind].similarity(query, coder.decode(codes))
        np.testing.assert_allclose(row, np.sort(exact)[::-1][:10], atol=1e-5)
        np.testing.assert_allclose(exact[found], row, atol=1e-5)


@EACH_QUANTIZER
@pytest.mark.parametrize("space", SPACES)
def test_faiss_scores_as_numpy_does(name, space):
    coder = QUANTIZERS[name]()
    codes = coder.encode(BASE)
    scores, ids = search_codes(coder, codes, HELD_OUT, 10, space=space)
    found, found_ids = build_faiss_index(coder, codes, space=space).search(HELD_OUT, 10)
    np.testing.assert_allclose(-found if space == "l2" else found, scores, atol=1e-5)
    for row, one, other in zip(scores, ids, found_ids, strict=True):
        clear = row > row[-1] + 1e-5  # of codes that are as good as the last, either may be found
        assert set(one[clear]) <= set(other)


@pytest.mark.parametrize("name", ["4 bits", "odd and padded", "rotated"])
def test_fast_scan_finds_nearly_the_same(name):
    coder = QUANTIZERS[name]()
    codes = coder.encode(BASE)
    scores, _ = search_codes(coder, codes, HELD_OUT, 10)
    _, ids = build_faiss_index(coder, codes, fast=True).search(HELD_OUT, 10)
    tables = [coder.lookup_table(query) for query in HELD_OUT]
    reached = [coder.adc_scores(t, codes[row]) for t, row in zip(tables, ids, strict=True)]
    # tables of 8 bits: each of the M entries is off by half a 255th of its range
    assert np.mean(np.array(reached) >= scores[:, -1:] - 0.02) > 0.9


def test_fast_scan_is_for_four_bits():
    coder = QUANTIZERS["8 bits"]()
    with pytest.raises(CodebookError, match=r"fast: .* these have 256; write codebook_size 16"):
        build_faiss_index(coder, coder.encode(BASE), fast=True)


def test_a_subset_is_searched_by_its_rows():
    coder = QUANTIZERS["4 bits"]()
    codes = coder.encode(BASE)
    rows = np.random.default_rng(0).permutation(1200)[:300]
    scores, ids = search_codes(coder, codes, HELD_OUT, 10, rows=rows)
    every, all_ids = search_codes(coder, codes, HELD_OUT, 1200)
    for number in range(len(HELD_OUT)):
        inside = np.isin(all_ids[number], rows)
        assert ids[number].tolist() == all_ids[number][inside][:10].tolist()
        assert scores[number].tolist() == every[number][inside][:10].tolist()


def test_of_equal_codes_the_first_row_comes_first():
    coder = QUANTIZERS["4 bits"]()
    codes = np.repeat(coder.encode(BASE[:3]), 50, axis=0)
    _, ids = search_codes(coder, codes, HELD_OUT, 7)
    assert all(row.tolist() == list(range(row[0], row[0] + 7)) for row in ids)


@pytest.mark.parametrize(("rows", "width"), [(None, 4), (np.array([2]), 1), (np.array([], int), 0)])
def test_fewer_codes_than_k_give_as_many(rows, width):
    coder = QUANTIZERS["4 bits"]()
    scores, ids = search_codes(coder, coder.encode(BASE[:4]), HELD_OUT, 10, rows=rows)
    assert scores.shape == ids.shape == (40, width)


def test_k_is_positive():
    coder = QUANTIZERS["4 bits"]()
    with pytest.raises(CodebookError, match="k 0: write 1 or more"):
        search_codes(coder, coder.encode(BASE), HELD_OUT, 0)
