from __future__ import annotations

import numpy as np
import pytest

from benchmarks.prefixes import (
    DOCUMENT,
    RESULTS,
    Vectors,
    average_precision,
    build_document,
    measure,
    recall,
)
from benchmarks.rows import read_rows
from kokeshi.codes import normalise


def test_the_page_is_made_from_the_rows():
    rows = read_rows(RESULTS)
    assert len(rows) == 72  # 2 catalogues, 2 rotations, 10 and 8 lengths
    assert build_document(rows) == DOCUMENT.read_text("utf-8")


@pytest.mark.parametrize("row", [row for row in read_rows(RESULTS) if row["dims"] == 384])
def test_all_dimensions_keep_everything(row):
    assert row["recall_of_products"] == 1


def vectors(count: int, seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, 6))
    return normalise(found.astype(np.float32))


BASE, QUERIES = vectors(100, 0), vectors(20, 1)


def test_recall_is_the_share_of_the_true_ten():
    expected = [
        len(set(np.argsort(-(BASE @ q))[:10]) & set(np.argsort(-(BASE[:, :2] @ q[:2]))[:10])) / 10
        for q in QUERIES
    ]
    assert 0 < np.mean(expected) < 1
    assert recall(BASE, QUERIES, BASE[:, :2], QUERIES[:, :2]) == pytest.approx(np.mean(expected))


def test_equal_vectors_stand_for_each_other():
    alike = np.repeat(BASE[:20], 5, axis=0)
    turned = alike * np.linspace(1, 0.9999, 100, dtype=np.float32)[::-1, None]
    assert recall(alike, QUERIES, turned, QUERIES) == 1


def test_average_precision_is_that_of_the_hits_that_can_be_found():
    relevant = np.array([[True, False, True], [False, False, False], [True, True, True]])
    counts = np.array([2, 1, 9])
    assert average_precision(relevant, counts) == pytest.approx(((1 + 2 / 3) / 2 + 0 + 1) / 3)


def test_a_product_is_not_its_own_neighbour():
    labels = np.array(["a", "b"] * 6)
    sides = np.where(labels == "a", 1, -1)
    labelled = normalise(np.stack([np.ones(12), 9 * sides], axis=1).astype(np.float32))
    part = Vectors(BASE, QUERIES, QUERIES, labelled, labels)
    found = measure(part, part)
    # five others have the label, and come first
    assert found["nearest_accuracy"] == found["map_at_10"] == 1
    lonely = Vectors(BASE, QUERIES, QUERIES, labelled, np.arange(12).astype(str))
    assert measure(lonely, lonely)["nearest_accuracy"] == 0
