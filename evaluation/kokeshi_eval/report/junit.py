"""An evaluation as JUnit XML: a suite for each candidate, for pipelines that show test results.

Valid by the schema of Ant's task and by the one of Jenkins: what either requires is there, in the
order that both accept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timezone
from typing import Final, Literal
from xml.etree import ElementTree as ET

from kokeshi_eval.model import Candidate, Difference, Evaluation, System, Verdict
from kokeshi_eval.report.facts import build_facts, moment
from kokeshi_eval.report.figures import count, interval, number, p_value, signed
from kokeshi_eval.report.tables import build_wrong

PASSING: Final[frozenset[Verdict]] = frozenset({"A/B test"})

MAX_QUERIES: Final = 10
"""Named in the reason of one case."""

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """One test case. outcome: None where it passed. details: lines; the first one is the message."""

    name: str
    outcome: Literal["failure", "skipped"] | None
    details: tuple[str, ...] = ()


def build_junit(evaluation: Evaluation, *, passing: frozenset[Verdict] = PASSING) -> str:
    """Return the XML. passing: verdicts that the gate lets through.

    Cases of a suite: `gate`, failed where the verdict is not in `passing`, skipped where it is and is
    no "A/B test"; each measure, failed where it falls significantly; `engine` and `engine of the
    baseline`, failed where a figure of the engine's is not what its own definition gives for its hits. A
    case without figures is skipped.
    """
    root = ET.Element("testsuites")
    for n, candidate in enumerate(evaluation.candidates):
        cases = tuple(_cases(evaluation, candidate, passing))
        root.append(_suite(evaluation, candidate, n, cases))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _cases(
    evaluation: Evaluation, candidate: Candidate, passing: frozenset[Verdict]
) -> Iterator[Case]:
    yield _gate(candidate, passing)
    for name, difference in candidate.improvement.items():
        yield _measure(name, difference, evaluation.options.alpha)
    yield _engine("engine", evaluation, candidate.system)
    yield _engine("engine of the baseline", evaluation, evaluation.baseline)


def _gate(candidate: Candidate, passing: frozenset[Verdict]) -> Case:
    verdict, reasons = candidate.decision.verdict, candidate.decision.reasons
    if verdict not in passing:
        return Case("gate", "failure", (verdict, *reasons))
    return Case("gate", None if verdict == "A/B test" else "skipped", (verdict, *reasons))


def _measure(name: str, d: Difference, alpha: float) -> Case:
    if d.delta is None or d.p_adjusted is None:
        return Case(
            name, "skipped", (f"no difference over {count(d.queries, 'query', 'queries')}",)
        )
    falls = d.delta < 0 and d.p_adjusted <= alpha
    return Case(name, "failure" if falls else None, (describe_difference(d),))


def describe_difference(d: Difference) -> str:
    """Return the figures of a difference in one line."""
    return (
        f"{d.label} {number(d.before)} to {number(d.after)}, {signed(d.delta)} "
        f"({interval(d.low, d.high)}), corrected p {p_value(d.p_adjusted)}, "
        f"wins {d.wins}, ties {d.ties}, losses {d.losses}"
    )


def _engine(name: str, evaluation: Evaluation, system: System) -> Case:
    if not system.engine:
        return Case(name, "skipped", (system.route.why or "the engine gave no figures of its own",))
    wrong = build_wrong(evaluation, system.label)
    if not wrong:
        return Case(name, None)
    lines = [
        f"{one.query.text}: {one.label} {one.figure.value!r}, its hits give {one.figure.expected!r}"
        for one in wrong[:MAX_QUERIES]
    ]
    return Case(name, "failure", (f"{count(len(wrong), 'figure')} not of its hits", *lines))


def _suite(
    evaluation: Evaluation, candidate: Candidate, n: int, cases: tuple[Case, ...]
) -> ET.Element:
    label = _clean(candidate.system.label)
    outcomes = [case.outcome for case in cases]
    suite = ET.Element(
        "testsuite",
        {
            "name": label,
            "package": "kokeshi.eval",
            "id": str(n),
            "timestamp": f"{moment(evaluation).astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S}",
            "hostname": "localhost",
            "tests": str(len(cases)),
            "failures": str(outcomes.count("failure")),
            "errors": "0",
            "skipped": str(outcomes.count("skipped")),
            "time": "0",
        },
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in build_facts(evaluation):
        ET.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    suite.extend(_element(case, label) for case in cases)
    lines = [describe_difference(difference) for difference in candidate.improvement.values()]
    ET.SubElement(suite, "system-out").text = _clean("\n".join(lines))
    ET.SubElement(suite, "system-err").text = _clean("\n".join(evaluation.warnings))
    return suite


def _element(case: Case, label: str) -> ET.Element:
    element = ET.Element(
        "testcase", {"name": case.name, "classname": f"kokeshi.eval.{label}", "time": "0"}
    )
    text = _clean("\n".join(case.details))
    if case.outcome == "failure":
        attributes = {"type": case.name, "message": _clean(" ".join(case.details[:2]))}
        ET.SubElement(element, "failure", attributes).text = text
    elif case.outcome == "skipped":
        ET.SubElement(element, "skipped").text = text
    return element


def _clean(text: str) -> str:
    """Return text that XML can hold: what no document may contain is replaced."""
    return _NO_XML.sub("\ufffd", text)
