"""Judgments from clicks: simulated from known grades, and read from logs and UBI exports."""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from kokeshi.errors import InputError
from kokeshi_eval.judgments.breaks import natural_breaks
from kokeshi_eval.judgments.click_log import ClickLog, Shown, count_clicks, load_clicks
from kokeshi_eval.judgments.clicks import grade_clicks
from kokeshi_eval.judgments.propensities import (
    ctr_propensities,
    fit_propensities,
    load_propensities,
)
from kokeshi_eval.judgments.ubi import read_ubi_files

ATTRACTS = np.array([0.05, 0.2, 0.4, 0.7])
"""How likely a document of grade 0 to 3 is clicked where it is looked at: also bad ones are, at times."""
DOCS = 20
EXAMINED = 1 / np.arange(1, DOCS + 1)
"""How likely each position is looked at."""


@dataclass
class Simulated:
    """A log, and the grades that its clicks came from."""

    log: ClickLog
    truth: dict[tuple[str, str], int]

    def correlations(self, **options) -> tuple[float, float]:
        """Spearman's and Kendall's (tau-b), of grades from clicks with the true ones."""
        grades = grade_clicks(self.log, **options).judgments.grades
        found = [grades[query][doc_id] for query, doc_id in self.truth]
        truth = list(self.truth.values())
        return spearmanr(found, truth)[0], kendalltau(found, truth)[0]


@cache
def simulate(seed: int, *, noise: float, searches: int = 1000, queries: int = 50) -> Simulated:
    """Each search shows all documents of its query, in an order that varies about a fixed one.

    noise: of the fixed order, against the grades; the more, the less position says of grade.
    """
    rng = np.random.default_rng(seed)
    shown, truth = [], {}
    for query in range(queries):
        grades = rng.choice(4, DOCS, p=[0.5, 0.25, 0.15, 0.1])
        places = np.argsort(np.argsort(noise * rng.normal(size=DOCS) - grades))
        orders = places + rng.normal(0, 2, (searches, DOCS))
        positions = np.argsort(np.argsort(orders, axis=1), axis=1)
        clicked = rng.random((searches, DOCS)) < EXAMINED[positions] * ATTRACTS[grades]
        for doc in range(DOCS):
            truth[f"q{query}", f"d{doc}"] = int(grades[doc])
            counts = np.bincount(positions[:, doc], minlength=DOCS)
            clicks = np.bincount(positions[:, doc], clicked[:, doc], DOCS)
            shown += [
                Shown(f"q{query}", f"d{doc}", k + 1, int(counts[k]), int(clicks[k]))
                for k in np.flatnonzero(counts)
            ]
    return Simulated(count_clicks(shown), truth)


@pytest.mark.parametrize("estimator", ["coec", "ips"])
@pytest.mark.parametrize("noise", [1.0, 3.0])
def test_clicks_give_the_grades_back_that_they_came_from(noise, estimator, capsys):
    simulated = simulate(1, noise=noise)
    spearman, kendall = simulated.correlations(estimator=estimator)
    flat = simulated.correlations(propensities=dict.fromkeys(range(1, DOCS + 1), 1.0))
    with capsys.disabled():
        sys.stdout.write(
            f"\n{estimator}, 1,000 impressions a document, order noise {noise}: Spearman {spearman:.3f}, "
            f"Kendall {kendall:.3f}; without correction {flat[0]:.3f}, {flat[1]:.3f}\n"
        )
    assert min(spearman, kendall) > 0.9
    assert kendall - flat[1] > 0.05


def test_shares_and_thresholds_give_them_back_too():
    simulated = simulate(2, noise=1.0)
    assert min(simulated.correlations(shares=(0.5, 0.25, 0.15, 0.1))) > 0.9
    assert min(simulated.correlations(thresholds=(0.12, 0.3, 0.55))) > 0.9


def test_propensities_are_those_that_the_clicks_came_from():
    fitted = [fit_propensities(simulate(seed, noise=1.0).log) for seed in range(4)]
    for position in range(1, 11):
        mean = np.mean([found[position] for found in fitted])
        assert mean == pytest.approx(EXAMINED[position - 1], rel=0.1)
    steep = ctr_propensities(simulate(0, noise=0.1).log)
    assert steep[10] < 0.7 * EXAMINED[9]  # good documents are shown higher up


def test_propensities_of_a_small_log_by_hand():
    """Document a is clicked 40 of 100 times first and 10 of 100 second: position 2 has 1 / 4."""
    log = count_clicks([Shown("q", "a", 1, 100, 40), Shown("q", "a", 2, 100, 10)])
    assert fit_propensities(log) == pytest.approx({1: 1.0, 2: 0.25})
    for estimator in ("coec", "ips"):
        found = grade_clicks(log, estimator=estimator, thresholds=(0.3,))
        assert found.attractiveness == pytest.approx({("q", "a"): 0.4})
        assert found.judgments.grades == {"q": {"a": 1}}


