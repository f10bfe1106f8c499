"""What an engine refuses, as Kokeshi's own errors."""

from __future__ import annotations

import re

import orjson
import pytest

from kokeshi import Index
from kokeshi.engines import calls
from kokeshi.errors import EngineError
from kokeshi.ingest.documents import serialise

SPEC = """
index: conformance-engine
metadata: {price: float, stock: integer, sale: boolean, released: date, box.colour: keyword}
text: [title]
vectors: {v: {encoder: {name: precomputed, column: w}, dimension: 2}}
"""
NAME = "conformance-engine"


@pytest.fixture(scope="module")
def index(open_index) -> Index:
    return open_index(SPEC)


@pytest.mark.parametrize(
    "use",
    [
        lambda engine: engine.search("conformance-absent", {}),
        lambda engine: engine.count("conformance-absent"),
        lambda engine: engine.refresh("conformance-absent"),
    ],
    ids=["search", "count", "refresh"],
)
def test_a_missing_index_says_how_to_create_it(engine, use):
    with pytest.raises(
        EngineError,
        match=r"no such index \[conformance-absent\]; create it with: kokeshi ingest",
    ) as caught:
        use(engine)
    assert caught.value.status == 404


def test_a_missing_index_fails_each_of_several_searches(engine):
    answers = engine.msearch("conformance-absent", [{}, {}])
    assert [(a["status"], a["error"]["type"]) for a in answers] == [
        (404, "index_not_found_exception")
    ] * 2


def test_a_missing_index_has_no_mapping(engine):
    assert engine.get_mapping("conformance-absent") is None


def test_a_missing_index_is_deleted_without_an_error(engine):
    engine.delete_index("conformance-absent")


def test_an_index_that_exists_is_not_created_again(index):
    with pytest.raises(EngineError, match="resource_already_exists_exception") as caught:
        index.engine.create_index(NAME, {})
    assert caught.value.status == 400


def test_a_field_of_an_unknown_type_is_refused(engine):
    body = {"mappings": {"properties": {"a": {"type": "nonsense"}}}}
    with pytest.raises(EngineError, match=r"\[nonsense\]"):
        engine.create_index("conformance-nonsense", body)
    assert engine.get_mapping("conformance-nonsense") is None


def test_a_query_that_is_none_is_refused_with_its_reason(index):
    with pytest.raises(
        EngineError, match=r"unknown field \[nonsense\]|unknown query \[nonsense\]"
    ) as caught:
        index.engine.search(NAME, {"query": {"nonsense": {}}})
    assert caught.value.status == 400


def test_of_several_searches_one_that_fails_does_so_alone(index):
    good, bad = index.engine.msearch(NAME, [{"size": 0}, {"size": 10_001}])
    assert good["_shards"]["failed"] == 0
    assert (bad["status"], "error" in bad) == (400, True)


def test_the_innermost_cause_of_a_failed_script_is_named(server, index):
    index.engine.bulk(NAME, serialise("s", {"price": 1}))
    index.engine.refresh(NAME)
    script = {"source": "1 / (int) params.none", "params": {"none": 0}}
    query = {"script_score": {"query": {"match_all": {}}, "script": script}}
    with pytest.raises(EngineError, match="arithmetic_exception: / by zero"):
        index.engine.search(NAME, {"query": query})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": "cheap"}, "cheap"),
        ({"price": [1, None, "x"]}, "x"),
        ({"price": True}, "[Tt]rue|TRUE"),
        ({"price": {"eur": 1}}, "number|numeric"),
        ({"price": "NaN"}, "finite|number"),
        ({"stock": 2**63}, "range"),
        ({"sale": "yes"}, "yes"),
        ({"sale": 1}, "boolean|neither"),
        ({"released": "2024-13-01"}, "2024-13-01|month"),
        ({"released": 1}, "'1'|1 is"),
        ({"title": {"de": "Schuh"}}, "object|OBJECT"),
        ({"box": 3}, "as object"),
        ({"box.colour": "x" * 40_000}, "immense|bytes"),
        ({"v": [1.0, 2.0, 3.0]}, "[Dd]imension"),
        ({"v": [0.0, 0.0]}, "zero"),
        ({"v": [1.0, "x"]}, "x"),
    ],
)
def test_one_bad_document_fails_alone_and_for_good(index, fields, reason):
    body = serialise("good", {"price": 1}) + serialise("bad", fields) + serialise("too", {})
    good, bad, too = index.engine.bulk(NAME, body)
    assert (good.reason, too.reason) == (None, None)
    assert (bad.status, bad.retryable) == (400, False)
    assert re.search(reason, bad.reason)
    if "v" not in fields:  # of a vector Elasticsearch names the position alone
        assert re.search(rf"\b{next(iter(fields))}\b", bad.reason)


