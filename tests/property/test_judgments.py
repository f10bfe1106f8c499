"""Judgments, agreement, breaks and samples on random input, against what did not compute them."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kokeshi_eval.judgments import Judgments, krippendorff_alpha, parse_judgments
from kokeshi_eval.judgments.breaks import natural_breaks
from kokeshi_eval.judgments.raters import merge_majority, merge_median
from kokeshi_eval.judgments.write import build_text
from kokeshi_eval.query_sets import Logged, sample_queries

STEADY = settings(deadline=None)
WORD = st.text("abä靴.-_/", min_size=1, max_size=4)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=9)
SPACED = st.lists(TEXT, min_size=1, max_size=3).map(" ".join)
UNITS = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), max_size=12)


def grades_of(ids: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, dict[str, int]]]:
    found = st.dictionaries(ids, st.integers(0, 20), min_size=1, max_size=4)
    return st.dictionaries(ids, found, min_size=1, max_size=4)


@STEADY
@given(grades_of(SPACED), st.sampled_from(["csv", "jsonl", "quepid"]))
def test_what_is_written_is_read_again(grades, kind):
    assert parse_judgments(build_text(Judgments(grades), kind), format=kind).grades == grades


@STEADY
@given(grades_of(WORD))
def test_qrels_are_read_again(grades):
    assert parse_judgments(build_text(Judgments(grades), "trec"), format="trec").grades == grades


def alpha_by_pairs(units: list[list[int]], scale: str) -> float | None:
    """1 - observed / expected disagreement, as means over pairs of values, without any matrix."""
    units = [unit for unit in units if len(unit) > 1]
    values = sorted(value for unit in units for value in unit)
    counts = Counter(values)

    def difference(one: int, other: int) -> float:
        low, high = sorted((one, other))
        between = sum(counts[value] for value in range(low, high + 1))
        ordinal = between - (counts[low] + counts[high]) / 2
        return {"ordinal": ordinal**2, "interval": (low - high) ** 2, "nominal": low != high}[scale]

    observed = sum(
        sum(difference(*pair) for pair in permutations(unit, 2)) / (len(unit) - 1) for unit in units
    )
    expected = sum(2 * difference(*pair) for pair in combinations(values, 2))
    if not expected:
        return None
    return 1 - (observed / len(values)) / (expected / (len(values) * (len(values) - 1)))


@STEADY
@given(UNITS, st.sampled_from(["ordinal", "interval", "nominal"]))
def test_alpha_is_observed_against_expected_disagreement(units, scale):
    expected = alpha_by_pairs(units, scale)
    found = krippendorff_alpha(units, scale)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-12))


@given(st.lists(st.integers(0, 20), min_size=1, max_size=9))
def test_merged_grades_are_grades_that_were_given(grades):
    assert merge_majority(grades) in grades
    median = merge_median(grades)
    assert 2 * sum(grade <= median for grade in grades) >= len(grades)
    assert 2 * sum(grade >= median for grade in grades) >= len(grades)
    assert median in grades


def variance_inside(roots: list[float], bounds: tuple[int, ...]) -> float:
    parts = np.split(np.array(roots), bounds)
    return sum(float(np.square(part - part.mean()).sum()) for part in parts)


@STEADY
@given(st.lists(st.integers(0, 30), min_size=4, max_size=10), st.integers(2, 4))
def test_no_other_groups_vary_less_than_natural_ones(values, groups):
    groups = min(groups, len(set(values)))
    roots = sorted(np.sqrt(np.array(values, dtype=float)).tolist())
    bounds = np.sqrt(natural_breaks(np.array(values, dtype=float), groups))
    found = variance_inside(roots, tuple(np.searchsorted(roots, bounds)))
    every = [variance_inside(roots, cut) for cut in combinations(range(1, len(roots)), groups - 1)]
    assert len(bounds) == groups - 1
    assert found == pytest.approx(min(every), abs=1e-9)


@STEADY
@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=40),
    st.integers(3, 30),
    st.floats(0.1, 0.7),
    st.floats(0, 0.3),
    st.integers(0, 9),
)
def test_a_sample_stands_for_the_traffic_of_every_band(counts, size, head, torso, seed):
    log = [Logged(f"q{n}", count=count) for n, count in enumerate(sorted(counts, reverse=True))]
    drawn = sample_queries(log, size, np.random.default_rng(seed), head=head, torso=torso)
    assert len(drawn.queries) == len({query.id for query in drawn.queries}) == min(size, len(log))
    assert sum(band.traffic for band in drawn.bands) == pytest.approx(1)
    assert sum(band.queries for band in drawn.bands) == len(log)
    for band in drawn.bands:
        weights = [q.weight for q in drawn.queries if q.attributes["band"] == band.band]
        assert sum(weights) == pytest.approx(band.traffic * len(drawn.queries))
