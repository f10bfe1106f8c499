from __future__ import annotations

import math

import numpy as np
import pytest

from kokeshi.codes import SPACES, normalise, prefix, prefixes
from kokeshi.errors import EncoderError

QUERY = np.array([1, 2, 3], np.float32)
VECTORS = np.array([[1, 2, 3], [-1, -2, -3], [0, 0, 1], [10, 0, 0]], np.float32)


def lucene(space: str, a: list[float], b: list[float]) -> float:
    """The score that Lucene's VectorSimilarityFunction gives two vectors."""
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    if space == "cosine":
        return (1 + dot / math.hypot(*a) / math.hypot(*b)) / 2
    if space == "dot":
        return 1 / (1 - dot) if dot < 0 else dot + 1
    return 1 / (1 + math.dist(a, b) ** 2)


@pytest.mark.parametrize("space", SPACES)
def test_scores_are_those_of_lucene(space):
    map_ = SPACES[space]
    scores = map_.to_score(map_.similarity(QUERY, VECTORS))
    expected = [lucene(space, QUERY.tolist(), vector) for vector in VECTORS.tolist()]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_a_zero_vector_stays_zero():
    assert normalise(np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("size", [1e-45, 1e-38, 1e-20, 1, 1e20, 3e38])
def test_a_unit_vector_comes_of_any_magnitude(size):
    found = normalise(np.array([[size, 0, -size]], np.float32))
    np.testing.assert_allclose(found, [[0.5**0.5, 0, -(0.5**0.5)]], rtol=1e-6)


@pytest.mark.parametrize("size", [1e-45, 1e-38, 1e-20, 1, 1e20, 3e38])
def test_a_prefix_comes_of_any_magnitude(size):
    vectors = np.array([[size, size, 1, 3e38]], np.float32)
    found = prefix(vectors, 2, space="cosine")
    np.testing.assert_allclose(found, [[0.5**0.5, 0.5**0.5]], rtol=1e-6)


@pytest.mark.parametrize("space", ["dot", "l2"])
def test_a_prefix_keeps_its_length_where_lengths_count(space):
    assert prefix(VECTORS, 2, space=space).tolist() == VECTORS[:, :2].tolist()


@pytest.mark.parametrize("space", ["dot", "l2"])
def test_a_zero_prefix_is_one_where_lengths_count(space):
    assert prefix(VECTORS[2:3], 2, space=space).tolist() == [[0, 0]]


def test_a_zero_prefix_has_no_direction():
    with pytest.raises(
        EncoderError, match=r"vector 2 of the batch has only zeros in its first 2 .*dot"
    ):
        prefix(VECTORS, 2, space="cosine")


@pytest.mark.parametrize("dims", [0, -1, 4])
def test_a_prefix_is_no_longer_than_the_vector(dims):
    with pytest.raises(EncoderError, match=f"a prefix of {dims} dimensions: vectors have 1 to 3"):
        prefixes(VECTORS, [1, dims], space="dot")


def test_vectors_are_left_as_they_are():
    vectors = VECTORS.copy()
    prefixes(vectors, [3], space="cosine")
    np.testing.assert_array_equal(vectors, VECTORS)


@pytest.mark.parametrize("space", SPACES)
def test_no_vectors_have_no_prefixes(space):
    found = prefixes(np.zeros((0, 3), np.float32), [1, 3], space=space)
    assert {dims: column.shape for dims, column in found.items()} == {1: (0, 1), 3: (0, 3)}
