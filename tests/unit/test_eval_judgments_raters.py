"""Several raters: their agreement against a published example, and one grade from theirs."""

import pytest

from kokeshi.errors import InputError
from kokeshi_eval.judgments import krippendorff_alpha, load_judgments, parse_judgments
from kokeshi_eval.judgments.raters import merge_majority, merge_median

OBSERVERS = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
"""
"""Four observers, twelve units: Computing Krippendorff's Alpha-Reliability (2011), parts C and D."""
UNITS = [
    [int(grade) for grade in unit if grade != "."]
    for unit in zip(*(line.split() for line in OBSERVERS.strip().splitlines()), strict=True)
]
HEADER = "query,doc_id,grade,rater\n"


@pytest.mark.parametrize(
    ("scale", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_the_published_example(scale, published):
    assert krippendorff_alpha(UNITS, scale) == pytest.approx(published, abs=0.0005)


def test_binary_data_of_two_observers():
    """Part A of the same paper: ten units, two observers, nominal alpha 0.095."""
    one = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    other = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    units = list(zip(one, other, strict=True))
    for scale in ("nominal", "ordinal", "interval"):  # two values: one difference
        assert krippendorff_alpha(units, scale) == pytest.approx(0.095, abs=0.0005)


def test_agreement_needs_two_raters_and_two_grades():
    assert krippendorff_alpha([]) is None
    assert krippendorff_alpha([[1], [2]]) is None
    assert krippendorff_alpha([[2, 2], [2, 2]]) is None
    assert krippendorff_alpha([[0, 0], [3, 3]]) == 1.0


@pytest.mark.parametrize(
    ("grades", "median", "majority"),
    [
        ([2], 2, 2),
        ([0, 3], 0, 0),
        ([0, 1, 3], 1, 1),
        ([1, 2, 2, 3], 2, 2),
        ([0, 3, 3], 3, 3),
        ([0, 0, 1, 3, 3], 1, 0),
        ([0, 0, 1, 2, 3], 1, 0),
    ],
)
def test_ties_go_to_the_lower_grade(grades, median, majority):
    assert merge_median(grades) == median
    assert merge_majority(grades) == majority


ROWS = "hat,7,3,ann\nhat,7,1,bo\nhat,7,3,cy\nhat,8,0,ann\nhat,8,0,bo\nhat,9,2,ann\n"


@pytest.mark.parametrize(("rule", "grade"), [("median", 3), ("max", 3), ("majority", 3)])
def test_raters_of_a_column_are_merged(rule, grade):
    found = parse_judgments(HEADER + ROWS, merge=rule)
    assert found.grades == {"hat": {"7": grade, "8": 0, "9": 2}}
    assert (found.raters, found.merged) == (3, 0)
    assert found.agreement == krippendorff_alpha([[3, 1, 3], [0, 0], [2]])


def test_raters_who_differ_are_refused_unless_a_rule_is_given():
    with pytest.raises(
        InputError,
        match=r"judgments: raters differ on 1 documents, such as '7' for 'hat' "
        r"\(3 by ann, 1 by bo, 3 by cy\); choose --merge median, max or majority",
    ):
        parse_judgments(HEADER + ROWS)


def test_raters_who_agree_need_no_rule():
    found = parse_judgments(HEADER + "hat,7,3,ann\nhat,7,3,bo\nhat,8,0,ann\nhat,8,0,bo\n")
    assert found.grades == {"hat": {"7": 3, "8": 0}}
    assert (found.raters, found.agreement) == (2, 1.0)


def test_one_rater_may_not_differ_with_himself():
    with pytest.raises(InputError, match="line 3: document '7' has grade 1 for 'hat', but 3 in"):
        parse_judgments(HEADER + "hat,7,3,ann\nhat,7,1,ann\n", merge="median")


def test_files_are_raters(tmp_path):
    for name, grade in (("a", 3), ("b", 1), ("c", 0)):
        rows = f"query,doc_id,grade\nhat,7,{grade}\nhat,8,3\n"
        (tmp_path / f"{name}.csv").write_text(rows)
    paths = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"3 by .*a\.csv, 1 by .*b\.csv, 0 by .*c\.csv"):
        load_judgments(*paths)
    found = load_judgments(*paths, merge="median")
    assert found.grades == {"hat": {"7": 1, "8": 3}}
    assert (found.raters, found.name) == (3, ", ".join(map(str, paths)))
    assert load_judgments(*paths, merge="max").grades["hat"]["7"] == 3


def test_the_raters_of_a_quepid_book_are_its_columns():
    text = "query,docid,Ann,Bo\nhat,7,3,1\nhat,8,,2\n"
    found = parse_judgments(text, format="quepid", merge="median")
    assert found.grades == {"hat": {"7": 1, "8": 2}}
    assert (found.raters, found.unrated) == (2, 1)
