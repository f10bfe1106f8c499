"""An index with codes in memory: what ingest writes, and what a codebook that does not fit is told."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from kokeshi import Index
from kokeshi.codes import normalise
from kokeshi.codes.cells import Cells as CoarseCells
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.encoders import load_encoder
from kokeshi.engines.memory import MemoryEngine
from kokeshi.errors import CodebookError, EngineError, SpecError
from kokeshi.ingest.documents import code_columns, serialise
from kokeshi.schema import SearchPlan, parse_spec
from kokeshi.schema.plan import Scan
from tests.conformance.conftest import write_documents

TEXT = """
index: coded
vectors:
  v: {{encoder: {{name: precomputed, column: w}}, dimension: 4,
       codes: {{codebook: "{path}", subvectors: 2, loss: plain, cells: 2}}}}
"""
DOCUMENTS = [
    {"id": "a", "w": [2.0, 0.0, 0.0, 0.0]},
    {"id": "b", "w": [0.0, 0.0, 3.0, 0.0], "v_codes": "none", "v_codebook": 5},
]
PLAN = SearchPlan(scan=Scan(k=1))


def make_codebook(seed: int, encoder: str) -> Codebook:
    rng = np.random.default_rng(seed)
    words = rng.normal(size=(2, 16, 2)).astype(np.float32)
    cells = CoarseCells(2).restore(np.eye(2, 4, dtype=np.float32))
    return Codebook(ProductQuantizer(2, 16).restore(words, 4), cells, False, "cosine", encoder)


@pytest.fixture
def index(tmp_path) -> Index:
    spec = parse_spec(TEXT.format(path=tmp_path / "book"))
    make_codebook(1, load_encoder(spec.vectors["v"]).name).save(tmp_path / "book")
    index = Index(spec, MemoryEngine())
    assert index.ingest(write_documents(tmp_path, DOCUMENTS)).indexed == 2
    return index


def test_codes_are_of_the_vector_as_it_is_indexed():
    codebook = make_codebook(1, "x")
    vectors = normalise(np.random.default_rng(2).normal(size=(5, 4)).astype(np.float32))
    columns = code_columns(codebook, "v", vectors)
    packed = [list(base64.b64decode(text)) for text in columns["v_codes"]]
    assert packed == codebook.encode(vectors).codes.tolist()
    assert columns["v_codebook"] == [codebook.digest] * 5
    assert columns["v_cell"] == codebook.encode(vectors).cells.tolist()


def test_what_a_document_says_of_its_codes_is_not_sent(index):
    result = index.search(vector=[1, 0, 0, 0], plan=PLAN, fields=("v_codebook", "v_cell"))
    digests = {hit.id: hit.source["v_codebook"] for hit in result.hits}
    expected = make_codebook(1, load_encoder(index.spec.vectors["v"]).name).digest
    assert digests == dict.fromkeys("ab", expected)


def test_the_index_remembers_the_codebook(index):
    meta = index.build_body()["mappings"]["_meta"]["kokeshi"]["vectors"]["v"]
    assert meta["codebook"] == make_codebook(1, load_encoder(index.spec.vectors["v"]).name).digest


def test_a_codebook_of_another_encoder_is_refused(index, tmp_path):
    make_codebook(1, "another").save(tmp_path / "book")
    with pytest.raises(
        CodebookError, match=r"v.encoder is .* in the spec, \"another\" in the code"
    ):
        Index(index.spec, index.engine).search(vector=[1, 0, 0, 0], plan=PLAN)


def test_new_codes_need_a_new_index(index, tmp_path):
    make_codebook(2, load_encoder(index.spec.vectors["v"]).name).save(tmp_path / "book")
    other = Index(index.spec, index.engine)
    path = write_documents(tmp_path, DOCUMENTS)
    with pytest.raises(SpecError, match=r"vectors.v.codebook is .*--recreate"):
        other.ingest(path)
    assert other.ingest(path, recreate=True).indexed == 2
    assert len(other.search(vector=[1, 0, 0, 0], plan=PLAN).hits) == 2


def test_a_codebook_that_others_changed_is_noticed(index, tmp_path):
    asked = {"vector": [1, 0, 0, 0], "plan": PLAN}
    assert index.search(**asked).hits
    make_codebook(2, load_encoder(index.spec.vectors["v"]).name).save(tmp_path / "book")
    other = Index(index.spec, index.engine)
    other.ingest(write_documents(tmp_path, DOCUMENTS), recreate=True)
    assert index.search(**asked).hits == other.search(**asked).hits


def test_searches_without_codes_need_no_codebook(index, tmp_path):
    (tmp_path / "book").write_bytes(b"cut short")
    other = Index(index.spec, index.engine)
    assert other.search(vector=[1, 0, 0, 0], plan="exact").ids[0] == "a"
    with pytest.raises(CodebookError, match="book"):
        other.search(vector=[1, 0, 0, 0], plan=PLAN)


@pytest.mark.parametrize("value", ["%%%", 5])
def test_codes_that_are_no_base64_are_refused(index, value):
    (item,) = index.engine.bulk("coded", serialise("d", {"id": "d", "v_codes": value}))
    assert "v_codes" in item.reason


def test_a_table_of_another_length_is_refused(index):
    codebook = make_codebook(1, load_encoder(index.spec.vectors["v"]).name)
    fields = {"id": "d", "v_codes": "AAAA", "v_codebook": codebook.digest, "v_cell": 0}
    index.engine.bulk("coded", serialise("d", fields))
    with pytest.raises(EngineError, match="a table of 2 subvectors does not fit the codes"):
        index.search(vector=[1, 0, 0, 0], plan=PLAN)