@pytest.mark.parametrize(
    "fields",
    [
        {"price": "1.5", "stock": "2", "sale": "true", "released": "2024-01"},
        {"price": "", "stock": None, "sale": "", "title": None},
        {"price": [1, None, 2.5], "title": ["a", None, "b"], "box": [{"colour": "red"}, {}]},
        {"box.colour": 1.5, "title": True, "unknown": {"deep": [1, "x"]}},
    ],
)
def test_a_document_that_can_be_read_is_taken(index, fields):
    (item,) = index.engine.bulk(NAME, serialise("read", fields))
    assert item.reason is None


def test_deleting_is_answered_document_by_document(index):
    index.engine.bulk(NAME, serialise("here", {}))
    lines = b'{"delete": {"_id": "here"}}\n{"delete": {"_id": "never"}}\n'
    assert [item.status for item in index.engine.bulk(NAME, lines)] == [200, 404]


@pytest.mark.parametrize("body", [b"nonsense\n", b'{"paint": {"_id": "1"}}\n{}\n'])
def test_a_body_that_is_no_bulk_request_is_refused_whole(index, body):
    pattern = r"json_parse_exception|illegal_argument_exception"
    with pytest.raises(EngineError, match=pattern) as caught:
        index.engine.bulk(NAME, body)
    assert caught.value.status == 400


def test_versions_and_updates_are_answered_document_by_document(index):
    newer = {"_id": "versioned", "version": 7, "version_type": "external_gte"}
    older = newer | {"version": 6}
    here, none = ({"_id": id_} for id_ in ("versioned", "never"))
    lines = [
        ({"index": newer}, {"price": 1, "box": {"colour": "red"}}),
        ({"index": older}, {"price": 2}),
        ({"delete": older},),
        ({"update": here}, {"doc": {"box": {"size": 3}}}),
        ({"update": none}, {"doc": {"price": 3}}),
        ({"index": here | {"if_seq_no": 10**6, "if_primary_term": 1}}, {"price": 4}),
        ({"delete": newer | {"version": 9}},),
        ({"delete": newer | {"version": 9}},),
        ({"index": newer | {"version": 8}}, {"price": 5}),
    ]
    body = b"".join(orjson.dumps(one) + b"\n" for line in lines for one in line)
    items = index.engine.bulk(NAME, body)
    assert [item.status for item in items] == [201, 409, 409, 200, 404, 409, 200, 404, 409]
    assert "document_missing_exception" in items[4].reason
    assert all("version_conflict" in items[at].reason for at in (1, 2, 5, 8))
    found = calls.get_documents(NAME, ["versioned", "never"], ask_for_vectors=False)
    assert [one.source for one in index.engine.perform(found)] == [None, None]


def test_a_partial_update_cannot_have_a_version(index):
    body = b'{"update":{"_id":"s","version":3,"version_type":"external_gte"}}\n{"doc":{}}\n'
    with pytest.raises(EngineError, match="Update requests do not support versioning") as caught:
        index.engine.bulk(NAME, body)
    assert caught.value.status == 400
