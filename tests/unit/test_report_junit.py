"""JUnit XML that pipelines can read: what both common schemas require, in their order."""

import json
import re
from xml.etree import ElementTree as ET

import pytest

from kokeshi_eval.report import build_junit
from tests.evaluations import build_evaluation, build_hostile

REQUIRED = {"name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "time"}
"""Attributes of a suite by the schema of Ant's task."""


def read(evaluation, **options):
    return ET.fromstring(build_junit(evaluation, **options).encode())  # noqa: S314 (our own)


def outcomes(suite):
    return {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}


def test_a_suite_has_what_the_schemas_require():
    root = read(build_evaluation())
    assert root.tag == "testsuites"
    assert [suite.get("name") for suite in root] == ["hybrid", "two-stage"]
    for suite in root:
        assert set(suite.attrib) >= REQUIRED
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
        tags = [child.tag for child in suite]
        cases = ["testcase"] * int(suite.get("tests"))
        assert tags == ["properties", *cases, "system-out", "system-err"]
        found = [tag for tags in outcomes(suite).values() for tag in tags]
        assert found.count("failure") == int(suite.get("failures"))
        assert found.count("skipped") == int(suite.get("skipped"))
        for case in suite.iter("testcase"):
            assert {"name", "classname", "time"} == set(case.attrib)
            assert all(failure.get("type") for failure in case.iter("failure"))


@pytest.mark.parametrize(
    ("verdict", "passing", "outcome"),
    [
        ("A/B test", {"A/B test"}, []),
        ("A/B test", set(), ["failure"]),
        ("skip", {"A/B test"}, ["failure"]),
        ("skip", {"A/B test", "skip"}, ["skipped"]),
        ("reject", {"A/B test", "skip"}, ["failure"]),
    ],
)
def test_the_gate_passes_the_verdicts_that_it_is_told_to(verdict, passing, outcome):
    suite = read(build_evaluation((verdict, "skip")), passing=frozenset(passing))[0]
    assert outcomes(suite)["gate"] == outcome


def test_a_failed_gate_says_why():
    failure = read(build_evaluation())[1].find("testcase[@name='gate']/failure")
    assert failure.get("message").startswith("collect judgments nDCG@10 changes by")
    assert "Impact is at least 0.05" in failure.text


def with_difference(**figures):
    evaluation = build_evaluation()
    candidate = evaluation.candidates[0]
    changed = candidate.improvement["RR@10"].model_copy(update=figures)
    improvement = candidate.improvement | {"RR@10": changed}
    candidate = candidate.model_copy(update={"improvement": improvement})
    return evaluation.model_copy(update={"candidates": (candidate, *evaluation.candidates[1:])})


@pytest.mark.parametrize(
    ("figures", "outcome"),
    [
        ({"delta": -0.1, "p_adjusted": 0.05}, ["failure"]),
        ({"delta": -0.1, "p_adjusted": 0.06}, []),
        ({"delta": 0.1, "p_adjusted": 0.01}, []),
        ({"delta": None, "p_adjusted": None}, ["skipped"]),
    ],
)
def test_a_measure_fails_where_it_falls_significantly(figures, outcome):
    assert outcomes(read(with_difference(**figures))[0])["RR@10"] == outcome


def test_without_figures_of_the_engine_there_is_nothing_to_agree_with():
    hybrid, two_stage = read(build_evaluation())
    assert outcomes(hybrid)["engine"] == []
    assert outcomes(two_stage)["engine"] == ["skipped"]
    assert outcomes(two_stage)["engine of the baseline"] == []
    assert (
        two_stage.find("testcase[@name='engine']/skipped").text == "_rank_eval has no such search"
    )


def test_a_figure_that_its_hits_do_not_give_fails():
    text = build_evaluation().model_dump_json().replace('"expected":', '"expected":1e3,"was":')
    text = re.sub(r',"was":[^,]*', "", text)
    root = read(type(build_evaluation()).model_validate_json(text))
    failure = root[0].find("testcase[@name='engine']/failure")
    assert "not of its hits" in failure.get("message")


def test_a_figure_of_the_baseline_that_its_hits_do_not_give_fails():
    saved = json.loads(build_evaluation().model_dump_json())
    saved["queries"][0]["baseline"]["engine"]["nDCG@10"]["expected"] = 2.0
    for suite in read(type(build_evaluation()).model_validate(saved)):
        failure = suite.find("testcase[@name='engine of the baseline']/failure")
        assert failure.get("message").startswith("1 figure not of its hits ")
        assert "its hits give 2.0" in failure.text
        assert outcomes(suite)["engine"] != ["failure"]


def test_text_that_no_xml_may_hold_is_replaced():
    root = read(build_hostile("\x00\x0b\ufffe]]> <b> &amp; \U0001f600"))
    assert "\ufffd\ufffd\ufffd]]> <b> &amp; \U0001f600" in root[0].get("name")
