"""Codebooks kept in the engine: saved once, found by their digest, whole whatever their size."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from kokeshi.cli.codes import app
from kokeshi.codebooks import INDEX, find_codebook, save_codebook
from kokeshi.codes.cells import Cells
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.codes.rotation import PcaRotation
from kokeshi.engines import calls
from kokeshi.engines.http import AsyncHttpEngine
from kokeshi.engines.memory import AsyncMemoryEngine, MemoryEngine
from kokeshi.errors import CodebookError


def make(seed: int, subvectors: int = 2, length: int = 2, cells: int = 0) -> Codebook:
    rng = np.random.default_rng(seed)
    dimension = subvectors * length
    orthogonal, _ = np.linalg.qr(rng.normal(size=(dimension, dimension)))
    rotation = PcaRotation().restore(orthogonal.astype(np.float32))
    words = rng.normal(size=(subvectors, 256, length)).astype(np.float32)
    centroids = rng.normal(size=(cells, dimension)).astype(np.float32)
    return Codebook(
        ProductQuantizer(subvectors, 256, rotation).restore(words, dimension),
        Cells(cells).restore(centroids) if cells else None,
        bool(cells),
        "cosine",
        "encoder ä",
        {"rows": 5, "source": "ß.jsonl", "quality": {"recall1_at_10": 0.5}},
    )


@pytest.fixture(autouse=True)
def _no_store(engine):
    engine.delete_index(INDEX)
    yield
    engine.delete_index(INDEX)


def test_a_codebook_is_found_at_once_by_its_digest(engine):
    books = [make(seed) for seed in range(3)]
    assert [engine.run(save_codebook(book, "shop", "v")) for book in books] == [True] * 3
    assert engine.run(save_codebook(books[1], "shop", "v")) is False
    for book in books:
        found = engine.run(find_codebook(book.digest))
        assert (found.digest, found.trained) == (book.digest, book.trained)
        assert found.to_bytes() == book.to_bytes()


def test_a_large_codebook_comes_back_whole(engine):
    """768 dimensions with a rotation and 512 cells: 4.7 MB."""
    book = make(9, subvectors=96, length=8, cells=512)
    assert len(book.to_bytes()) > 4_500_000
    engine.run(save_codebook(book, "shop", "v"))
    found = engine.run(find_codebook(book.digest))
    assert found.to_bytes() == book.to_bytes()


def test_a_codebook_that_is_not_there_is_refused(engine):
    digest = make(1).digest
    for _ in range(2):
        with pytest.raises(CodebookError, match=f"codebook {digest} in .*: there is none; ingest"):
            engine.run(find_codebook(digest))
        engine.run(save_codebook(make(2), "shop", "v"))


def test_the_store_can_be_looked_through(engine):
    engine.run(save_codebook(make(1), "shop", "v"))
    engine.refresh(INDEX)
    properties = next(iter(engine.get_mapping(INDEX).values()))["properties"]
    assert {name: field["type"] for name, field in properties.items()} == {
        "digest": "keyword",
        "index": "keyword",
        "vector": "keyword",
        "encoder": "keyword",
        "created": "date",
        "size": "long",
    }
    assert engine.count(INDEX) == 1


def test_the_index_is_created_once(engine):
    """By two at once, of whom the second finds it there when it creates it."""
    flow = save_codebook(make(1), "shop", "v")
    call = next(flow)
    while call.operation != "create_index":
        call = flow.send(engine.perform(call))
    engine.run(save_codebook(make(2), "shop", "v"))
    bulk = flow.send(engine.perform(call))
    assert [item.reason for item in engine.perform(bulk)] == [None]


def test_a_document_is_read_by_its_id(engine):
    assert engine.perform(calls.get_document(INDEX, "a")) is None
    engine.run(save_codebook(make(1), "shop", "v"))
    assert engine.perform(calls.get_document(INDEX, "a")) is None
    engine.bulk(INDEX, b'{"index": {"_id": "a/\xc3\xa4 ?b"}}\n{"size": 5}\n')
    assert engine.perform(calls.get_document(INDEX, "a/ä ?b")) == {"size": 5}


def test_codebooks_are_kept_from_asyncio_too(engine):
    book = make(4)

    async def keep_and_find() -> Codebook:
        memory = isinstance(engine, MemoryEngine)
        opened = AsyncMemoryEngine(engine) if memory else AsyncHttpEngine(engine.connection)
        async with opened as client:
            assert await client.run(save_codebook(book, "shop", "v"))
            return await client.run(find_codebook(book.digest))

    assert asyncio.run(keep_and_find()).digest == book.digest


def test_a_digest_is_inspected(engine, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no spec is
    book = make(5)
    engine.run(save_codebook(book, "shop", "v"))
    address = ("--url", server.connection.urls[0], "--json")
    ran = CliRunner().invoke(app, ["inspect", book.digest, *address], catch_exceptions=False)
    assert json.loads(ran.stdout)["digest"] == book.digest
    ran = CliRunner().invoke(app, ["inspect", "0" * 64, *address])
    assert isinstance(ran.exception, CodebookError)
