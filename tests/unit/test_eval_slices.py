from __future__ import annotations

import numpy as np
import pytest

from kokeshi.errors import InputError
from kokeshi_eval.model import Contended, Moved, Options, QueryResult, Ranked
from kokeshi_eval.significance import compare_paired, holm
from kokeshi_eval.slices import build_slices, choose_attributes

LABEL = "nDCG@10"


def ranked(value):
    return Ranked(ids=(), grades=(), values={LABEL: value}, judged=None, condensed=0.0)


def moved(change):
    return Moved(pseudo_ndcg=1 - change, change=change, rbo=0.5, kept=None, identical=False)


def row(number, delta, attributes, *, positives=1, change=0.25, weight=1.0):
    other = Contended(ranked=ranked(0.0), moved=None)
    this = Contended(ranked=ranked(0.5 + delta), moved=None if change is None else moved(change))
    return QueryResult(
        id=f"q{number}",
        text=f"q{number}",
        filter=None,
        weight=weight,
        attributes=attributes,
        positives=positives,
        baseline=ranked(0.5),
        candidates=(other, this),
    )


DELTAS = np.random.default_rng(0).normal(0.05, 0.1, 40).round(3)
ROWS = [
    row(number, float(delta), {"band": "head" if number < 30 else "tail", "words": "1"})
    for number, delta in enumerate(DELTAS)
]
SETTINGS = Options(resamples=999)


def build(rows, *names, **options):
    return build_slices(rows, 1, SETTINGS.model_copy(update={"slices": names} | options))


def test_a_slice_is_the_comparison_of_its_queries():
    head, tail = build(ROWS, "band")
    assert (head.attribute, head.value, head.difference.queries) == ("band", "head", 30)
    assert (tail.value, tail.difference.queries) == ("tail", 10)
    expected = compare_paired(
        LABEL,
        np.full(30, 0.5),
        0.5 + DELTAS[:30],
        alpha=0.05,
        power=0.8,
        resamples=999,
        rng=np.random.default_rng(0),
    )
    assert head.difference.model_copy(update={"p_adjusted": None}) == expected
    adjusted = holm([head.difference.p, tail.difference.p])
    assert [head.difference.p_adjusted, tail.difference.p_adjusted] == adjusted
    assert head.difference.p_adjusted > head.difference.p


def test_each_attribute_is_corrected_by_itself():
    both = build(ROWS, "band", "words")
    assert both[:2] == build(ROWS, "band")
    assert both[2].difference.p_adjusted == both[2].difference.p  # one value


def test_few_queries_have_figures_but_no_p():
    rows = [*ROWS[:10], *(row(50 + n, 0.1, {"band": "new"}) for n in range(4))]
    head, new = build(rows, "band")
    assert (new.value, new.difference.queries, new.difference.wins) == ("new", 4, 4)
    assert new.difference.delta == pytest.approx(0.1)
    assert new.difference.p is new.difference.p_adjusted is None
    assert head.difference.p_adjusted == head.difference.p


def test_queries_without_a_positive_grade_count_for_the_change_only():
    rows = [
        row(1, 0.2, {"band": "a"}, change=0.1),
        row(2, 0.9, {"band": "a"}, change=0.4, positives=0, weight=2.0),
        row(3, 0.2, {"band": "a"}, change=None, weight=7.0),
        row(4, 0.2, {"band": "b"}, change=None, positives=0),
        row(5, 0.9, {}),
    ]
    a, b = build(rows, "band")
    assert (a.difference.queries, a.difference.delta) == (2, pytest.approx(0.2))
    assert a.change == pytest.approx(0.3)
    assert (b.difference.queries, b.difference.delta, b.change) == (0, None, None)


def test_attributes_worth_a_test_are_found():
    attributes = [
        {"band": "head" if n < 6 else "tail", "language": "en", "name": str(n)} for n in range(12)
    ]
    assert choose_attributes(attributes) == ("band",)
    assert choose_attributes([*attributes, {"language": "ja"}]) == ("band", "language")
    assert choose_attributes(attributes, ("name", "band", "name")) == ("name", "band")
    assert choose_attributes([]) == ()
    assert choose_attributes([{"a": str(n > 4)} for n in range(6)]) == ("a",)
    assert choose_attributes([{"a": str(n > 3)} for n in range(8)]) == ()
    assert {found.attribute for found in build(ROWS)} == {"band"}


def test_an_attribute_that_no_query_has():
    with pytest.raises(
        InputError, match="no query has the attribute 'colour'; there are: band, words"
    ):
        build(ROWS, "band", "colour")
    with pytest.raises(InputError, match="'band'; there are: none"):
        choose_attributes([], ("band",))
