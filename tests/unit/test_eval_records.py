"""An evaluation as flat records."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest

from kokeshi_eval.records import build_records, record_id
from kokeshi_eval.store import build_store, build_summary
from tests.evaluations import build_evaluation

EVALUATION = build_evaluation()
RECORDS = build_records(EVALUATION)


def of(kind: str, **wanted: object) -> list[dict]:
    return [
        record
        for record in RECORDS
        if record["kind"] == kind and all(record[name] == v for name, v in wanted.items())
    ]


def test_there_is_a_record_for_each_query_candidate_and_measure():
    candidates, measures = len(EVALUATION.candidates), len(EVALUATION.options.labels)
    assert Counter(record["kind"] for record in RECORDS) == {
        "query": len(EVALUATION.queries) * candidates * measures,
        "candidate": candidates * len(EVALUATION.candidates[0].improvement),
        "slice": sum(len(candidate.slices) for candidate in EVALUATION.candidates),
        "system": (1 + candidates) * len(EVALUATION.baseline.values),
    }


def test_every_record_says_which_evaluation_it_is_of():
    shared = {(record["evaluation"], record["created"], record["baseline"]) for record in RECORDS}
    assert shared == {(EVALUATION.id, EVALUATION.created, EVALUATION.baseline.label)}


def test_a_query_has_the_figures_of_both_rankings():
    query = next(query for query in EVALUATION.queries if query.positives)
    (record,) = of("query", query=query.id, candidate="two-stage", measure="P@10")
    ranked = query.candidates[1].ranked
    assert record["delta"] == ranked.values["P@10"] - query.baseline.values["P@10"]
    assert (record["main"], record["text"], record["words"]) == (
        False,
        query.text,
        len(query.text.split()),
    )
    assert f"band={query.attributes['band']}" in record["attributes"]


def test_a_query_without_positive_grades_has_no_difference():
    empty = [query.id for query in EVALUATION.queries if not query.positives]
    assert empty
    for id_ in empty:
        assert {record["delta"] for record in of("query", query=id_)} == {None}


def test_a_candidate_has_its_interval_and_verdict():
    candidate = EVALUATION.candidates[0]
    (record,) = of("candidate", candidate=candidate.system.label, main=True)
    difference = candidate.improvement[EVALUATION.label]
    assert (record["low"], record["high"]) == (difference.low, difference.high)
    assert (record["verdict"], record["change"]) == (
        candidate.decision.verdict,
        candidate.impact.change,
    )


def test_ids_are_distinct_and_the_same_each_time():
    ids = [record_id(record) for record in RECORDS]
    assert len(set(ids)) == len(ids)
    assert ids == [record_id(record) for record in build_records(EVALUATION)]
    other = EVALUATION.model_copy(update={"id": "other"})
    assert not set(ids) & {record_id(record) for record in build_records(other)}


@pytest.mark.parametrize("documents", [RECORDS, [build_summary(EVALUATION)]])
def test_every_figure_has_a_field_in_the_index(documents):
    fields = set(build_store()["mappings"]["properties"])
    named = {name for document in documents for name in document}
    assert named - fields <= {"file"}


def test_records_are_json():
    assert orjson.loads(orjson.dumps(RECORDS)) == RECORDS
