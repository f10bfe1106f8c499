"""What a live engine refuses, as Kokeshi's own errors."""

from __future__ import annotations

import re

import pytest

from kokeshi import Index
from kokeshi.errors import EngineError
from kokeshi.ingest.documents import serialise

pytestmark = pytest.mark.engine

SPEC = """
index: t-engine
metadata: {price: float}
vectors: {v: {encoder: {name: precomputed, column: w}, dimension: 2}}
"""


@pytest.fixture(scope="module")
def index(open_index) -> Index:
    return open_index(SPEC)


@pytest.mark.parametrize(
    "use",
    [
        lambda engine: engine.search("t-absent", {}),
        lambda engine: engine.count("t-absent"),
        lambda engine: engine.refresh("t-absent"),
    ],
    ids=["search", "count", "refresh"],
)
def test_a_missing_index_says_how_to_create_it(engine, use):
    with pytest.raises(
        EngineError, match=r"no such index \[t-absent\]; create it with: kokeshi ingest"
    ):
        use(engine)


def test_a_missing_index_has_no_mapping(engine):
    assert engine.get_mapping("t-absent") is None


def test_a_missing_index_is_deleted_without_an_error(engine):
    engine.delete_index("t-absent")


def test_an_index_that_exists_is_not_created_again(index):
    with pytest.raises(EngineError, match="resource_already_exists_exception"):
        index.engine.create_index("t-engine", {})


def test_a_query_that_is_none_is_refused_with_its_reason(index):
    with pytest.raises(
        EngineError, match=r"unknown field \[nonsense\]|unknown query \[nonsense\]"
    ) as caught:
        index.engine.search("t-engine", {"query": {"nonsense": {}}})
    assert caught.value.status == 400


def test_the_innermost_cause_of_a_failed_script_is_named(index):
    index.engine.bulk("t-engine", serialise("s", {"price": 1}))
    index.engine.refresh("t-engine")
    script = {"source": "1 / (int) params.none", "params": {"none": 0}}
    query = {"script_score": {"query": {"match_all": {}}, "script": script}}
    with pytest.raises(EngineError, match="arithmetic_exception: / by zero"):
        index.engine.search("t-engine", {"query": query})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": "cheap"}, "cheap"),
        ({"v": [1.0, 2.0, 3.0]}, "[Dd]imension"),
        ({"v": [0.0, 0.0]}, "zero vector"),
        ({"v": [1.0, "x"]}, "x"),
    ],
)
def test_one_bad_document_fails_alone_and_for_good(index, fields, reason):
    body = serialise("good", {"price": 1}) + serialise("bad", fields) + serialise("too", {})
    good, bad, too = index.engine.bulk("t-engine", body)
    assert (good.reason, too.reason) == (None, None)
    assert (bad.id, bad.status, bad.retryable) == ("bad", 400, False)
    assert re.search(reason, bad.reason)


def test_a_body_that_is_no_bulk_request_is_refused_whole(index):
    with pytest.raises(EngineError, match=r"json_parse_exception|illegal_argument_exception"):
        index.engine.bulk("t-engine", b"nonsense\n")


def test_the_index_behind_an_alias_is_found(index, send):
    send("PUT", "/t-engine/_alias/t-engine-alias")
    aliased = Index(index.spec.model_copy(update={"index": "t-engine-alias"}), index.engine)
    assert aliased.concrete_name() == "t-engine"
    assert aliased.create() is False
