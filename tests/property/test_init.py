from __future__ import annotations

import tempfile
from pathlib import Path

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from kokeshi.errors import InputError
from kokeshi.ingest import BadLine, Source
from kokeshi.ingest.documents import document_id, typed_fields
from kokeshi.init import guess_fields, write_spec
from kokeshi.schema import IndexSpec, parse_spec

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = TEXT | st.sampled_from(
    [
        "id",
        "sku",
        "_id",
        "title",
        "name",
        "brand",
        "no",
        "~",
        "embedding",
        "embedding_64",
        "a",
        "a.b",
        "a b",
        "vector",
        "vector_64",
        "brand.text",
        "{x}",
        "x: y",
        "größe",
        "#",
        "-",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
    st.sampled_from(["12.5", "007", "true", "2024-01-31", "1.2.3", "ten words of text", "1e5"]),
    st.integers().map(str),
    st.floats().map(str),
)
VECTORS = st.lists(st.floats(-1, 1, width=32), min_size=8, max_size=8)
VALUES = (
    SCALARS | VECTORS | st.lists(SCALARS, max_size=3) | st.dictionaries(NAMES, SCALARS, max_size=2)
)


@st.composite
def documents(draw):
    """Documents of the same fields; most fields keep to one kind of value."""
    kinds = draw(
        st.dictionaries(NAMES, st.sampled_from([SCALARS, TEXT, VECTORS, VALUES]), max_size=6)
    )
    count = draw(st.integers(1, 5))
    rows = [{name: draw(kind) for name, kind in kinds.items()} for _ in range(count)]
    key = draw(st.sampled_from(["id", "sku", "key", "größe-id"]))
    return [
        {key: f"p{row}", **{k: v for k, v in fields.items() if k != key}}
        for row, fields in enumerate(rows)
    ]


def guessed(rows: list, index: str) -> tuple[Source, IndexSpec, list]:
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        path = Path(file.name)
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        source = Source(path)
        guesses = guess_fields(source)
        text = write_spec(guesses, index, origin=next(iter(rows[0]), ""), documents=len(rows))
        return list(source), parse_spec(text), guesses


@given(documents())
@example([{"id": 1, "v": [0.5] * 8, "v_4": [0.5] * 8}])
@example([{"id": 1, "a": "x", "a.b": "y"}])
def test_the_spec_parses_and_names_only_fields_of_the_documents(rows):
    _, spec, guesses = guessed(rows, "random")
    names = {name for row in rows for name in row}
    read = {field for v in spec.vectors.values() if v.template for field in v.template.fields}
    columns = {v.encoder.options["column"] for v in spec.vectors.values() if v.encoder.options}
    assert {spec.id, *spec.text, *spec.metadata} | read | columns <= names
    assert [g.name for g in guesses] == list(dict.fromkeys(name for row in rows for name in row))
    assert set(spec.text) == {g.name for g in guesses if g.role == "text"}
    assert columns == {g.name for g in guesses if g.role == "vector"}
    assert spec.metadata == {
        g.name: g.type for g in guesses if g.role in ("text", "metadata") and g.type
    }
    for field, (vector, _) in spec.vector_fields().items():
        assert field not in names or field == spec.vectors[vector].encoder.options.get("column")


@given(documents())
def test_every_document_of_the_sample_fits_the_spec(rows):
    records, spec, guesses = guessed(rows, "random")
    assert len({document_id(record, spec) for record in records}) == len(rows)
    told = {guess.name for guess in guesses if "will be refused" in guess.reason}
    for record in records:
        fields = {name: value for name, value in record.fields.items() if name not in told}
        typed_fields(record._replace(fields=fields), spec)


@given(st.binary(max_size=200) | TEXT.map(str.encode))
def test_any_bytes_are_a_spec_or_an_input_error(data):
    for format_ in ("jsonl", "csv", "tsv"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "any"
            path.write_bytes(data)
            try:
                source = Source(path, format_)
                spec = parse_spec(write_spec(guess_fields(source), "any"))
                lines = [item for item in source if not isinstance(item, BadLine)]
            except InputError:
                continue
            assert all(spec.id in record.fields for record in lines)
