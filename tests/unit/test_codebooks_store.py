"""Codebooks kept in an engine, here the one in memory; and whether one is that of a spec."""

from __future__ import annotations

import base64

import numpy as np
import orjson
import pytest

from kokeshi.codebooks import (
    INDEX,
    build_document,
    build_store,
    check_codebook,
    find_codebook,
    save_codebook,
)
from kokeshi.codes.cells import Cells
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.engines import BulkItem, calls
from kokeshi.engines.memory import MemoryEngine
from kokeshi.errors import CodebookError, EngineError
from kokeshi.schema import parse_spec

SPEC = """
index: shop
vectors:
  v:
    encoder: x
    dimension: 6
    space: dot
    codes: {{subvectors: 2, loss: plain{codes}}}
"""


def make(seed: int = 1, *, cells: int = 0, encoder: str = "model") -> Codebook:
    rng = np.random.default_rng(seed)
    words = rng.normal(size=(2, 16, 3)).astype(np.float32)
    centroids = rng.normal(size=(cells, 6)).astype(np.float32)
    return Codebook(
        ProductQuantizer(2, 16).restore(words, 6),
        Cells(cells).restore(centroids) if cells else None,
        False,
        "dot",
        encoder,
        {"rows": 50},
    )


BOOK = make()


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


def put(engine: MemoryEngine, id_: str, document: dict) -> None:
    if engine.get_mapping(INDEX) is None:
        engine.create_index(INDEX, build_store())
    lines = [orjson.dumps({"index": {"_id": id_}}), orjson.dumps(document), b""]
    assert engine.bulk(INDEX, b"\n".join(lines))[0].reason is None


def test_a_codebook_that_was_saved_is_found(engine):
    assert engine.run(save_codebook(BOOK, "shop", "v")) is True
    found = engine.run(find_codebook(BOOK.digest))
    assert (found.digest, found.trained) == (BOOK.digest, {"rows": 50})


def test_a_codebook_is_saved_once(engine):
    assert engine.run(save_codebook(BOOK, "shop", "v")) is True
    assert engine.run(save_codebook(BOOK, "other", "w")) is False
    assert engine.count(INDEX) == 1


def test_codebooks_stand_beside_each_other(engine):
    books = [make(seed) for seed in range(3)]
    for book in books:
        engine.run(save_codebook(book, "shop", "v"))
    assert [engine.run(find_codebook(b.digest)).digest for b in books] == [b.digest for b in books]


def test_the_document_says_what_it_is():
    document = build_document(BOOK, "shop", "v")
    assert (document["digest"], document["encoder"]) == (BOOK.digest, "model")
    assert (document["index"], document["vector"]) == ("shop", "v")
    assert document["parameters"] == BOOK.parameters
    assert base64.b64decode(document["file"]) == BOOK.to_bytes()
    assert document["size"] == len(BOOK.to_bytes())


def test_only_what_is_asked_for_is_indexed():
    mapping = build_store()["mappings"]
    assert mapping["dynamic"] is False
    assert {"file", "parameters", "trained"}.isdisjoint(mapping["properties"])


@pytest.mark.parametrize("others", [0, 1])
def test_a_codebook_that_is_not_there_says_how_to_save_it(engine, others):
    for seed in range(others):
        engine.run(save_codebook(make(seed), "shop", "v"))
    with pytest.raises(
        CodebookError, match=r"^codebook ab in the index 'kokeshi-codebooks': there is none; ingest"
    ):
        engine.run(find_codebook("ab"))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (build_document(make(2), "shop", "v"), "it is another, "),
        ({}, "the document has no codebook"),
        ({"file": 5}, "the document has no codebook"),
        ({"file": "?"}, "the document has no codebook"),
        ({"file": base64.b64encode(BOOK.to_bytes()[:-1]).decode()}, "cut short or altered"),
    ],
)
def test_a_document_that_is_not_the_codebook_is_refused(engine, document, message):
    put(engine, BOOK.digest, document)
    with pytest.raises(
        CodebookError, match=rf"^codebook {BOOK.digest} in .*{message}.*kokeshi codes"
    ):
        engine.run(find_codebook(BOOK.digest))


def test_somebody_else_may_create_the_index_meanwhile(engine):
    flow = save_codebook(BOOK, "shop", "v")
    call = next(flow)
    while call.operation != "create_index":
        call = flow.send(engine.perform(call))
    engine.run(save_codebook(make(2), "shop", "v"))
    bulk = flow.send(engine.perform(call))
    assert engine.perform(bulk)[0].reason is None
    assert engine.count(INDEX) == 2


def test_an_index_that_cannot_be_created_is_an_error():
    flow = save_codebook(BOOK, "shop", "v")
    next(flow)
    flow.send(None)
    create = flow.send(None)
    refused = {"error": {"type": "validation_exception", "reason": "too many shards"}}
    with pytest.raises(EngineError, match="kokeshi-codebooks': validation_exception: too many"):
        create.read(calls.Answer(400, refused))


def test_a_codebook_that_is_not_taken_is_an_error():
    flow = save_codebook(BOOK, "shop", "v")
    next(flow)
    flow.send(None)
    assert flow.send({}).operation == "bulk"
    with pytest.raises(EngineError, match=f"codebook {BOOK.digest}: disk is full"):
        flow.send([BulkItem(429, "disk is full")])


def check(codes: str = "", *, book: Codebook = BOOK, encoder: str = "model", **changes) -> None:
    vector = parse_spec(SPEC.format(codes=codes)).vectors["v"].model_copy(update=changes)
    check_codebook("v", vector, encoder, book)


@pytest.mark.parametrize(
    ("codes", "book"),
    [
        ("", BOOK),
        (", threshold: 0.5", BOOK),
        (", codebook: a.b", BOOK),
        (", cells: 3", make(cells=3)),
    ],
)
def test_a_codebook_of_the_spec_is_accepted(codes, book):
    check(codes, book=book)


@pytest.mark.parametrize(
    ("codes", "options", "message"),
    [
        (", codebook_size: 256", {}, "codes.codebook_size is 256 in the spec, 16 in the codebook"),
        (", rotation: opq", {}, 'codes.rotation is "opq" in the spec, "none" in the codebook'),
        (", cells: 4", {}, "codes.cells is 4 in the spec, 0 in the codebook"),
        ("", {"book": make(cells=4)}, "codes.cells is 0 in the spec, 4 in the codebook"),
        ("", {"encoder": "e"}, 'encoder is "e" in the spec, "model" in the codebook'),
        ("", {"dimension": 5}, "dimension is 5 in the spec, 6 in the codebook"),
        ("", {"space": "l2"}, 'space is "l2" in the spec, "dot" in the codebook'),
    ],
)
def test_a_codebook_of_another_spec_is_refused_with_both(codes, options, message):
    with pytest.raises(CodebookError, match=rf"^vectors\.v\.{message} \w{{12}};.*kokeshi codes"):
        check(codes, **options)


def test_a_vector_without_codes_needs_no_codebook():
    vector = parse_spec(SPEC.format(codes="")).vectors["v"].model_copy(update={"codes": None})
    with pytest.raises(
        CodebookError, match=r"vectors\.v: it has no codes; add the section 'codes'"
    ):
        check_codebook("v", vector, "model", BOOK)
