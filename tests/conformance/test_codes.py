"""Codes on each engine against NumPy: what `Codebook.scores` gives is what a scan gives."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
import pytest

from kokeshi import Index
from kokeshi.codebooks import find_codebook
from kokeshi.codes import SPACES, normalise
from kokeshi.codes.cells import Cells as CoarseCells
from kokeshi.codes.codebook import Codebook, Encoded
from kokeshi.codes.product import ProductQuantizer
from kokeshi.encoders import load_encoder
from kokeshi.engines.calls import Call
from kokeshi.engines.http import HttpEngine
from kokeshi.errors import CodebookError, SpecError
from kokeshi.ingest.documents import serialise
from kokeshi.schema import IndexSpec, Rescore, SearchPlan, parse_spec
from kokeshi.schema.plan import Cells, Scan
from kokeshi.types import Float32
from tests.conformance.conftest import write_documents

COUNT = 10_000
DIMENSION = 10
PARTS = 4
NLIST = 16
SPEC = """
index: conformance-codes-{space}
metadata: {{price: float, colour: keyword}}
vectors:
  small:
    encoder: {{name: precomputed, column: vector}}
    dimension: 10
    space: {space}
    codes: {{codebook: "{folder}/small", subvectors: 5, codebook_size: 16, loss: plain,
             cells: 16, residual: {residual}}}
  large:
    encoder: {{name: precomputed, column: vector}}
    dimension: 10
    space: {space}
    codes: {{codebook: "{folder}/large", subvectors: 4, codebook_size: 256, loss: plain, cells: 16}}
