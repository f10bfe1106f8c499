from __future__ import annotations

from base64 import b64decode

import numpy as np
import orjson
import pytest

from kokeshi.encoders import Record
from kokeshi.errors import InputError
from kokeshi.ingest.actions import Failure
from kokeshi.ingest.documents import (
    document_id,
    serialise,
    serialise_column,
    typed_fields,
    vector_columns,
)
from kokeshi.ingest.failures import FailureLog, failures_path
from kokeshi.schema import VectorSpec, parse_spec

SPEC = parse_spec("""
index: a
id: sku
metadata: {price: float, stock: integer, sale: boolean, brand: keyword, released: date}
""")


def record(**fields) -> Record:
    return Record(0, 1, fields)


@pytest.mark.parametrize(
    ("value", "id_"), [("a b", "a b"), (7, "7"), (0, "0"), ("é" * 256, "é" * 256)]
)
def test_an_id_is_a_text_or_an_integer(value, id_):
    assert document_id(record(sku=value), SPEC) == id_


@pytest.mark.parametrize("value", [None, "", True, 1.5, ["a"], {"a": 1}])
def test_nothing_else_is_an_id(value):
    with pytest.raises(
        InputError, match=r"field 'sku' \(the id\) must be a text or an integer, found"
    ):
        document_id(record(sku=value), SPEC)


def test_a_document_needs_its_id():
    with pytest.raises(InputError, match=r"field 'sku' \(the id\) .* found None"):
        document_id(record(id="1"), SPEC)


def test_an_id_has_the_length_that_engines_take():
    with pytest.raises(InputError, match="is longer than 512 bytes"):
        document_id(record(sku="é" * 257), SPEC)


@pytest.mark.parametrize(
    ("field", "value", "typed"),
    [
        ("price", "12.5", 12.5),
        ("price", 3, 3.0),
        ("price", " 1e2 ", 100.0),
        ("price", ["1", 2.5], [1.0, 2.5]),
        ("price", None, None),
        ("stock", "3", 3),
        ("stock", 3.0, 3),
        ("stock", -(2**63), -(2**63)),
        ("sale", "True", True),
        ("sale", False, False),
        ("sale", ["false", True], [False, True]),
        ("brand", 5, 5),
        ("released", "2024-01-31", "2024-01-31"),
        ("colour", "3", "3"),
    ],
)
def test_a_text_becomes_its_metadatas_type(field, value, typed):
    found = typed_fields(record(**{field: value}), SPEC)[field]
    assert (found, type(found)) == (typed, type(typed))


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("price", "cheap", "float"),
        ("price", "nan", "float"),
        ("price", "1e999", "float"),
        ("price", True, "float"),
        ("price", {"eur": 1}, "float"),
        ("price", "1,5", "float"),
        ("price", ["1", "x"], "float"),
        ("stock", "1.5", "integer"),
        ("stock", 1.5, "integer"),
        ("stock", 2**63, "integer"),
        ("stock", 1e300, "integer"),
        ("stock", False, "integer"),
        ("sale", "yes", "boolean"),
        ("sale", 1, "boolean"),
        ("sale", 0.0, "boolean"),
        ("sale", {}, "boolean"),
    ],
)
def test_a_value_of_another_type_is_named(field, value, kind):
    with pytest.raises(InputError, match=f"field '{field}' must be {kind}, found"):
        typed_fields(record(**{field: value}), SPEC)


def test_the_record_is_left_as_it_is():
    original = record(price="1")
    typed_fields(original, SPEC)
    assert original.fields == {"price": "1"}


def test_vectors_and_prefixes_are_columns():
    spec = VectorSpec(encoder="x", dimension=4, prefixes=(2,))
    columns = vector_columns(spec, "v", np.array([[3, 4, 0, 12]], np.float32))
    np.testing.assert_allclose(columns["v"], [[3 / 13, 4 / 13, 0, 12 / 13]], rtol=1e-6)
    np.testing.assert_allclose(columns["v_2"], [[0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize("id_", ["1", 'a"b\n', "日本"])
def test_an_action_is_two_lines(id_):
    body = serialise(id_, {"title": "a\nb", "v": np.array([0.5, 1], np.float32)})
    action, document = body.splitlines()
    assert orjson.loads(action) == {"index": {"_id": id_}}
    assert orjson.loads(document) == {"title": "a\nb", "v": [0.5, 1.0]}
    assert body.endswith(b"\n")


def test_a_slice_of_a_row_is_serialised():
    vectors = np.arange(8, dtype=np.float32).reshape(2, 4)
    assert orjson.loads(serialise("1", {"v": vectors[:, :2][1]}).splitlines()[1]) == {"v": [4, 5]}


def read_column(members):
    return [orjson.loads(b"{%b}" % member) for member in members]


@pytest.mark.parametrize("numbers", ["<f4", ">f4"])
def test_base64_is_of_the_numbers_that_the_engine_takes(numbers):
    vectors = np.arange(8, dtype=np.float32).reshape(2, 4)[:, :2]
    found = read_column(serialise_column('v"', vectors, numbers))
    texts = [one['v"'] for one in found]
    assert [np.frombuffer(b64decode(text), numbers).tolist() for text in texts] == [[0, 1], [4, 5]]


def test_a_column_without_numbers_is_not_base64():
    assert read_column(serialise_column("v", ["a", None], ">f4")) == [{"v": "a"}, {"v": None}]


def test_a_column_of_slices_is_serialised():
    vectors = np.arange(8, dtype=np.float32).reshape(2, 4)[:, :2]
    assert read_column(serialise_column("v", vectors)) == [{"v": [0, 1]}, {"v": [4, 5]}]


@pytest.mark.parametrize("fields", [{}, {"title": "a}\nb"}])
def test_columns_are_members_of_the_document(fields):
    body = serialise("1", fields, [b'"v":[1.0]', b'"w":"x"'])
    action, document = body.splitlines()
    assert orjson.loads(action) == {"index": {"_id": "1"}}
    assert orjson.loads(document) == {**fields, "v": [1.0], "w": "x"}
    assert body.endswith(b"}\n")


def test_no_failures_leave_no_file(tmp_path):
    with FailureLog(tmp_path / "f.jsonl") as log:
        assert (log.count, log.first) == (0, None)
    assert not (tmp_path / "f.jsonl").exists()


def test_failures_of_the_last_run_are_replaced(tmp_path):
    (tmp_path / "f.jsonl").write_text("old")
    with FailureLog(tmp_path / "f.jsonl"):
        pass
    assert not (tmp_path / "f.jsonl").exists()


def test_a_failure_is_a_line_with_its_reason(tmp_path):
    with FailureLog(tmp_path / "f.jsonl") as log:
        log.write(Failure(3, "why", {"a": 1}, "x", 2))
        log.write(Failure(4, "too", "{broken"))
        assert (log.count, log.first) == (2, "line 3: why")
    lines = [orjson.loads(line) for line in (tmp_path / "f.jsonl").read_bytes().splitlines()]
    assert lines == [
        {"line": 3, "row": 2, "id": "x", "reason": "why", "document": {"a": 1}},
        {"line": 4, "row": None, "id": None, "reason": "too", "document": "{broken"},
    ]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("-", "stdin.failures.jsonl"),
        ("a/b.csv", "b.failures.jsonl"),
        ("b.v2.jsonl.gz", "b.v2.failures.jsonl"),
    ],
)
def test_failures_are_kept_by_the_name_of_the_source(source, name):
    assert str(failures_path(source)) == name
