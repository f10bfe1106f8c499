from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kokeshi.codes.rotation import OpqRotation, PcaRotation

COMPONENTS = st.floats(-1e3, 1e3, width=32)
TINY = 1e-30
"""Numbers near the smallest of float32 have few bits, so errors relative to them mean nothing."""

SEEDS = st.integers(0, 2**32 - 1)


def samples(least: int = 1, dimensions: tuple[int, ...] = tuple(range(1, 25))):
    shapes = st.tuples(st.integers(least, least + 20), st.sampled_from(dimensions))
    return shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=COMPONENTS))


def check_kept(rotation, vectors):
    """Inner products are those of before, relative to the lengths; the inverse gives the vectors."""
    rotated = rotation.apply(vectors)
    before = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    after = rotated.astype(np.float64) @ rotated.T.astype(np.float64)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    assert (np.abs(after - before) <= 1e-4 * np.outer(lengths, lengths) + TINY).all()
    error = np.linalg.norm(rotation.invert(rotated).astype(np.float64) - vectors, axis=1)
    assert (error <= 1e-5 * lengths + TINY).all()


@settings(deadline=None)
@given(vectors=samples(), seed=SEEDS)
def test_principal_axes_keep_inner_products(vectors, seed):
    check_kept(PcaRotation().fit(vectors, rng=np.random.default_rng(seed)), vectors)


@settings(deadline=None)
@given(vectors=samples(), seed=SEEDS)
def test_they_keep_those_of_vectors_that_were_not_in_the_sample(vectors, seed):
    rng = np.random.default_rng(seed)
    fitted = PcaRotation().fit(vectors, rng=rng)
    check_kept(fitted, rng.normal(size=(5, vectors.shape[1])).astype(np.float32))


@pytest.mark.parametrize("dimensions", [(4,), (8, 12)])
@settings(deadline=None, max_examples=8)
@given(data=st.data(), seed=SEEDS)
def test_opq_keeps_inner_products(dimensions, data, seed):
    vectors = data.draw(samples(16, dimensions))
    check_kept(OpqRotation(4, 16).fit(vectors, rng=np.random.default_rng(seed)), vectors)