def test_what_cannot_be_told_apart_is_refused():
    log = count_clicks([Shown("q", "a", 1, 100, 40), Shown("q", "b", 2, 100, 10)])
    with pytest.raises(InputError, match="no clicked document was shown at different positions"):
        fit_propensities(log)
    assert ctr_propensities(log) == pytest.approx({1: 1.0, 2: 0.25})
    assert fit_propensities(count_clicks([Shown("q", "a", 1, 9, 1)])) == {1: 1.0}


def test_positions_apart_from_the_others_are_left_out_and_counted():
    log = count_clicks(
        [
            Shown("q", "a", 1, 100, 40),
            Shown("q", "a", 2, 100, 10),
            Shown("q", "b", 9, 100, 10),
            Shown("q", "a", 3, 100, 0),
            Shown("q", "c", 1, 99, 5),
        ]
    )
    found = grade_clicks(log, thresholds=(0.1, 0.3))
    assert found.propensities.keys() == {1, 2}
    assert found.judgments.grades == {"q": {"a": 2}}
    assert (found.unsupported, found.unplaced) == (2, 200)
    assert grade_clicks(log, min_impressions=99).judgments.count == 2
    with pytest.raises(InputError, match="no document was shown 500 times for a query; lower"):
        grade_clicks(log, min_impressions=500)


def test_what_nobody_clicked_has_grade_0():
    shown = [Shown("q", f"d{n}", 1, 100, 0) for n in range(9)] + [Shown("q", "e", 1, 100, 1)]
    for options in ({}, {"shares": (0.4, 0.6)}, {"thresholds": (0.001,)}):
        found = grade_clicks(count_clicks(shown), **options).judgments.grades["q"]
        assert [doc_id for doc_id, grade in found.items() if grade] == ["e"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shares": (0.5, 0.4)}, r"shares \[0.5, 0.4\]: give one above 0 for each grade, 1 in all"),
        ({"shares": (1.0,)}, "shares"),
        ({"shares": (1.5, -0.5)}, "shares"),
        ({"shares": (math.nan, math.nan)}, "shares"),
        ({"shares": (0.5, math.inf)}, "shares"),
        ({"thresholds": (0.3, 0.1)}, r"thresholds \[0.3, 0.1\]: give rising numbers above 0"),
        ({"thresholds": (0.0, 0.1)}, "thresholds"),
        ({"thresholds": ()}, "thresholds"),
        ({"thresholds": (math.inf,)}, r"thresholds \[inf\]: give rising numbers above 0"),
        ({"thresholds": (0.1, math.nan)}, "thresholds"),
        (
            {"thresholds": (0.5,)},
            "no document attracts more than 0.5, so all grades would be 0; lower",
        ),
        ({"shares": (0.5, 0.5)}, "no document attracts more than 0.4, so all grades would be 0"),
    ],
)
def test_options_that_are_no_grades(options, message):
    with pytest.raises(InputError, match=message):
        grade_clicks(count_clicks([Shown("q", "a", 1, 100, 40)]), **options)


def test_what_attracts_the_same_has_no_grades():
    log = count_clicks([Shown("q", f"d{n}", 1, 100, 4) for n in range(9)])
    with pytest.raises(InputError, match="attract the same, .*; give --thresholds"):
        grade_clicks(log)


def test_natural_breaks_lie_between_groups():
    values = np.repeat([0.0, 0.04, 0.36, 0.81], [50, 30, 5, 1])
    np.testing.assert_allclose(natural_breaks(values, 4), [0.1**2, 0.4**2, 0.75**2])
    np.testing.assert_allclose(natural_breaks(values, 2), [0.4**2])
    assert len(natural_breaks(np.array([0.2, 0.2]), 4)) == 0


CSV = "query,doc_id,position,clicked\nhat,7,1,1\nhat,8,2,0\nhat,7,1,FALSE\nhat,7,2,true\n"


def rows_of(log: ClickLog) -> set:
    columns = (log.position, log.impressions, log.clicks)
    numbers = zip(*(column.tolist() for column in columns), strict=True)
    return {(*log.pairs[pair], *row) for pair, row in zip(log.pair, numbers, strict=True)}


def test_logs_of_rows_and_of_sums(tmp_path):
    expected = {("hat", "7", 1, 2, 1), ("hat", "7", 2, 1, 1), ("hat", "8", 2, 1, 0)}
    (tmp_path / "a.csv").write_text(CSV)
    assert rows_of(load_clicks(tmp_path / "a.csv")) == expected
    (tmp_path / "a.jsonl").write_text(
        '{"query":"hat","doc_id":7,"position":1,"impressions":2,"clicks":1}\n'
        '{"query":"hat","doc_id":"7","position":2,"clicked":true}\n'
        '{"query":"hat","doc_id":"8","position":2,"clicked":0}\n'
    )
    assert rows_of(load_clicks(tmp_path / "a.jsonl")) == expected


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("hat,7,0,1", "line 2: position '0' is not a whole number from 1"),
        ("hat,7,x,1", "line 2: position 'x'"),
        ("hat,7,1,2", "line 2: clicked '2' is neither 0 nor 1"),
        ("hat,,1,1", "line 2: the doc_id is empty"),
        ("hat,7,1,0", "no click on anything that was shown"),
    ],
)
def test_rows_that_are_no_clicks(tmp_path, row, message):
    (tmp_path / "a.csv").write_text(f"query,doc_id,position,clicked\n{row}\n")
    with pytest.raises(InputError, match=message):
        load_clicks(tmp_path / "a.csv")


