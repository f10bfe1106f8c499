from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kokeshi.codes import SPACES, normalise, prefix, prefixes

COMPONENTS = st.floats(-1e6, 1e6, width=32)
SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 40))
BATCHES = SHAPES.flatmap(lambda shape: arrays(np.float32, shape, elements=COMPONENTS))
SIMILARITIES = {
    "cosine": st.floats(-1, 1),
    "dot": st.floats(-1e6, 1e6),
    "l2": st.floats(-1e6, 0),
}
EACH_SPACE = pytest.mark.parametrize("space", SPACES)


@EACH_SPACE
@settings(deadline=None)
@given(data=st.data())
def test_a_score_maps_back_to_its_similarity(space, data):
    similarity = np.array(data.draw(st.lists(SIMILARITIES[space], min_size=1)))
    back = SPACES[space].from_score(SPACES[space].to_score(similarity))
    np.testing.assert_allclose(back, similarity, rtol=1e-9, atol=1e-9)


@EACH_SPACE
@settings(deadline=None)
@given(data=st.data())
def test_the_nearer_has_the_higher_score(space, data):
    similarity = np.sort(data.draw(st.lists(SIMILARITIES[space], min_size=2)))
    assert (np.diff(SPACES[space].to_score(similarity)) >= 0).all()


@EACH_SPACE
@settings(deadline=None)
@given(data=st.data())
def test_no_score_is_negative(space, data):
    similarity = np.array(data.draw(st.lists(SIMILARITIES[space], min_size=1)))
    assert (SPACES[space].to_score(similarity) >= 0).all()


@settings(deadline=None)
@given(vectors=BATCHES, data=st.data())
def test_prefixes_equal_those_normalised_one_by_one(vectors, data):
    every = range(1, vectors.shape[1] + 1)
    dims = data.draw(st.lists(st.sampled_from(every), min_size=1, unique=True))
    assume(vectors[:, : min(dims)].any(axis=1).all())
    found = prefixes(vectors, dims, space="cosine")
    for d in dims:
        naive = vectors[:, :d].astype(np.float64)
        naive /= np.linalg.norm(naive, axis=1, keepdims=True)
        np.testing.assert_allclose(found[d], naive, atol=1e-6)
        assert found[d].dtype == np.float32


@settings(deadline=None)
@given(vectors=BATCHES, data=st.data())
def test_the_prefix_of_a_prefix_is_the_prefix(vectors, data):
    longer = data.draw(st.integers(1, vectors.shape[1]))
    shorter = data.draw(st.integers(1, longer))
    # a component that is tiny beside the rest is rounded when the longer prefix is scaled
    assume((np.abs(vectors[:, :shorter]).max(axis=1) > 1e-3).all())
    nested = prefix(prefix(vectors, longer, space="cosine"), shorter, space="cosine")
    np.testing.assert_allclose(nested, prefix(vectors, shorter, space="cosine"), atol=1e-6)


@settings(deadline=None)
@given(vectors=BATCHES)
def test_unit_vectors_have_length_one_or_are_zero(vectors):
    lengths = np.linalg.norm(normalise(vectors).astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, vectors.any(axis=1).astype(float), atol=1e-6)
