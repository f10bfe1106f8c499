"""Judgments from files: what is read, what is merged, and what every bad row says."""

import gzip
import json
import re

import pytest

from kokeshi.errors import InputError
from kokeshi_eval.judgments import (
    Judgments,
    check_any_positive,
    check_indices,
    check_queries,
    load_judgments,
    parse_judgments,
    parse_scale,
    write_judgments,
)
from kokeshi_eval.judgments.formats import detect_format
from kokeshi_eval.queries import queries_of

HEADER = "query,doc_id,grade\n"


def test_columns_in_any_order_with_others_between():
    found = parse_judgments("Grade, note ,DOC_ID,query\n3,x,7,red shoe\n0,y,8,red shoe\n1,,7,hat\n")
    assert found.grades == {"red shoe": {"7": 3, "8": 0}, "hat": {"7": 1}}
    assert found.queries == ["red shoe", "hat"]
    assert (found.count, found.max_grade, found.raters) == (3, 3, 1)
    assert found.positives("red shoe") == 1
    assert found.agreement is None


def test_a_query_is_named_by_its_id_where_there_is_one():
    found = parse_judgments("query_id,query,doc_id,grade\nq1,red shoe,7,3\n")
    assert found.grades == {"q1": {"7": 3}}


def test_quotes_commas_unicode_and_blank_lines():
    found = parse_judgments(HEADER + '\n"bag, ""big""",ä-1,2\n ,,\n靴 白, 7 ,3\n"two\nlines",9,0\n')
    assert found.grades == {'bag, "big"': {"ä-1": 2}, "靴 白": {"7": 3}, "two\nlines": {"9": 0}}