def test_sums_that_do_not_fit(tmp_path):
    (tmp_path / "a.csv").write_text("query,doc_id,position,impressions,clicks\nhat,7,1,3,4\n")
    with pytest.raises(InputError, match="line 2: 4 clicks on 3 impressions"):
        load_clicks(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("query,doc_id,position\nhat,7,1\n")
    with pytest.raises(InputError, match="no impressions; give clicked, or impressions and clicks"):
        load_clicks(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("query,doc_id\n")
    with pytest.raises(InputError, match="line 1: the header lacks position"):
        load_clicks(tmp_path / "a.csv")


def test_propensities_from_a_file(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("position,propensity\n1,1\n2,0.5\n")
    assert load_propensities(path) == {1: 1.0, 2: 0.5}
    for rows, message in (
        ("1,0", "propensity '0' is not above 0 and at most 1"),
        ("1,x", "propensity 'x'"),
        ("1,1\n1,0.5", "line 3: give each position, from 1, once, not '1'"),
        ("0,1", "not '0'"),
        ("", "no propensities"),
    ):
        path.write_text(f"position,propensity\n{rows}\n")
        with pytest.raises(InputError, match=re.escape(message)):
            load_propensities(path)


def search(query_id: str, text: str, *hits: str) -> dict:
    return {"query_id": query_id, "user_query": text, "query_response_hit_ids": list(hits)}


def event(query_id: str, action: str, doc_id: object, ordinal: int | None = None) -> dict:
    attributes: dict = {"object": {"object_id": doc_id, "object_id_field": "sku"}}
    if ordinal is not None:
        attributes["position"] = {"ordinal": ordinal}
    return {"query_id": query_id, "action_name": action, "event_attributes": attributes}


UBI = [
    event("1", "click", "8"),  # before its search: exports have no order
    search("1", " hat ", "7", "8", "9"),
    event("1", "click", "8"),
    event("1", "click", "elsewhere"),
    event("1", "product_hover", "7"),
    search("2", "hat", "7", "8"),
    event("2", "impression", 8, 1),
    event("2", "impression", "7", 4),
    event("2", "impression", "9"),
    event("2", "click", "7", 4),
    event("gone", "click", "7"),
    {"action_name": "logout", "query_id": None},
]
UBI_ROWS = {
    ("hat", "7", 1, 1, 0),
    ("hat", "8", 2, 1, 1),
    ("hat", "9", 3, 1, 0),
    ("hat", "8", 1, 1, 0),
    ("hat", "7", 4, 1, 1),
}


def write_lines(path, documents) -> None:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))


def test_ubi_exports(tmp_path):
    write_lines(tmp_path / "both.ndjson", UBI)
    found = read_ubi_files(tmp_path / "both.ndjson")
    assert rows_of(found.log) == UBI_ROWS
    assert (found.searches, found.unknown, found.unplaced) == (2, 1, 2)


def test_ubi_exports_of_hits_and_of_bulk_bodies(tmp_path):
    write_lines(tmp_path / "q.jsonl", [{"_id": "1", "_source": one} for one in UBI[:6]])
    action = {"index": {"_index": "ubi_events"}}
    write_lines(tmp_path / "e.jsonl", [line for one in UBI[6:] for line in (action, one)])
    assert rows_of(read_ubi_files(tmp_path / "q.jsonl", tmp_path / "e.jsonl").log) == UBI_ROWS


def test_other_actions_can_be_clicks(tmp_path):
    events = [
        search("1", "hat", "7", "8"),
        event("1", "add_to_cart", "7"),
        event("1", "click", "8"),
    ]
    write_lines(tmp_path / "u.jsonl", events)
    found = read_ubi_files(tmp_path / "u.jsonl", clicks=("add_to_cart",))
    assert rows_of(found.log) == {("hat", "7", 1, 1, 1), ("hat", "8", 2, 1, 0)}


def test_a_single_id_may_stand_without_a_list(tmp_path):
    write_lines(
        tmp_path / "u.jsonl",
        [search("1", "hat") | {"query_response_hit_ids": "77"}, event("1", "click", "77")],
    )
    assert rows_of(read_ubi_files(tmp_path / "u.jsonl").log) == {("hat", "77", 1, 1, 1)}


def test_ubi_positions_count_from_1(tmp_path):
    write_lines(tmp_path / "u.jsonl", [search("1", "hat"), event("1", "impression", "7", 0)])
    with pytest.raises(InputError, match="search '1' has the position 0; positions count from 1"):
        read_ubi_files(tmp_path / "u.jsonl")
