from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kokeshi.codes.packing import pack, unpack
from kokeshi.codes.product import ProductQuantizer
from kokeshi.codes.score_aware import ScoreAwareQuantizer

pytest.importorskip("faiss", reason="the extra codes is not installed")

SIZES = st.sampled_from([16, 256])
SHAPES = st.tuples(st.integers(0, 20), st.integers(1, 9))
WHOLE = st.integers(-50, 50)


@st.composite
def quantizers(draw, kind):
    """A quantiser of any shape, and 300 vectors of its dimension; repeated ones are likely."""
    width, m = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    dimension = width * m - draw(st.integers(0, min(width, 2) - 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.sampled_from([2, 50]))
    vectors = rng.integers(-spread, spread + 1, (300, dimension)).astype(np.float32)
    return kind(m, draw(SIZES)).fit(vectors, rng=rng), vectors


@settings(deadline=None, max_examples=40)
@given(drawn=quantizers(ProductQuantizer))
def test_a_decoded_vector_has_the_same_codes(drawn):
    pq, vectors = drawn
    codes = pq.encode(vectors)
    np.testing.assert_array_equal(pq.encode(pq.decode(codes)), codes)


@pytest.mark.parametrize("kind", [ProductQuantizer, ScoreAwareQuantizer])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_score_is_the_dot_product_with_the_decoded_vector(kind, data):
    pq, vectors = data.draw(quantizers(kind))
    query = data.draw(arrays(np.float32, pq.dimension, elements=WHOLE))
    codes = pq.encode(vectors)
    decoded = pq.decode(codes)
    scores = pq.adc_scores(pq.lookup_table(query), codes)
    # sums may cancel: what rounding leaves is relative to the sum of the magnitudes
    slack = 1e-5 * (np.abs(decoded) @ np.abs(query)).max()
    np.testing.assert_allclose(scores, decoded @ query, rtol=1e-5, atol=slack)


@settings(deadline=None)
@given(size=SIZES, data=st.data())
def test_packing_round_trips(size, data):
    shape = data.draw(SHAPES)
    codes = data.draw(arrays(np.uint8, shape, elements=st.integers(0, size - 1)))
    packed = pack(codes, size)
    assert packed.shape == (shape[0], shape[1] if size == 256 else -(-shape[1] // 2))
    np.testing.assert_array_equal(unpack(packed, shape[1], size), codes)
