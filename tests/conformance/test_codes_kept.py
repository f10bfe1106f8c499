"""Codes survive what a cluster's life brings, as vectors do: a scan finds by them what it found before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kokeshi import Index
from kokeshi.codes.cells import Cells
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.schema import SearchPlan
from tests.conformance.test_vectors_kept import (
    COUNT,
    EVENTS,
    leaves_vectors_out,  # noqa: F401 (a fixture)
    scroll,
    vectors,  # noqa: F401 (a fixture)
)

SPEC = """
index: conformance-codes-kept
metadata: {{price: float}}
vectors:
  embedding:
    encoder: {{name: precomputed, column: vector}}
    dimension: 32
    codes: {{codebook: "{path}", subvectors: 8, codebook_size: 16, loss: plain, cells: 4}}
"""
SCAN = SearchPlan.model_validate({"scan": {"k": 50, "exact_below": 0}})
FIELDS = ("embedding_codes", "embedding_codebook", "embedding_cell")


def make_codebook() -> Codebook:
    """Random codewords: what codes stand for does not matter here."""
    rng = np.random.default_rng(5)
    words = rng.normal(size=(8, 16, 4)).astype(np.float32)
    cells = Cells(4).restore(rng.normal(size=(4, 32)).astype(np.float32))
    return Codebook(
        ProductQuantizer(8, 16).restore(words, 32), cells, False, "cosine", "precomputed"
    )


@pytest.fixture(scope="module")
def index(server, fill_index, vectors, tmp_path_factory: pytest.TempPathFactory) -> Index:  # noqa: F811
    path: Path = tmp_path_factory.mktemp("codebook") / "book"
    make_codebook().save(path)
    rows = [{"id": f"p{i}", "price": i, "vector": v.tolist()} for i, v in enumerate(vectors)]
    return fill_index(SPEC.format(path=path), rows)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_code_is_kept(send, index, vectors, leaves_vectors_out, event):  # noqa: F811
    encoded = make_codebook().encode(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    queries = vectors[:3]
    before = [index.search(vector=query, plan=SCAN, size=50) for query in queries]
    name = event(send, index)
    try:
        index.engine.refresh(name)
        hits = {hit["_id"]: hit["_source"] for hit in scroll(send, name, leaves_vectors_out)}
        kept = [tuple(hits[f"p{i}"][field] for field in FIELDS) for i in range(COUNT)]
        digests = [make_codebook().digest] * COUNT
        assert kept == list(zip(encoded.texts, digests, encoded.cells.tolist(), strict=True))
        moved = Index(index.spec.model_copy(update={"index": name}), index.engine)
        for query, expected in zip(queries, before, strict=True):
            found = moved.search(vector=query, plan=SCAN, size=50)
            assert [hit.score for hit in found.hits] == [hit.score for hit in expected.hits]
    finally:
        if name != index.spec.index:
            index.engine.delete_index(name)
