"""`kokeshi eval judgments` and `kokeshi eval queries`, without an engine."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kokeshi.cli import judgments, queries
from kokeshi.errors import InputError, KokeshiError
from kokeshi_eval.judgments import load_judgments
from kokeshi_eval.query_sets import load_queries

HEADER = "query,doc_id,grade\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ok(app, *arguments: str) -> str:
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, (ran.exception, ran.output)
    return ran.stdout


def error(app, *arguments: str) -> KokeshiError:
    ran = CliRunner().invoke(app, arguments)
    assert isinstance(ran.exception, KokeshiError), (ran.exception, ran.output)
    return ran.exception


def write(name: str, text: str) -> str:
    Path(name).write_text(text, "utf-8")
    return name


def test_judgments_are_converted():
    write("a.csv", HEADER + "hat,7,3\nhat,7,3\nhat,8,0\ncap,7,0\n")
    printed = " ".join(ok(judgments.app, "convert", "a.csv", "-o", "b.qrels").split())
    assert Path("b.qrels").read_text() == "hat 0 7 3\nhat 0 8 0\ncap 0 7 0\n"
    for fact in (
        "queries 2",
        "documents 3",
        "grades 0: 2, 3: 1",
        "no positive 1 queries, such as 'cap'",
        "merged 1 rows",
        "Wrote b.qrels.",
    ):
        assert fact in printed
    with pytest.raises(InputError, match=r"b\.qrels: exists already; give --force"):
        raise error(judgments.app, "convert", "a.csv", "-o", "b.qrels")
    ok(judgments.app, "convert", "a.csv", "-o", "b.qrels", "--force")


def test_a_name_that_ends_in_gz_is_compressed():
    write("a.csv", HEADER + "hat,7,3\n")
    ok(judgments.app, "convert", "a.csv", "-o", "b.csv.gz")
    ok(judgments.app, "convert", "a.csv", "-o", "c.csv.gz")
    assert (
        gzip.decompress(Path("b.csv.gz").read_bytes()).decode() == "query,doc_id,grade\nhat,7,3\n"
    )
    assert Path("b.csv.gz").read_bytes() == Path("c.csv.gz").read_bytes()
    assert load_judgments("b.csv.gz").grades == {"hat": {"7": 3}}


def test_judgments_are_put_on_another_scale():
    write("a.txt", "hat 0 7 1\nhat 0 8 0\n")
    arguments = ("a.txt", "-o", "b.csv", "--to", "quepid", "--scale", "0=0,1=3", "--json")
    printed = json.loads(ok(judgments.app, "convert", *arguments))
    assert printed["grades"] == {"0": 1, "3": 1}
    assert printed["file"] == "b.csv"
    assert Path("b.csv").read_text() == "query,docid,rating\nhat,7,3\nhat,8,0\n"


def test_raters_are_merged():
    files = [
        write(f"{name}.csv", HEADER + f"hat,7,{grade}\nhat,8,3\n")
        for name, grade in zip("abc", (3, 1, 0), strict=True)
    ]
    with pytest.raises(InputError, match="raters differ on 1 documents"):
        raise error(judgments.app, "merge", *files, "-o", "m.csv")
    printed = ok(judgments.app, "merge", *files, "-o", "m.csv", "--merge", "median")
    assert load_judgments("m.csv").grades == {"hat": {"7": 1, "8": 3}}
    assert "Krippendorff's alpha" in printed
    arguments = (*files, "-o", "n.csv", "--merge", "max", "--json")
    assert json.loads(ok(judgments.app, "merge", *arguments))["raters"] == 3


def test_mixed_scales_are_no_merge():
    files = write("a.csv", HEADER + "hat,7,1\n"), write("b.csv", HEADER + "hat,8,4\n")
    with pytest.raises(InputError, match="mixed grade scales"):
        raise error(judgments.app, "merge", *files, "-o", "m.csv")
    ok(judgments.app, "merge", *files, "-o", "m.csv", "--max-grade", "4")


def test_a_check_needs_grades_and_queries_that_fit():
    write("a.csv", HEADER + "hat,7,0\n")
    with pytest.raises(InputError, match=r"a\.csv: all 1 grades are 0"):
        raise error(judgments.app, "check", "a.csv")
    write("b.csv", HEADER + "hat,7,1\n")
    write("q.csv", "query\ncap\n")
    with pytest.raises(InputError, match="none of the 1 queries has a judgment"):
        raise error(judgments.app, "check", "b.csv", "--queries", "q.csv")


CLICKS = "query,doc_id,position,impressions,clicks\nhat,7,1,100,40\nhat,7,2,100,10\nhat,8,2,99,1\n"


def test_clicks_become_judgments():
    write("log.csv", CLICKS)
    printed = " ".join(ok(judgments.app, "from-clicks", "log.csv", "--thresholds", "0.3").split())
    assert load_judgments("judgments.csv").grades == {"hat": {"7": 1}}
    assert "examined position 1: 1.000, position 2: 0.250" in printed
    assert "thresholds 0.3 left out 1 documents with too few impressions" in printed
    arguments = ("log.csv", "--min-impressions", "9", "--shares", "0.5,0.5", "--force", "--json")
    found = json.loads(ok(judgments.app, "from-clicks", *arguments))
    assert (found["documents"], found["unsupported"]) == (2, 0)
    assert found["propensities"] == pytest.approx({"1": 1.0, "2": 0.25})
    assert load_judgments("judgments.csv").grades == {"hat": {"7": 1, "8": 0}}


def test_propensities_come_from_the_log_or_a_file():
    write("log.csv", CLICKS)
    write("p.csv", "position,propensity\n1,1\n2,0.5\n")
    for how, second in (("ctr", 11 / 199 / 0.4), ("p.csv", 0.5)):
        arguments = ("log.csv", "--propensities", how, "--thresholds", "0.3", "--force", "--json")
        found = json.loads(ok(judgments.app, "from-clicks", *arguments))
        assert found["propensities"]["2"] == pytest.approx(second)


def test_ubi_exports_become_judgments():
    searches = [
        {
            "query_id": str(n),
            "user_query": "hat",
            "query_response_hit_ids": ["7", "8"][:: 1 - 2 * (n % 2)],
        }
        for n in range(200)
    ]
    events = [
        {
            "query_id": str(n),
            "action_name": "click",
            "event_attributes": {"object": {"object_id": "7"}},
        }
        for n in range(0, 200, 3)
    ]
    write("q.jsonl", "\n".join(map(json.dumps, searches)))
    write("e.jsonl", "\n".join(map(json.dumps, events)))
    found = json.loads(ok(judgments.app, "from-clicks", "--ubi", "q.jsonl", "e.jsonl", "--json"))
    assert found["ubi"] == {"searches": 200, "unknown_searches": 0, "unplaced_events": 0}
    assert load_judgments("judgments.csv").grades == {"hat": {"7": 1, "8": 0}}
    printed = " ".join(
        ok(judgments.app, "from-clicks", "--ubi", "q.jsonl", "e.jsonl", "--force").split()
    )
    assert "searches 200" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "one log is expected, found 0"),
        (("log.csv", "log.csv"), "one log is expected, found 2"),
        (("log.csv", "--shares", "1", "--thresholds", "1"), "give --shares or --thresholds, not"),
        (("log.csv", "--thresholds", "a"), r"'a' is not a list of numbers .* \(--thresholds\)"),
        (("log.csv", "--shares", "nan,nan"), r"shares \[nan, nan\]: give one above 0"),
        (("log.csv", "--thresholds", "inf"), r"thresholds \[inf\]: give rising numbers"),
        (("log.csv", "--thresholds", "9"), r"log\.csv: no document attracts more than 9"),
        (("log.csv", "--propensities", "none.csv"), r"none\.csv: no such file"),
        (("log.csv", "-o", "log.csv"), r"log\.csv: exists already"),
    ],
)
def test_clicks_that_become_none(arguments, message):
    write("log.csv", CLICKS)
    with pytest.raises(InputError, match=message):
        raise error(judgments.app, "from-clicks", *arguments)
    assert not Path("judgments.csv").exists()


def test_queries_are_sampled():
    write("log.csv", "query,count\n" + "".join(f"q{n},{1 + 900 // (n + 1)}\n" for n in range(300)))
    printed = ok(queries.app, "sample", "log.csv", "-o", "set.csv", "--size", "30")
    assert "Wrote set.csv, 30 queries." in printed
    assert [line.split()[0] for line in printed.splitlines()[:4]] == [
        "band",
        "head",
        "torso",
        "tail",
    ]
    drawn = load_queries("set.csv")
    assert {query.attributes["band"] for query in drawn} == {"head", "torso", "tail"}
    assert {name for query in drawn for name in query.attributes} == {"band"}
    with pytest.raises(InputError, match=r"set\.csv: exists already"):
        raise error(queries.app, "sample", "log.csv", "-o", "set.csv")
    arguments = ("log.csv", "-o", "set.csv", "--size", "30", "--force", "--json")
    found = json.loads(ok(queries.app, "sample", *arguments))
    assert [band["band"] for band in found["bands"]] == ["head", "torso", "tail"]
    assert load_queries("set.csv") == drawn
