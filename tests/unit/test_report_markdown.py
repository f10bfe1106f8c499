"""The comment for a pull request."""

import re

import pytest

from kokeshi_eval.report import build_markdown
from kokeshi_eval.report.markdown import code
from tests.evaluations import build_evaluation, build_hostile

PAGE = build_markdown(build_evaluation())


def test_the_verdicts_come_first():
    lines = PAGE.splitlines()
    assert lines[0] == "## hybrid and two-stage against bm25"
    assert lines[4].startswith("| hybrid | **A/B test** | 0.7555 → 0.8400 | +0.0845 | 0.0060 |")
    assert lines[5].startswith("| two-stage | **collect judgments** |")


@pytest.mark.parametrize(
    "part",
    [
        "**Warning:** two-stage: 41 of 400 hits",
        "Most harmed",
        "Most helped",
        "Documents to judge first",
    ],
)
def test_it_has(part):
    assert part in PAGE


def test_every_row_of_a_table_has_as_many_cells_as_its_head():
    text = build_markdown(build_hostile("a | b\n\n| c |`|@someone <b>"))
    for table in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1


def test_nothing_of_a_users_is_html_or_mentions_anybody():
    text = build_markdown(build_hostile("\n\n</details><img src=x> @someone"))
    outside = re.sub(r"(`+) ?.*?\1", "", text)
    assert "someone" in outside
    assert not re.search(r"(?<!\\)<(?!/?(details|summary)>)", outside)
    assert outside.count("<details>") == len(re.findall(r"(?<!\\)</details>", outside))
    assert not re.search(r"(?<!\w)@\w", outside)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("usb hub", "`usb hub`"),
        ("a\nb", "`a b`"),
        ("a | b", r"`a \| b`"),
        ("a `b`", "`` a `b` ``"),
        ("", "` `"),
    ],
)
def test_a_query_is_code_in_one_cell(text, expected):
    assert code(text) == expected


def test_a_long_query_is_cut():
    assert len(code("x" * 500)) == 122
