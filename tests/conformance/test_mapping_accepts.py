"""Each engine takes the mappings that are built, and searches what they promise."""

from __future__ import annotations

import orjson
import pytest

from kokeshi import Index
from kokeshi.errors import CapabilityError, EngineError, SpecError
from kokeshi.ingest.documents import serialise
from kokeshi.mapping import build_index
from kokeshi.schema import Match, SearchPlan, load_spec, parse_spec

SPEC = """
index: conformance-accepts
text:
  title:
    subfields:
      ngram: {analyzer: pieces, search_analyzer: pieces}
      raw: {type: keyword}
  brand: {boost: 2}
  details.material:
    subfields: {ngram: {analyzer: pieces}}
metadata: {brand: keyword, price: float, released: date, stock: integer, sale: boolean}
vectors:
  embedding:
    encoder: {name: precomputed, column: v}
    dimension: 2
analysis:
  tokenizer:
    pieces: {type: ngram, min_gram: 2, max_gram: 3, token_chars: [letter]}
  analyzer:
    pieces: {type: custom, tokenizer: pieces, filter: [lowercase]}
"""
DOCUMENTS = [
    {
        "id": "1",
        "title": "Waterproof jacket",
        "brand": "North Face",
        "details": {"material": "polyester"},
        "price": 99.5,
        "released": "2024-01-31",
        "stock": 3,
        "sale": True,
        "v": [1, 0],
        "unmapped": {"anything": ["goes"]},
    },
    {"id": "2", "title": "Summer dress", "brand": "Face", "price": "10", "v": [0, 1]},
]


@pytest.fixture(scope="module")
def index(fill_index) -> Index:
    return fill_index(SPEC, DOCUMENTS)


def match(*fields: str) -> SearchPlan:
    return SearchPlan(match=Match(fields=fields))


@pytest.mark.parametrize(
    ("text", "field", "ids"),
    [
        ("proof", "title", []),
        ("Waterproof jacket", "title.raw", ["1"]),
        ("jacket", "title.raw", []),
        ("polyester", "details.material", ["1"]),
        ("north", "brand", ["1"]),
    ],
)
def test_a_field_or_subfield_is_searched_by_its_own_analysis(index, text, field, ids):
    assert index.search(text, plan=match(field)).ids == ids


@pytest.mark.parametrize(
    ("text", "field"), [("proof", "title.ngram"), ("ester", "details.material.ngram")]
)
def test_a_custom_analysis_is_one_of_servers(index, engine, text, field):
    if engine.capabilities.dialect == "memory":
        with pytest.raises(CapabilityError, match=f"no analyzer pieces, which the field {field}"):
            index.search(text, plan=match(field))
    else:
        assert index.search(text, plan=match(field)).ids == ["1"]


def test_a_text_that_is_a_keyword_too_is_filtered_by_its_whole_value(index):
    assert index.search("dress jacket", plan="bm25", filter='brand = "Face"').ids == ["2"]


def test_all_text_fields_are_searched_by_default(index):
    assert index.search("north", plan="bm25").ids == ["1"]


@pytest.mark.parametrize(
    "expression", ["price > 50", "released = 2024-01-31", "stock = 3", "sale = true", "id = 1"]
)
def test_typed_metadata_is_filtered(index, expression):
    assert index.search(vector=[1, 0], plan="exact", filter=expression).ids == ["1"]


def test_an_unknown_field_is_kept_and_not_mapped(index):
    assert index.search("jacket", plan="bm25").hits[0].source["unmapped"] == {"anything": ["goes"]}
    (mapping,) = index.engine.get_mapping("conformance-accepts").values()
    assert "unmapped" not in mapping["properties"]


def test_the_same_spec_finds_its_index_again(index):
    assert index.create() is False
    assert index.count() == 2


def test_an_index_of_another_spec_is_not_taken_over(index):
    other = parse_spec(SPEC.replace("dimension: 2", "dimension: 3"))
    with pytest.raises(
        SpecError, match=r"vectors.embedding.dimension is 2 there, 3 here; .* --recreate"
    ):
        Index(other, index.engine).create()


