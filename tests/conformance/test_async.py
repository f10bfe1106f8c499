"""`AsyncIndex` answers as `Index` does, on every engine."""

from __future__ import annotations

import asyncio

import numpy as np
import orjson
import pytest

from kokeshi import Index
from kokeshi.errors import EngineError, SpecError
from kokeshi.schema import parse_spec

COUNT = 80
SPEC = """
index: conformance-async
text: [title]
metadata: {price: float}
vectors:
  embedding:
    encoder: {name: precomputed, column: vector}
    dimension: 8
    prefixes: [4]
"""


def make_documents() -> list[dict]:
    rng = np.random.default_rng(1)
    return [
        {
            "id": f"p{i}",
            "title": f"{['red', 'blue'][i % 2]} shoe {i}",
            "price": i,
            "vector": rng.normal(size=8).tolist(),
        }
        for i in range(COUNT)
    ]


@pytest.fixture(scope="module")
def index(fill_index) -> Index:
    return fill_index(SPEC, make_documents())


@pytest.fixture(scope="module")
def query():
    return np.random.default_rng(3).normal(size=8)


@pytest.mark.parametrize("expression", [None, "price < 30", "price < 0"])
@pytest.mark.parametrize("plan", ["bm25", "exact", "single", "two-stage", "hybrid", "rrf"])
def test_both_give_the_same_answer(index, open_async, query, plan, expression):
    options = {"plan": plan, "filter": expression, "vector": query, "size": 7, "offset": 2}

    async def search():
        async with open_async(index) as opened:
            return [await opened.search("red 7", **options) for _ in range(2)]

    fresh = Index(index.spec, index.engine)
    expected = [fresh.search("red 7", **options) for _ in range(2)]
    for found, wanted in zip(asyncio.run(search()), expected, strict=True):
        assert (found.ids, found.total) == (wanted.ids, wanted.total)
        assert [h.score for h in found.hits] == [h.score for h in wanted.hits]
        assert [h.source for h in found.hits] == [h.source for h in wanted.hits]


def test_both_say_the_same_of_an_index(index, open_async, query):
    async def ask():
        async with open_async(index) as opened:
            request = await opened.build_search(vector=query, plan="exact")
            await opened.check_vectors()
            return (
                await opened.exists(),
                await opened.create(),
                await opened.count(),
                await opened.count("price < 30"),
                await opened.concrete_name(),
                await opened.build_body(),
                request,
            )

    assert asyncio.run(ask()) == (
        True,
        False,
        COUNT,
        30,
        index.spec.index,
        index.build_body(),
        index.build_search(vector=query, plan="exact"),
    )


def test_searches_run_side_by_side(index, open_async, query):
    async def search():
        async with open_async(index) as opened:
            jobs = (opened.search(vector=query, filter=f"price < {n}") for n in range(40))
            return await asyncio.gather(*jobs)

    for n, found in enumerate(asyncio.run(search())):
        wanted = index.search(vector=query, plan="exact", filter=f"price < {n}")
        assert sorted(found.ids) == sorted(wanted.ids)


def test_documents_are_ingested_by_both(open_index, open_async, tmp_path):
    spec = SPEC.replace("conformance-async", "conformance-async-new")
    index = open_index(spec)
    path = tmp_path / "documents.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(document) for document in make_documents()))

    async def ingest():
        async with open_async(index) as opened:
            assert await opened.create(recreate=True)
            report = await opened.ingest(path)
            return report.indexed, report.failed, await opened.count()

    assert asyncio.run(ingest()) == (COUNT, 0, COUNT)
    assert index.search("7", plan="bm25").ids == ["p7"]


def test_both_raise_the_same_errors(index, open_async, query):
    async def search(spec, **options):
        async with open_async(Index(spec, index.engine)) as opened:
            return await opened.search("red", **options)

    absent = parse_spec(SPEC.replace("conformance-async", "conformance-absent"))
    with pytest.raises(SpecError, match="'conformance-absent' does not exist; create it with"):
        asyncio.run(search(absent, vector=query))
    with pytest.raises(EngineError, match="create it with: kokeshi ingest FILE"):
        asyncio.run(search(absent, plan="bm25"))
