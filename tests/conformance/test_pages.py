"""Ties and pages: equal scores keep the order of the index on one shard, and pages tile the ranking."""

from __future__ import annotations

import numpy as np
import pytest

from kokeshi import Index
from kokeshi.schema import Fuse, Match, Rescore, SearchPlan, Shortlist

COUNT = 90
SPEC = """
index: conformance-pages-{shards}
text: [title]
metadata: {{price: float}}
shards: {shards}
vectors:
  embedding:
    encoder: {{name: precomputed, column: vector}}
    dimension: 4
    prefixes: [2]
    space: dot
    quantization: none
"""
PLANS = {
    "bm25": SearchPlan(match=Match()),
    "exact": SearchPlan(rescore=Rescore()),
    "shortlist": SearchPlan(shortlist=Shortlist(dims=2, k=COUNT)),
    "two-stage": SearchPlan(shortlist=Shortlist(dims=2, k=COUNT, exact_below=0), rescore=Rescore()),
    "hybrid": SearchPlan(
        match=Match(), shortlist=Shortlist(dims=2, k=COUNT), rescore=Rescore(), fuse=Fuse()
    ),
    "rrf": SearchPlan(match=Match(), rescore=Rescore(), rrf={"window": COUNT}),
}
VECTOR = [1.0, 0.5, 0.25, 0.125]


def make_documents() -> list[dict]:
    """Nine different documents, each ten times: groups of ties, of words and of vectors."""
    rng = np.random.default_rng(2)
    kinds = [("shoe " * (kind + 1), rng.normal(size=4).tolist()) for kind in range(9)]
    return [
        {"id": f"p{i}", "title": kinds[i % 9][0], "vector": kinds[i % 9][1], "price": i}
        for i in range(COUNT)
    ]


@pytest.fixture(scope="module", params=[1, 3], ids=["one shard", "three shards"])
def index(request, fill_index) -> Index:
    return fill_index(SPEC.format(shards=request.param), make_documents())


def search(index: Index, plan: str, **options):
    return index.search("shoe", vector=VECTOR, plan=PLANS[plan], **options)


@pytest.mark.parametrize("plan", PLANS)
def test_scores_never_rise(index, plan):
    scores = [hit.score for hit in search(index, plan, size=COUNT).hits]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("index", [1], indirect=True, ids=["one shard"], scope="module")
@pytest.mark.parametrize("plan", sorted(set(PLANS) - {"rrf"}))
def test_equal_scores_keep_the_order_of_the_index(index, plan):
    rows = [(-hit.score, int(hit.id[1:])) for hit in search(index, plan, size=COUNT).hits]
    assert len({score for score, _ in rows}) <= 9
    assert rows == sorted(rows)


@pytest.mark.parametrize("size", [7, 30])
@pytest.mark.parametrize("plan", PLANS)
def test_pages_tile_the_ranking(index, plan, size):
    whole = search(index, plan, size=COUNT).ids
    assert len(set(whole)) == COUNT
    pages = [search(index, plan, size=size, offset=start).ids for start in range(0, COUNT, size)]
    assert [id_ for page in pages for id_ in page] == whole


@pytest.mark.parametrize("plan", PLANS)
def test_there_is_nothing_after_the_last_page(index, plan):
    result = search(index, plan, size=10, offset=COUNT)
    assert (result.ids, result.total) == ([], COUNT)


@pytest.mark.parametrize("plan", PLANS)
def test_the_last_page_may_be_short(index, plan):
    assert len(search(index, plan, size=10, offset=COUNT - 3).ids) == 3


def test_pages_of_fused_ranks_tile_within_a_narrow_window(index):
    plan = SearchPlan(match=Match(), rescore=Rescore(), rrf={"window": 20})
    whole = index.search("shoe", vector=VECTOR, plan=plan, size=COUNT).ids
    pages = [
        index.search("shoe", vector=VECTOR, plan=plan, size=7, offset=start).ids
        for start in range(0, COUNT, 7)
    ]
    assert 20 <= len(whole) <= 40
    assert [id_ for page in pages for id_ in page] == whole


def test_the_window_of_ten_thousand_can_be_shown_to_its_end(index):
    assert search(index, "exact", size=10, offset=9_990).ids == []