def test_an_index_with_a_field_of_another_type_is_not_taken_over(index):
    other = parse_spec(SPEC.replace("price: float", "price: keyword"))
    with pytest.raises(SpecError, match='price, type is "double" there, "keyword" here'):
        Index(other, index.engine).create()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_gram: 3", "max_gram: 2", "other fields or analysis"),
        ("ngram: {analyzer: pieces}}", "grams: {analyzer: pieces}}", "other fields or analysis"),
        ("brand: {boost: 2}", "brand: {analyzer: english}", "other fields or analysis"),
    ],
)
def test_a_changed_analysis_is_no_longer_the_same_spec(index, old, new, said):
    assert old in SPEC
    with pytest.raises(SpecError, match=said):
        Index(parse_spec(SPEC.replace(old, new)), index.engine).create()


def test_a_boost_or_a_plan_is_no_matter_of_the_index(index):
    other = parse_spec(SPEC.replace("boost: 2", "boost: 5"))
    assert Index(other, index.engine).create() is False


def test_a_new_mapping_that_is_refused_leaves_the_old_index(server, index):
    other = parse_spec(SPEC.replace("  brand: {boost: 2}", "  brand: {analyzer: none-such}"))
    with pytest.raises(EngineError, match="none-such"):
        Index(other, index.engine).create(recreate=True)
    assert index.count() == 2


def test_an_index_of_other_vectors_is_not_searched(index):
    other = parse_spec(SPEC.replace("dimension: 2", "dimension: 3"))
    with pytest.raises(SpecError, match=r"vectors.embedding.dimension is 2 there, 3 here"):
        Index(other, index.engine).search(vector=[1, 0, 0], plan="exact")


def test_an_index_of_someone_else_is_not_taken_over(engine):
    engine.delete_index("conformance-foreign")
    engine.create_index("conformance-foreign", {})
    try:
        with pytest.raises(SpecError, match="was not made by Kokeshi"):
            Index(parse_spec("index: conformance-foreign"), engine).create()
        with pytest.raises(SpecError, match="was not made by Kokeshi"):
            Index(parse_spec("index: conformance-foreign"), engine).create(recreate=True)
        assert engine.get_mapping("conformance-foreign") is not None
    finally:
        engine.delete_index("conformance-foreign")


def test_the_example_is_accepted(server, engine, pytestconfig):
    folder = pytestconfig.rootpath / "mappings"
    body = orjson.loads((folder / engine.capabilities.dialect / "example.json").read_bytes())
    spec = load_spec(folder / "opensearch" / "example.yaml").model_copy(
        update={"index": "conformance-example"}
    )
    # settings of the newest version, of which an older one lacks some
    body["settings"] = build_index(spec, engine.capabilities)["settings"]
    engine.delete_index("conformance-example")
    try:
        engine.create_index("conformance-example", body)
        assert Index(spec, engine).create() is False
    finally:
        engine.delete_index("conformance-example")


def test_a_search_by_words_alone_loads_no_encoder(index):
    fresh = Index(index.spec, index.engine)
    assert fresh.search("north", plan=match("brand")).ids == ["1"]
    assert "encoders" not in vars(fresh)


def test_how_graphs_keep_vectors_is_named_where_it_changed(index):
    other = parse_spec(SPEC.replace("dimension: 2", "dimension: 2\n    quantization: none"))
    with pytest.raises(SpecError, match='embedding.quantization is "int8" there, "none" here'):
        Index(other, index.engine).create()


def test_vectors_that_others_stored_are_compared_by_their_angle(server):
    """They need not have length 1, as Kokeshi's own have."""
    spec = parse_spec("""
index: conformance-foreign
vectors: {v: {encoder: {name: precomputed, column: w}, dimension: 2}}
""")
    body = build_index(spec, server.capabilities)
    del body["mappings"]["_meta"]
    server.delete_index(spec.index)
    server.create_index(spec.index, body)
    try:
        stored = {"long": [9.0, 0.0], "near": [0.6, 0.8], "far": [-0.01, 0.0]}
        lines = b"".join(serialise(id_, {"v": vector}) for id_, vector in stored.items())
        assert {item.reason for item in server.bulk(spec.index, lines)} == {None}
        server.refresh(spec.index)
        found = Index(spec, server).search(vector=[5.0, 0.0], plan="exact")
        scores = {hit.id: hit.score for hit in found.hits}
        assert scores == pytest.approx({"long": 1.0, "near": 0.8, "far": 0.0}, abs=1e-6)
    finally:
        server.delete_index(spec.index)
