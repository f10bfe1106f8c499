from __future__ import annotations

import numpy as np
import pytest

from kokeshi.codes import SPACES
from kokeshi.codes.cells import Cells
from kokeshi.errors import CodebookError

CENTRES = np.array([[4, 0], [0, 4], [-4, 0], [0, -4]], np.float32)


def clouds(each: int = 100) -> np.ndarray:
    noise = np.random.default_rng(0).normal(scale=0.2, size=(each * 4, 2))
    return (np.repeat(CENTRES, each, axis=0) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def cells():
    return Cells(4).fit(clouds(), rng=np.random.default_rng(1))


def test_a_vector_belongs_to_the_nearest_centroid(cells):
    assigned = cells.assign(clouds())
    distances = np.square(clouds()[:, None] - cells.centroids).sum(axis=2)
    assert assigned.dtype == np.int32
    assert len(set(assigned.tolist())) > 1
    np.testing.assert_array_equal(assigned, distances.argmin(axis=1))


def test_the_longest_centroid_is_not_the_nearest():
    cells = Cells(2).restore(np.array([[1, 0], [9, 0]], np.float32))
    assert cells.assign(np.array([[2, 0], [8, 0]], np.float32)).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("space", "expected"), [("cosine", [0, 1, 2]), ("dot", [2, 1, 0]), ("l2", [1, 0, 2])]
)
def test_a_query_looks_first_where_its_space_is_best(space, expected):
    centroids = np.array([[0.5, 0], [2, 1], [9, 9]], np.float32)
    found = Cells(3).restore(centroids).nearest(np.array([2, 0], np.float32), 3, space=space)
    assert found.tolist() == expected


@pytest.mark.parametrize("space", SPACES)
def test_cells_come_in_the_order_of_similarity(cells, space):
    query = np.array([0.9, 0.1], np.float32)
    similarity = SPACES[space].similarity(query, cells.centroids)
    found = cells.nearest(query, 3, space=space)
    assert found.tolist() == np.argsort(-similarity)[:3].tolist()


def test_more_cells_than_there_are_gives_all(cells):
    found = cells.nearest(np.array([1, 0], np.float32), 99, space="dot")
    assert sorted(found) == [0, 1, 2, 3]


def test_biases_are_dot_products(cells):
    query = np.array([2, -1], np.float32)
    np.testing.assert_allclose(cells.biases(query), cells.centroids @ query, rtol=1e-6)


def test_the_same_generator_finds_the_same_cells():
    first, second = (Cells(4).fit(clouds(), rng=np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first.centroids, second.centroids)


def test_restored_cells_assign_as_before(cells):
    again = Cells(4).restore(cells.centroids)
    np.testing.assert_array_equal(again.assign(clouds()), cells.assign(clouds()))


def test_no_cells_are_refused():
    with pytest.raises(CodebookError, match="cells 0: write 1 or more"):
        Cells(0)


def test_too_small_a_sample_is_refused():
    with pytest.raises(CodebookError, match=r"4 centroids of 3 vectors"):
        Cells(4).fit(clouds()[:3], rng=np.random.default_rng(1))


def test_cells_are_trained_first():
    with pytest.raises(CodebookError, match="these Cells are not trained: call fit first"):
        Cells(4).assign(clouds())


def test_nprobe_is_positive(cells):
    with pytest.raises(CodebookError, match="nprobe 0: write 1 to 4"):
        cells.nearest(np.array([1, 0], np.float32), 0, space="dot")


def test_a_space_is_one_that_there_is(cells):
    with pytest.raises(CodebookError, match="space 'hamming': write cosine, dot, l2"):
        cells.nearest(np.array([1, 0], np.float32), 1, space="hamming")


def test_centroids_are_as_many_as_cells():
    with pytest.raises(CodebookError, match="4 centroids for 3 cells"):
        Cells(3).restore(CENTRES)


@pytest.mark.parametrize("method", ["assign", "biases"])
def test_vectors_have_the_dimensions_of_the_centroids(cells, method):
    vectors = np.ones((1, 3), np.float32)
    with pytest.raises(CodebookError, match=r"vectors of shape \(1, 3\): give \(N, 2\)"):
        getattr(cells, method)(vectors if method == "assign" else vectors[0])
