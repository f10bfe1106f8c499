"""A test that is right under the null is wrong as often as it says it is, and sees what is there."""

from __future__ import annotations

import sys
from math import sqrt
from pathlib import Path

import numpy as np

from benchmarks.power import ALPHA, RESULTS, build_table, compare, share, simulate
from benchmarks.rows import read_rows

COMPARISONS = 1_000


def test_noise_twins_are_significant_as_often_as_alpha_says(capsys):
    """1,000 comparisons of a ranking with a noise twin of itself, 116 queries, nDCG@10."""
    rng = np.random.default_rng(6)
    found = [compare(116, 0.0, rng, resamples=499) for _ in range(COMPARISONS)]
    ties = np.mean([one.ties / one.queries for one in found])
    error = 3 * sqrt(ALPHA * (1 - ALPHA) / COMPARISONS)
    with capsys.disabled():
        sys.stdout.write(
            f"\nA/A: {share(found):.1%} of {COMPARISONS} significant at {ALPHA:.0%}; {ties:.0%} ties\n"
        )
    assert ties > 0.25
    assert ALPHA - error <= share(found) <= ALPHA + error


def test_a_known_effect_is_seen_as_often_as_the_minimum_detectable_effect_says(capsys):
    rng = np.random.default_rng(7)
    before, after = simulate(50_000, 0.1, rng)
    effect = float((after - before).mean())
    found = [compare(71, 0.1, rng, resamples=499) for _ in range(300)]
    mde = float(np.mean([one.mde for one in found]))
    with capsys.disabled():
        sys.stdout.write(
            f"\nPower: {share(found):.1%} of 300 see an effect of {effect:.4f}; 80% see {mde:.4f}\n"
        )
    assert abs(effect / mde - 1) < 0.1
    assert 0.7 <= share(found) <= 0.9


def test_the_page_shows_what_was_measured():
    page = (Path(__file__).parents[2] / "docs" / "decide.md").read_text("utf-8")
    assert "\n".join(build_table(read_rows(RESULTS))) in page
