"""An evaluation as a file: written by the name, read again, refused where it is none."""

import gzip
import json
import sys

import pytest

from kokeshi.errors import InputError, MissingExtraError
from kokeshi_eval.report import (
    check_report,
    html,
    parse_evaluation,
    read_evaluation,
    write,
    write_report,
)
from tests.evaluations import build_evaluation, build_hostile

EVALUATION = build_evaluation()


def saved(**changes):
    return json.loads(EVALUATION.model_dump_json()) | changes


@pytest.mark.parametrize("evaluation", [EVALUATION, build_hostile()], ids=["plain", "hostile"])
def test_what_is_saved_is_read_again(tmp_path, evaluation):
    write_report(evaluation, tmp_path / "run.json")
    assert read_evaluation(tmp_path / "run.json") == evaluation


def test_it_may_be_compressed(tmp_path):
    write_report(EVALUATION, tmp_path / "run.json.gz")
    text = gzip.decompress((tmp_path / "run.json.gz").read_bytes()).decode()
    assert text == EVALUATION.model_dump_json()
    assert read_evaluation(tmp_path / "run.json.gz") == EVALUATION


def test_the_name_says_the_kind(tmp_path):
    write_report(EVALUATION, tmp_path / "run.md")
    write_report(EVALUATION, tmp_path / "run.xml")
    assert (tmp_path / "run.md").read_text("utf-8").startswith("## hybrid")
    assert "<testsuites>" in (tmp_path / "run.xml").read_text("utf-8")


def test_a_folder_gets_every_chart_as_images(tmp_path):
    write_report(EVALUATION, tmp_path / "charts")
    names = {path.stem for path in (tmp_path / "charts").iterdir()}
    assert names == {"delta", "distribution", "impact", "slices", "latency"}
    for name in names:
        assert (tmp_path / "charts" / f"{name}.svg").read_text("utf-8").startswith("<svg")
        assert (tmp_path / "charts" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"'\.pdf' is no report; name it \.html, \.md, \.xml, \.json"
    ):
        write_report(EVALUATION, tmp_path / "run.pdf")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("run.pdf", r"'\.pdf' is no report"),
        ("run.html.gz", r"'\.html\.gz' is no report"),
        ("run.gz", r"'\.gz' is no report"),
        ("old.md", r"old\.md: exists already; give --force"),
        ("No/run.md", r"No/run\.md: no such folder '.*/No'; make it first"),
        ("Taken", "Taken: is no folder; give another one for the charts"),
        ("Charts", r"Charts/impact\.png: exists already"),
        ("folder.md", r"folder\.md: is a folder; give the name of a file"),
    ],
)
def test_what_is_wrong_with_a_name_is_known_before(tmp_path, name, message):
    for file in ("old.md", "Taken", "Charts/impact.png"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(InputError, match=message):
        check_report(tmp_path / name)


@pytest.mark.parametrize("library", ["vl_convert", "jinja2"])
def test_a_missing_extra_is_known_before(tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    html._environment.cache_clear()
    with pytest.raises(MissingExtraError, match=r"kokeshi\[.*report"):
        check_report(tmp_path / "run.html")
    assert check_report(tmp_path / "run.md") == ".md"
    if library == "vl_convert":
        with pytest.raises(MissingExtraError):
            check_report(tmp_path / "charts")


def test_a_folder_that_cannot_be_made_is_named_as_it_is_written(tmp_path):
    (tmp_path / "Taken").touch()
    with pytest.raises(InputError, match=r"Taken/Charts: not a directory \(--output\)"):
        write_report(EVALUATION, tmp_path / "Taken" / "Charts")


def test_images_are_all_drawn_before_the_first_is_written(tmp_path, monkeypatch):
    def draw(chart):
        if chart.name == "latency":
            raise RuntimeError(chart.name)
        return b""

    monkeypatch.setattr(write, "draw_png", draw)
    with pytest.raises(RuntimeError, match="latency"):
        write_report(EVALUATION, tmp_path / "charts")
    assert not (tmp_path / "charts").exists()


def test_a_file_that_exists_is_kept_unless_forced(tmp_path):
    (tmp_path / "run.md").write_text("mine", "utf-8")
    with pytest.raises(InputError, match="exists already"):
        write_report(EVALUATION, tmp_path / "run.md")
    write_report(EVALUATION, tmp_path / "run.md", force=True)
    assert (tmp_path / "run.md").read_text("utf-8").startswith("## hybrid")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "run: not JSON, or cut short"),
        (EVALUATION.model_dump_json()[:5000], "run: not JSON, or cut short"),
        ("[" * 100_000, "run: not JSON, or cut short"),
        ("[]", "run: format null, 'kokeshi-evaluation/1' is expected"),
        (json.dumps(saved(format="kokeshi-evaluation/2")), 'run: format "kokeshi-evaluation/2"'),
        (json.dumps(saved(queries=[{"id": "q1"}])), r"run: queries"),
        (json.dumps(saved(created="yesterday")), "run: damaged: created 'yesterday' is not a time"),
        (json.dumps(saved(queries=[])), "names query 'q.*', which is not there"),
        (json.dumps(saved(candidates=[])), "query 'q01' is not answered by every candidate"),
    ],
)
def test_what_is_no_evaluation_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_evaluation(text, "run")


def test_a_list_without_a_grade_for_each_hit_is_refused():
    data = saved()
    data["queries"][3]["baseline"]["grades"].pop()
    with pytest.raises(InputError, match="query 'q04' has not one grade for each hit"):
        parse_evaluation(json.dumps(data))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_evaluation(tmp_path / "none.json")