def test_byte_order_mark_windows_line_ends_and_gzip(tmp_path):
    content = "\ufeffquery,doc_id,grade\r\nhat,7,3\r\n".encode()
    for name, written in (("a.csv", content), ("b.csv.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(written)
        assert load_judgments(tmp_path / name).grades == {"hat": {"7": 3}}


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
        ("query,doc_id,grade,grade\n", "line 1: the header names the column 'grade' twice"),
        (HEADER + "hat,7,2.5\n", "line 2: grade '2.5' is not a whole number from 0 to 20"),
        (HEADER + "hat,7,-1\n", "line 2: grade '-1' is not a whole number"),
        (HEADER + "hat,7,\n", "line 2: grade '' is not a whole number"),
        (HEADER + "hat,7,21\n", "line 2: grade '21' is not a whole number from 0 to 20"),
        (HEADER + "hat,7,٣\n", "is not a whole number"),
        (HEADER + "hat,7,1_0\n", "is not a whole number"),
        (HEADER + "hat,7,3\n,7,3\n", "line 3: the query is empty"),
        (HEADER + "hat, ,3\n", "line 2: the doc_id is empty"),
        (HEADER + "hat,7\n", "line 2: 2 cells, but the header names 3"),
        (HEADER + "red, hat,7,3\n", "line 2: 4 cells, but the header names 3; quote commas"),
        (HEADER + '"hat,7,3\n', "not CSV: unexpected end of data"),
        (
            HEADER + "hat,7,3\nhat,8,1\nhat,7,2\n",
            "line 4: document '7' has grade 2 for 'hat', but 3 in judgments, line 2; keep one",
        ),
    ],
)
def test_bad_judgments_name_line_and_reason(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        parse_judgments(text)


def test_a_missing_file_and_files_of_other_bytes(tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv: no such file or directory"):
        load_judgments(tmp_path / "gone.csv")
    with pytest.raises(InputError, match="is a directory"):
        load_judgments(tmp_path)
    path = tmp_path / "latin.csv"
    path.write_bytes(b"query,doc_id,grade\nk\xe4se,7,3\n")
    with pytest.raises(InputError, match=r"latin\.csv: not UTF-8"):
        load_judgments(path)
    path.write_bytes(gzip.compress(HEADER.encode())[:-3])
    with pytest.raises(InputError, match="the gzip file is damaged or cut short"):
        load_judgments(path)


GRADES = {"hat": {"7": 3, "8": 0}, "shoe": {"7": 1}}
QUEPID_CASE = {
    "case_name": "shop",
    "queries": [
        {"query_text": "hat", "notes": None, "ratings": {"7": 3.0, "8": 0}},
        {"query_text": "gloves", "ratings": None},
        {"query_text": "shoe", "ratings": [{"doc_id": "7", "rating": 1, "user_email": None}]},
    ],
}
QUEPID_BOOK = {
    "name": "book",
    "query_doc_pairs": [
        {
            "query_text": query,
            "doc_id": doc_id,
            "judgements": [
                {"rating": grade, "unrateable": False, "user_email": "a@x"},
                {"rating": None, "unrateable": True, "user_email": "b@x"},
            ],
        }
        for query, found in GRADES.items()
        for doc_id, grade in found.items()
    ],
}
RANK_EVAL = {
    "requests": [
        {
            "id": query,
            "request": {"query": {"match": {"title": query}}},
            "ratings": [
                {"_index": "shop", "_id": doc_id, "rating": grade}
                for doc_id, grade in found.items()
            ],
        }
        for query, found in GRADES.items()
    ],
    "metric": {"dcg": {"k": 10}},
}
FORMATS = {
    "a.csv": ("csv", HEADER + "hat,7,3\nhat,8,0\nshoe,7,1\n"),
    "a.tsv": ("csv", "query\tdoc_id\tgrade\nhat\t7\t3\nhat\t8\t0\nshoe\t7\t1\n"),
    "a.txt": ("csv", HEADER + "hat,7,3\nhat,8,0\nshoe,7,1\n"),
    "a.jsonl": (
        "jsonl",
        '{"query":"hat","doc_id":7,"grade":3}\n\n{"query":"hat","doc_id":"8","grade":0.0}\n'
        '{"query":"shoe","doc_id":"7","grade":"1","rater":null}',
    ),
    "a.qrels": ("trec", "hat 0 7 3\nhat\tQ0\t8  0\nshoe 0 7 1\n"),
    "qrels.txt": ("trec", "\nhat 0 7 3\nhat 0 8 0\nshoe 0 7 1\n"),
    "basic.csv": ("quepid", "query,docid,rating\nhat,7,3\nhat,8,0\ngloves\nshoe,7,1.0\n"),
    "detail.csv": (
        "quepid",
        "Team Name,Case Name,Case ID,Query Text,Doc ID,Title,Rating,brand\n"
        "t,c,1,hat,7,x,3,\nt,c,1,hat,8,x,0,\nt,c,1,hat,9,x,--,\nt,c,1,shoe,7,x,1,\n",
    ),
    "book.csv": ("quepid", "query,docid,Ann Lee\nhat,7,3\nhat,8,0\nhat,9,\nshoe,7,1\n"),
    "case.json": ("quepid", json.dumps(QUEPID_CASE, indent=1)),
    "book.json": ("quepid", json.dumps(QUEPID_BOOK)),
    "body.json": ("rank_eval", json.dumps(RANK_EVAL, indent=2)),
    "lines.json": ("jsonl", '{"qid":"hat","docid":"7","rating":3}\n{"qid":"hat","docid":8,"rating":0}\n'
                   '{"qid":"shoe","docid":"7","rating":1}\n'),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_told_by_itself(tmp_path, name):
    kind, text = FORMATS[name]
    path = tmp_path / name
    path.write_text(text, "utf-8")
    assert detect_format(text, name, path.suffix) == kind
    assert load_judgments(path).grades == GRADES
    assert load_judgments(path, format=kind).grades == GRADES


@pytest.mark.parametrize(
    ("name", "unrated"),
    [("basic.csv", 1), ("detail.csv", 1), ("book.csv", 1), ("book.json", 3), ("a.csv", 0)],
)
def test_rows_without_a_rating_are_counted(name, unrated):
    kind, text = FORMATS[name]
    assert parse_judgments(text, format=kind).unrated == unrated


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("jsonl", '{"query":"hat"', "x, line 1: not JSON"),
        ("jsonl", "[1]", "x, line 1: not a JSON object but list"),
        ("jsonl", '{"query":"hat","doc_id":"7","grade":true}', "grade 'True' is not a whole"),
        ("jsonl", '{"query":"hat","doc_id":"7"}', "line 1: grade '' is not a whole number"),
        (
            "jsonl",
            '{"query":"hat","doc_id":1.5,"grade":1}',
            "line 1: the doc_id is 1.5, not a text",
        ),
        ("trec", "hat 0 7\n", "x, line 1: 3 words; qrels have four"),
        ("trec", "hat 0 7 1\nhat 0 8 -2\n", "x, line 2: grade '-2' is not a whole number"),
        ("quepid", "query,docid\nhat,7\n", "line 2: no column of ratings"),
        ("quepid", "query,docid,rating\nhat,7,2.5\n", "line 2: grade '2.5' is not a whole number"),
        ("quepid", '{"queries":{}}', "x, queries: a list of objects is expected"),
        (
            "quepid",
            '{"queries":[{"query_text":"hat","ratings":3}]}',
            "queries[0].ratings: a list of",
        ),
        ("rank_eval", "{", "x: not JSON"),
        ("rank_eval", '{"requests":[1]}', "x, requests: a list of objects is expected"),
        ("rank_eval", '{"requests":[{"ratings":[]}]}', "x, requests[0]: the id is empty"),
        (
            "rank_eval",
            '{"requests":[{"id":"q","ratings":[{"_id":"7","rating":1.5}]}]}',
            "x, requests[0].ratings[0]: grade '1.5' is not a whole number",
        ),
        ("rank_eval", '{"requests":[{"id":"q"}]}', "x: no judgments"),
    ],
)
def test_other_formats_name_the_place_too(kind, text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        parse_judgments(text, "x", kind)


def test_what_looks_like_nothing_is_refused():
    with pytest.raises(InputError, match="x: it looks like no known format; give --format csv"):
        detect_format("hello world\n", "x")


@pytest.mark.parametrize("name", ["b.csv", "b.jsonl", "b.qrels"])
def test_what_is_written_is_read_again(tmp_path, name):
    path = tmp_path / name
    write_judgments(Judgments(GRADES), path)
    assert load_judgments(path).grades == GRADES
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_quepid_takes_what_is_written_for_it(tmp_path):
    write_judgments(Judgments(GRADES), tmp_path / "c.csv", "quepid")
    assert (tmp_path / "c.csv").read_text().splitlines()[:2] == ["query,docid,rating", "hat,7,3"]
    assert load_judgments(tmp_path / "c.csv").grades == GRADES


def test_a_file_is_overwritten_only_by_force(tmp_path):
    path = tmp_path / "b.csv"
    path.write_text("mine")
    with pytest.raises(InputError, match=r"b\.csv: exists already; give --force"):
        write_judgments(Judgments(GRADES), path)
    assert path.read_text() == "mine"
    write_judgments(Judgments(GRADES), path, force=True)
    assert load_judgments(path).grades == GRADES


def test_what_cannot_be_written_says_so(tmp_path):
    with pytest.raises(InputError, match=r"b\.doc: its format is not known by its name"):
        write_judgments(Judgments(GRADES), tmp_path / "b.doc")
    with pytest.raises(InputError, match="'rank_eval' is read only; write one of csv, jsonl"):
        write_judgments(Judgments(GRADES), tmp_path / "b.json", "rank_eval")
    with pytest.raises(InputError, match="id 'red hat': qrels part ids by spaces; write .csv"):
        write_judgments(Judgments({"red hat": {"7": 1}}), tmp_path / "b.qrels")
    with pytest.raises(InputError, match="no such folder '.*/?no'; make it first"):
        write_judgments(Judgments(GRADES), tmp_path / "no" / "b.csv")
    assert list(tmp_path.iterdir()) == []


def two_files(folder, one: str, other: str):
    paths = folder / "one.csv", folder / "other.csv"
    for path, rows in zip(paths, (one, other), strict=True):
        path.write_text(HEADER + rows)
    return paths


def test_mixed_scales_are_refused_unless_they_are_one(tmp_path):
    paths = two_files(tmp_path, "hat,7,1\nhat,9,0\n", "hat,8,4\n")
    with pytest.raises(
        InputError,
        match=r"mixed grade scales \(.*one\.csv: 0 to 1; .*other\.csv: 0 to 4\): .* --max-grade 4, .*"
        r"convert --scale",
    ):
        load_judgments(*paths)
    assert load_judgments(*paths, max_grade=4).max_grade == 4
    with pytest.raises(InputError, match=r"other\.csv, line 2: grade '4' is not .* from 0 to 3"):
        load_judgments(*paths, max_grade=3)


def test_a_scale_maps_grades_as_they_are_written(tmp_path):
    path = tmp_path / "esci.csv"
    path.write_text(HEADER + "hat,1,E\nhat,2,S\nhat,3,I\n")
    found = load_judgments(path, scale=parse_scale("E=3, S=2,C=1,I=0"))
    assert found.grades == {"hat": {"1": 3, "2": 2, "3": 0}}
    path.write_text("hat 0 7 -2\nhat 0 8 1\n")
    found = load_judgments(path, format="trec", scale=parse_scale("-2=0,1=4"))
    assert found.grades == {"hat": {"7": 0, "8": 4}}
    with pytest.raises(InputError, match="line 1: grade '-2' is not in the scale 0=0,1=3"):
        load_judgments(path, format="trec", scale=parse_scale("0=0,1=3"))


@pytest.mark.parametrize("text", ["", "1", "1=", "=1", "1=x", "1=21", "0=0,0=1", "1=-1"])
def test_a_scale_is_pairs_of_grades(text):
    with pytest.raises(InputError, match=r"scale '.*'"):
        parse_scale(text)


def test_grades_that_are_all_zero_say_nothing():
    check_any_positive(Judgments({"hat": {"7": 0, "8": 1}}))
    with pytest.raises(InputError, match="judgments: all 2 grades are 0, so no ranking is better"):
        check_any_positive(Judgments({"hat": {"7": 0, "8": 0}}))


def test_judgments_of_another_index_are_doubted():
    body = json.loads(json.dumps(RANK_EVAL))
    ratings = body["requests"][0]["ratings"]
    ratings[0]["_index"], ratings[1]["_index"] = "shop-v1", "old"
    found = parse_judgments(json.dumps(body), "body.json", "rank_eval")
    assert found.indices == ("shop-v1", "old", "shop")
    said = check_indices(found, "shop-v1", "shop")
    assert said.startswith("body.json: written for 'old', not for 'shop': ")
    assert "written for 'shop-v1', 'old'," in check_indices(found, "shop-v2", "shop")
    assert (
        check_indices(parse_judgments(json.dumps(RANK_EVAL), "x", "rank_eval"), "v1", "shop")
        is None
    )
    assert check_indices(Judgments(GRADES), "v1", "shop") is None
    del ratings[0]["_index"]
    assert parse_judgments(json.dumps(body), "x", "rank_eval").indices == ("old", "shop")


def test_queries_without_judgments_are_named():
    judgments = Judgments(GRADES)
    assert check_queries(judgments, queries_of(["hat", "cap", "shoe", "bag"])) == ("cap", "bag")
    with pytest.raises(
        InputError, match="none of the 2 queries has a judgment, such as 'cap'; .*'hat'"
    ):
        check_queries(judgments, queries_of(["cap", "bag"]))
