"""An evaluation as a file: written by the name, read again, refused where it is none."""

import gzip
import json

import pytest

from kokeshi.errors import InputError
from kokeshi_eval.report import parse_evaluation, read_evaluation, write_report
from tests.evaluations import build_evaluation, build_hostile

EVALUATION = build_evaluation()


def saved(**changes):
    return json.loads(EVALUATION.model_dump_json()) | changes


@pytest.mark.parametrize("evaluation", [EVALUATION, build_hostile()], ids=["plain", "hostile"])
def test_what_is_saved_is_read_again(tmp_path, evaluation):
    write_report(evaluation, tmp_path / "run.json")
    assert read_evaluation(tmp_path / "run.json") == evaluation


def test_a_gzip_file_is_read_too(tmp_path):
    (tmp_path / "run.json.gz").write_bytes(gzip.compress(EVALUATION.model_dump_json().encode()))
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
