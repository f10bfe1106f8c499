"""The page of the soak benchmark says what its rows say, and calls flat what is flat."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.rows import read_rows
from benchmarks.soak_report import PAGE, RESULTS, build_page, fit_slope


def test_the_page_is_made_from_the_rows():
    rows = read_rows(RESULTS)
    assert rows
    assert PAGE.read_text() == build_page(rows)


def test_counts_were_right_and_no_search_was_wrong():
    for row in read_rows(RESULTS):
        assert (row["different"], row["wrong_searches"], row["errors"]) == (0, 0, 0)
        assert row["expected"] == row["found"] == row["with_vector"]
        assert row["vectors_kept"] == row["vectors_compared"] > 100


def test_what_is_wrong_is_said():
    row = read_rows(RESULTS)[0]
    assert "all right" in build_page([row])
    assert "**wrong**" in build_page([row | {"different": 1}])
    assert "**wrong**" in build_page([row | {"with_vector": row["expected"] - 1}])


@pytest.mark.parametrize(
    ("values", "flat"),
    [
        (np.full(180, 300.0), True),
        (300 + np.random.default_rng(0).normal(scale=0.3, size=180), True),
        (300 + np.arange(180) / 60 * 0.5, True),  # half a MB in ten minutes
        (300 + np.arange(180) / 60 * 2, False),
        (20 + np.arange(180) / 60 * 0.9, False),  # less than a MB, but 5% of what there is
        (np.append(np.arange(90) * 5, np.full(90, 450.0)), True),  # it only warms up
    ],
)
def test_flat_is_what_hardly_grows_over_the_second_half(values: np.ndarray, flat: bool):
    assert fit_slope(list(values), 10).is_flat is flat


def test_the_slope_is_that_of_the_line():
    slope = fit_slope(list(300 + np.arange(180) / 60 * 2), 10)
    assert slope.per_ten_minutes == pytest.approx(2)
    assert slope.half == pytest.approx(0, abs=0.01)
