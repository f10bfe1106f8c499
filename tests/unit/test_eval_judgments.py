"""Judgments from CSV: what is read, what is merged, and what every bad row says."""

import pytest

from kokeshi.errors import InputError
from kokeshi_eval import load_judgments, parse_judgments

HEADER = "query,doc_id,grade\n"


def test_columns_in_any_order_with_others_between():
    found = parse_judgments(
        "Grade, rater ,DOC_ID,query\n3,anna,7,red shoe\n0,ben,8,red shoe\n1,ben,7,hat\n"
    )
    assert found.grades == {"red shoe": {"7": 3, "8": 0}, "hat": {"7": 1}}
    assert found.queries == ["red shoe", "hat"]
    assert found.count == 3
    assert found.positives("red shoe") == 1


def test_quotes_commas_unicode_and_blank_lines():
    found = parse_judgments(HEADER + '\n"bag, ""big""",ä-1,2\n ,,\n靴 白, 7 ,3\n"two\nlines",9,0\n')
    assert found.grades == {'bag, "big"': {"ä-1": 2}, "靴 白": {"7": 3}, "two\nlines": {"9": 0}}


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "judgments.csv"
    path.write_bytes("\ufeffquery,doc_id,grade\r\nhat,7,3\r\n".encode())
    assert load_judgments(path).grades == {"hat": {"7": 3}}


def test_identical_rows_are_merged_and_counted():
    found = parse_judgments(HEADER + "hat,7,3\nhat,8,0\nhat,7,3\nhat,7,3\n")
    assert found.grades == {"hat": {"7": 3, "8": 0}}
    assert found.merged == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "judgments: no judgments; give rows of query, doc_id, grade"),
        (HEADER, "no judgments"),
        (
            "query,doc,grade\nhat,7,3\n",
            "line 1: the header lacks doc_id; it names query, doc, grade",
        ),
        ("hat,7,3\n", "line 1: the header lacks query, doc_id, grade"),
        (HEADER + "hat,7,2.5\n", "line 2: grade '2.5' is not a whole number from 0 to 20"),
        (HEADER + "hat,7,-1\n", "line 2: grade '-1' is not a whole number"),
        (HEADER + "hat,7,\n", "line 2: grade '' is not a whole number"),
        (HEADER + "hat,7,21\n", "line 2: grade '21' is not a whole number from 0 to 20"),
        (HEADER + "hat,7,٣\n", "is not a whole number"),
        (HEADER + "hat,7,1_0\n", "is not a whole number"),
        (HEADER + "hat,7,3\n,7,3\n", "line 3: the query is empty"),
        (HEADER + "hat, ,3\n", "line 2: the doc_id is empty"),
        (HEADER + "hat,7\n", "line 2: 2 cells, the header names more"),
        (HEADER + '"hat,7,3\n', "not CSV: unexpected end of data"),
        (
            HEADER + "hat,7,3\nhat,8,1\nhat,7,2\n",
            "line 4: document '7' has grade 2 for 'hat', but 3 on line 2; keep one",
        ),
    ],
)
def test_bad_judgments_name_line_and_reason(text, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        parse_judgments(text)


def test_a_missing_file_and_a_file_of_other_bytes(tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv: no such file or directory"):
        load_judgments(tmp_path / "gone.csv")
    with pytest.raises(InputError, match="is a directory"):
        load_judgments(tmp_path)
    path = tmp_path / "latin.csv"
    path.write_bytes(b"query,doc_id,grade\nk\xe4se,7,3\n")
    with pytest.raises(InputError, match=r"latin\.csv: not UTF-8"):
        load_judgments(path)
