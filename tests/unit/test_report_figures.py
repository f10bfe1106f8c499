"""Figures as people read them."""

import pytest

from kokeshi_eval.report.figures import count, interval, names, number, p_value, percent, signed


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.08448, "+0.0845"), (-0.5, "−0.5000"), (0.0, "0.0000"), (-0.00001, "0.0000"), (None, "–")],
)
def test_a_difference_has_its_sign_unless_it_rounds_to_nothing(value, text):
    assert signed(value) == text


def test_figures_that_do_not_exist_are_a_dash():
    assert number(None) == interval(None, 0.1) == p_value(None) == percent(None) == "–"


def test_a_small_p_is_a_bound():
    assert [p_value(p) for p in (0.00009, 0.0001, 1.0)] == ["< 0.0001", "0.0001", "1.0000"]


def test_both_ends_of_an_interval_have_a_sign():
    assert interval(-0.01, 0.02) == "−0.0100 to +0.0200"


def test_words():
    assert [count(n, "query", "queries") for n in (0, 1, 1000)] == [
        "0 queries",
        "1 query",
        "1,000 queries",
    ]
    assert [names(list(letters)) for letters in ("a", "ab", "abc")] == [
        "a",
        "a and b",
        "a, b and c",
    ]