"""
CODES = ["small", "large"]


def make_codebook(spec: IndexSpec, name: str, seed: int) -> Codebook:
    """Random codewords: what codes stand for does not matter here, only how they are scored."""
    vector = spec.vectors[name]
    codes = vector.codes
    rng = np.random.default_rng(seed)
    length = -(-DIMENSION // codes.subvectors)
    words = rng.normal(size=(codes.subvectors, codes.codebook_size, length)).astype(np.float32)
    quantizer = ProductQuantizer(codes.subvectors, codes.codebook_size).restore(words, DIMENSION)
    centroids = rng.normal(size=(NLIST, DIMENSION)).astype(np.float32)
    cells = CoarseCells(NLIST).restore(centroids)
    return Codebook(quantizer, cells, codes.residual, vector.space, load_encoder(vector).name)


@dataclass
class Catalogue:
    """An index of several segments, and NumPy's account of it. deleted: ids."""

    index: Index
    vectors: Float32
    codebooks: dict[str, Codebook]
    encoded: dict[str, Encoded]
    deleted: set[str] = field(default_factory=set)

    @property
    def space(self) -> str:
        return self.index.spec.vectors["small"].space

    def scores(self, name: str, query: Float32) -> Float32:
        """The score of each document by its codes, (N,)."""
        unit = normalise(query[None])[0] if self.space == "cosine" else query
        codebook = self.codebooks[name]
        similarity = codebook.scores(codebook.query(unit), self.encoded[name])
        return np.maximum(SPACES[self.space].to_score(similarity.astype(np.float64)), 0)

    def exact(self, query: Float32) -> Float32:
        """The score of each document by its vector, (N,)."""
        space = SPACES[self.space]
        return space.to_score(space.similarity(query, self.vectors).astype(np.float64))

    def within(self, name: str, query: Float32, nprobe: int) -> list[int]:
        """The documents in the nearest cells."""
        unit = normalise(query[None])[0] if self.space == "cosine" else query
        ids = self.codebooks[name].nearest_cells(unit, nprobe)
        return np.flatnonzero(np.isin(self.encoded[name].cells, ids)).tolist()

    def live(self, rows: Sequence[int]) -> list[int]:
        return [row for row in rows if identify(row) not in self.deleted]

    def assert_best(self, hits, scores: Float32, rows: Sequence[int], size: int) -> None:
        """The hits are the best of these rows by these scores; which of equal ones come is open."""
        rows = self.live(rows)
        expected = {identify(row): scores[row] for row in rows}
        best = sorted(expected.values(), reverse=True)[:size]
        assert len({hit.id for hit in hits}) == len(hits) == len(best)
        found = [hit.score for hit in hits]
        np.testing.assert_allclose(found, best, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose([expected[h.id] for h in hits], found, rtol=1e-5, atol=1e-5)

    def assert_rescored(
        self, hits, name: str, query: Float32, rows: Sequence[int], k: int, size: int
    ) -> None:
        """The hits are the best by their vectors of the k best by their codes.

        Many documents share the score of a code: which of those at the edge are among the k is open.
        """
        codes, rows = self.scores(name, query), self.live(rows)
        edge = sorted(codes[rows])[-k]
        sure = [row for row in rows if codes[row] > edge + 1e-5]
        found = {hit.id for hit in hits}
        open_ = [row for row in rows if abs(codes[row] - edge) <= 1e-5 and identify(row) in found]
        assert len(sure) + len(open_) <= k
        self.assert_best(hits, self.exact(query), sure + open_, size)


def identify(row: int) -> str:
    return f"靴 {row} é"


def make_documents(vectors: Float32) -> list[dict]:
    return [
        {
            "id": identify(row),
            "vector": vector.tolist(),
            "price": float(row % 1_000),
            "colour": ["red", "bleu été", "藍色"][row % 3],
        }
        for row, vector in enumerate(vectors)
    ]


@pytest.fixture(scope="module", params=["cosine", "dot", "l2"])
def catalogue(request, open_index, tmp_path_factory) -> Catalogue:
    space = request.param
    folder = tmp_path_factory.mktemp("codes")
    text = SPEC.format(space=space, folder=folder, residual=str(space != "l2").lower())
    spec = parse_spec(text)
    codebooks = {name: make_codebook(spec, name, seed) for seed, name in enumerate(CODES)}
    for name, codebook in codebooks.items():
        codebook.save(folder / name)
    vectors = np.random.default_rng(5).normal(size=(COUNT, DIMENSION)).astype(np.float32)
    index = open_index(text)
    documents = make_documents(vectors)
    for number, part in enumerate(np.array_split(np.arange(COUNT), PARTS)):
        path = folder / f"{number}.jsonl"
        path.write_bytes(b"\n".join(orjson.dumps(documents[row]) for row in part))
        assert index.ingest(path).indexed == len(part)
    kept = normalise(vectors) if space == "cosine" else vectors
    encoded = {name: codebook.encode(kept) for name, codebook in codebooks.items()}
    return Catalogue(index, vectors, codebooks, encoded)


@pytest.fixture
def query() -> Float32:
    return np.random.default_rng(11).normal(size=DIMENSION).astype(np.float32)


def scan_plan(name: str, k: int | None = None, nprobe: int | None = None) -> SearchPlan:
    """A scan of all that a filter leaves, however little; rescored where k is given."""
    return SearchPlan(
        cells=Cells(vector=name, nprobe=nprobe, all_below=0) if nprobe else None,
        scan=Scan(vector=name, k=k or 1, exact_below=0),
        rescore=Rescore(vector=name) if k else None,
    )


def count_segments(index: Index) -> int:
    call = Call("raw", "GET", f"/{index.spec.index}/_segments", lambda answer: answer.body)
    (found,) = index.engine.perform(call)["indices"].values()
    return sum(len(copy["segments"]) for shard in found["shards"].values() for copy in shard)


@pytest.mark.parametrize("name", CODES)
def test_a_scan_scores_every_document_as_numpy_does(catalogue, query, name):
    if isinstance(catalogue.index.engine, HttpEngine):
        assert count_segments(catalogue.index) > 1
    result = catalogue.index.search(vector=query, plan=scan_plan(name), size=COUNT)
    assert len(result.hits) == COUNT
    catalogue.assert_best(result.hits, catalogue.scores(name, query), range(COUNT), COUNT)


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize(
    ("filter_", "keeps"),
    [
        ("price < 3", lambda row: row % 1_000 < 3),
        ('colour = "藍色"', lambda row: row % 3 == 2),
        ("price >= 500 and colour = red", lambda row: row % 1_000 >= 500 and row % 3 == 0),
    ],
)
def test_a_scan_is_of_what_the_filter_leaves(catalogue, query, name, filter_, keeps):
    rows = [row for row in range(COUNT) if keeps(row)]
    found = catalogue.index.search(vector=query, plan=scan_plan(name), filter=filter_, size=COUNT)
    catalogue.assert_best(found.hits, catalogue.scores(name, query), rows, COUNT)


@pytest.mark.parametrize("name", CODES)
def test_the_best_of_a_scan_are_compared_again_by_the_vector(catalogue, query, name):
    hits = catalogue.index.search(vector=query, plan=scan_plan(name, k=50), size=20).hits
    catalogue.assert_rescored(hits, name, query, range(COUNT), 50, 20)


@pytest.mark.parametrize("name", CODES)
def test_cells_leave_what_lies_in_the_nearest(catalogue, query, name):
    rows = catalogue.within(name, query, 3)
    assert 0 < len(rows) < COUNT
    plan = scan_plan(name, nprobe=3)
    hits = catalogue.index.search(vector=query, plan=plan, filter="price < 600", size=COUNT).hits
    kept = [row for row in rows if row % 1_000 < 600]
    catalogue.assert_best(hits, catalogue.scores(name, query), kept, COUNT)


@pytest.mark.parametrize("name", CODES)
def test_cells_are_compared_exactly_without_codes(catalogue, query, name):
    cells, rescore = Cells(vector=name, nprobe=2, all_below=0), Rescore(vector=name)
    hits = catalogue.index.search(
        vector=query, plan=SearchPlan(cells=cells, rescore=rescore), size=COUNT
    ).hits
    catalogue.assert_best(hits, catalogue.exact(query), catalogue.within(name, query, 2), COUNT)


def test_three_stages_in_one_request(catalogue, query):
    plan = scan_plan("large", k=60, nprobe=4)
    assert len(catalogue.index.build_search(vector=query, plan=plan).bodies) == 1
    hits = catalogue.index.search(vector=query, plan=plan, size=30).hits
    catalogue.assert_rescored(hits, "large", query, catalogue.within("large", query, 4), 60, 30)


def test_no_more_documents_than_are_rescored_are_compared_exactly(catalogue, query):
    plan = SearchPlan(scan=Scan(k=300), rescore=Rescore())
    (note,) = catalogue.index.build_search(vector=query, plan=plan, filter="price < 3").notes
    assert "compared exactly, as up to 300 are (scan.exact_below)" in note
    rows = [row for row in range(COUNT) if row % 1_000 < 3]
    hits = catalogue.index.search(vector=query, plan=plan, filter="price < 3", size=30).hits
    catalogue.assert_best(hits, catalogue.exact(query), rows, 30)


@pytest.mark.parametrize("plan", ["scan", "cells"])
def test_the_built_in_plans_search(catalogue, query, plan):
    hits = catalogue.index.search(vector=query, plan=plan, filter="price < 500", size=10).hits
    exact = dict(zip(map(identify, range(COUNT)), catalogue.exact(query), strict=True))
    assert [hit.score for hit in hits] == pytest.approx([exact[hit.id] for hit in hits], rel=1e-5)
    assert all(int(hit.id.split()[1]) % 1_000 < 500 for hit in hits)


def test_pages_of_a_scan_follow_each_other(catalogue, query):
    plan = scan_plan("large", k=100)
    search = catalogue.index.search
    whole = search(vector=query, plan=plan, size=40).ids
    pages = [search(vector=query, plan=plan, size=20, offset=at).ids for at in (0, 20)]
    assert [id_ for page in pages for id_ in page] == whole


def test_codes_do_not_come_back_with_the_hits(catalogue, query):
    hit = catalogue.index.search(vector=query, plan="scan", size=1).hits[0]
    assert set(hit.source) == {"id", "price", "colour"}


async def search_async(open_async, index, **options):
    async with open_async(index) as opened:
        return await opened.search(**options)


def test_a_scan_by_asyncio_finds_the_same(catalogue, query, open_async):
    options = {"vector": query, "plan": scan_plan("small", k=40), "size": 15}
    found = asyncio.run(search_async(open_async, catalogue.index, **options))
    assert found.hits == catalogue.index.search(**options).hits


def with_codebook(index: Index, path: Path) -> Index:
    """The same index by a spec whose codebook of `large` is another file."""
    vectors = dict(index.spec.vectors)
    codes = vectors["large"].codes.model_copy(update={"codebook": str(path)})
    vectors["large"] = vectors["large"].model_copy(update={"codes": codes})
    return Index(index.spec.model_copy(update={"vectors": vectors}), index.engine)


def test_without_its_file_a_codebook_comes_from_the_engine(catalogue, query, tmp_path):
    other = with_codebook(catalogue.index, tmp_path / "absent")
    plan = scan_plan("large", k=40)
    hits = catalogue.index.search(vector=query, plan=plan).hits
    assert other.search(vector=query, plan=plan).hits == hits
    digest = catalogue.codebooks["large"].digest
    assert catalogue.index.engine.run(find_codebook(digest)).digest == digest


def test_a_query_with_another_codebook_is_refused(catalogue, query, tmp_path):
    make_codebook(catalogue.index.spec, "large", 99).save(tmp_path / "other")
    other = with_codebook(catalogue.index, tmp_path / "other")
    ours, theirs = (catalogue.codebooks["large"].digest[:12], r"here is [0-9a-f]{12}")
    with pytest.raises(CodebookError, match=f"made by the codebook {ours}, {theirs}.*recreate"):
        other.search(vector=query, plan=scan_plan("large"))
    assert other.search(vector=query, plan="exact").hits
    with pytest.raises(SpecError, match=r"another spec: vectors.large.codebook is .*recreate"):
        other.ingest(write_documents(tmp_path, [{"id": "never"}]))


def test_codes_of_another_codebook_are_never_scored(catalogue, query):
    engine, name = catalogue.index.engine, catalogue.index.spec.index
    codes = base64.b64encode(bytes(4)).decode()
    fields = {"id": "other", "price": -1.0, "large_codes": codes, "large_codebook": "0" * 64}
    engine.bulk(name, serialise("other", fields))
    engine.refresh(name)
    try:
        found = catalogue.index.search(vector=query, plan=scan_plan("large"), filter="price < 0")
        assert found.ids == []
        assert catalogue.index.count("price < 0") == 1
    finally:
        engine.bulk(name, b'{"delete": {"_id": "other"}}\n')
        engine.refresh(name)


def test_more_cells_than_there_are_are_refused(catalogue, query):
    with pytest.raises(SpecError, match=r"nprobe of the plan is 17, but 'large' has 16 cells"):
        catalogue.index.search(vector=query, plan=scan_plan("large", nprobe=17))


@pytest.mark.parametrize("name", CODES)
def test_scores_stay_after_deletes_and_a_merge(catalogue, query, name):
    index = catalogue.index
    gone = {identify(row) for row in range(COUNT) if row % 7 == 3}
    actions = (orjson.dumps({"delete": {"_id": id_}}) + b"\n" for id_ in sorted(gone))
    index.engine.bulk(index.spec.index, b"".join(actions))
    index.engine.refresh(index.spec.index)
    catalogue.deleted |= gone
    scores = catalogue.scores(name, query)
    for merge in (False, True):
        if merge and isinstance(index.engine, HttpEngine):
            path = f"/{index.spec.index}/_forcemerge?max_num_segments=1"
            index.engine.perform(Call("raw", "POST", path, lambda _: None))
            index.engine.refresh(index.spec.index)
            assert count_segments(index) == 1
        hits = index.search(vector=query, plan=scan_plan(name), size=COUNT).hits
        assert len(hits) == COUNT - len(gone)
        catalogue.assert_best(hits, scores, range(COUNT), COUNT)


def test_an_index_without_codes_says_so(open_index, query, tmp_path):
    text = SPEC.format(space="dot", folder=tmp_path, residual="true").replace("-codes-", "-none-")
    spec = parse_spec(text)
    plain = {n: v.model_copy(update={"codes": None}) for n, v in spec.vectors.items()}
    bare = spec.model_copy(update={"vectors": plain})
    index = open_index("index: conformance-none-dot")
    index.engine.delete_index(bare.index)
    Index(bare, index.engine).create()
    make_codebook(spec, "large", 1).save(tmp_path / "large")
    with pytest.raises(CodebookError, match="'conformance-none-dot' has no codes of 'large'.*rec"):
        Index(spec, index.engine).search(vector=query, plan=scan_plan("large"))


def test_codes_need_a_codebook_before_anything_is_made(open_index, tmp_path):
    text = SPEC.format(space="dot", folder=tmp_path, residual="true").replace("-codes-", "-new-")
    index = Index(parse_spec(text), open_index("index: conformance-other").engine)
    with pytest.raises(CodebookError, match=r"small: there is no such codebook.*codes train FILE"):
        index.create()
    assert not index.exists()


def test_a_scan_lies_on_all_shards(open_index, tmp_path, query):
    text = SPEC.format(space="dot", folder=tmp_path, residual="true").replace("-codes-", "-shards-")
    spec = parse_spec(text + "shards: 3\n")
    codebook = make_codebook(spec, "large", 1)
    codebook.save(tmp_path / "large")
    make_codebook(spec, "small", 2).save(tmp_path / "small")
    index = open_index(text + "shards: 3\n")
    vectors = np.random.default_rng(3).normal(size=(600, DIMENSION)).astype(np.float32)
    index.ingest(write_documents(tmp_path, make_documents(vectors)))
    plan = scan_plan("large", k=600)
    found = index.search(vector=query, plan=plan, size=600)
    exact = SPACES["dot"].to_score((vectors @ query).astype(np.float64))
    np.testing.assert_allclose(
        [hit.score for hit in found.hits], sorted(exact, reverse=True), rtol=1e-5
    )
