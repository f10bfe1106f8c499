"""Evaluations kept in a real engine."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator

import orjson
import pytest

from kokeshi.engines import Engine, calls
from kokeshi.errors import EngineError, InputError
from kokeshi_eval import store
from kokeshi_eval.records import build_records
from kokeshi_eval.store import (
    INDEX,
    build_store,
    list_evaluations,
    load_evaluation,
    save_evaluation,
)
from tests.evaluations import build_evaluation

pytestmark = pytest.mark.engine

EVALUATION = build_evaluation()


@pytest.fixture
def empty(engine) -> Iterator[Engine]:
    engine.delete_index(INDEX)
    yield engine
    engine.delete_index(INDEX)


def test_what_was_saved_is_listed_and_loaded(empty):
    later = EVALUATION.model_copy(update={"id": "later", "created": "2026-05-01T00:00:00+00:00"})
    save_evaluation(empty, EVALUATION)
    save_evaluation(empty, later)
    listed = list_evaluations(empty)
    assert [one["evaluation"] for one in listed] == ["later", EVALUATION.id]
    assert listed[0]["verdicts"] == [c.decision.verdict for c in EVALUATION.candidates]
    assert all("file" not in one for one in listed)
    assert load_evaluation(empty, EVALUATION.id) == EVALUATION


def test_saving_twice_changes_nothing(empty, monkeypatch):
    monkeypatch.setattr(store, "BATCH", 100)
    for _ in range(2):
        save_evaluation(empty, EVALUATION)
        assert empty.count(INDEX) == len(build_records(EVALUATION)) + 1


def test_every_field_of_the_records_is_indexed(empty):
    save_evaluation(empty, EVALUATION)
    for name, field in build_store()["mappings"]["properties"].items():
        missing = {"bool": {"must_not": {"exists": {"field": name}}}}
        assert empty.count(INDEX, missing) < empty.count(INDEX), (name, field)


def test_an_index_that_somebody_else_created_meanwhile_is_used(empty):
    empty.run(iterate_creating())
    assert empty.get_mapping(INDEX) is not None


def iterate_creating():
    yield calls.ensure_index(INDEX, build_store())
    yield calls.ensure_index(INDEX, build_store())


def test_without_an_index_there_is_nothing(empty):
    assert list_evaluations(empty) == []
    with pytest.raises(InputError, match=f"evaluation x: the index '{INDEX}' has none"):
        load_evaluation(empty, "x")


@pytest.mark.parametrize(
    "file",
    [None, "%", base64.b64encode(b"no").decode(), base64.b64encode(gzip.compress(b"{}")).decode()],
)
def test_a_broken_document_is_refused(empty, file):
    empty.create_index(INDEX, build_store())
    key = store._id_of({"kind": "evaluation", "evaluation": "x"})
    lines = [{"index": {"_id": key}}, {"file": file}]
    empty.bulk(INDEX, b"".join(orjson.dumps(line) + b"\n" for line in lines))
    with pytest.raises(InputError, match="has no evaluation that this version reads"):
        load_evaluation(empty, "x")


def test_an_evaluation_that_is_too_large_is_not_begun(empty, monkeypatch):
    monkeypatch.setattr(store, "LARGEST", 10)
    with pytest.raises(InputError, match="the engine takes 10 in one document"):
        save_evaluation(empty, EVALUATION)
    assert empty.get_mapping(INDEX) is None


def test_a_record_that_the_index_does_not_take_is_named(empty):
    body = build_store()
    body["mappings"]["properties"]["delta"] = {"type": "boolean"}
    empty.create_index(INDEX, body)
    with pytest.raises(
        EngineError, match=f"(?s)evaluation {EVALUATION.id}: .*delta.*; save it again"
    ):
        save_evaluation(empty, EVALUATION)
