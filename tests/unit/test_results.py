from __future__ import annotations

import pytest

from kokeshi.results import Hit, SearchResult, fuse_ranks
from kokeshi.schema import Rrf


def ranking(ids: str, took_ms: int = 1) -> SearchResult:
    hits = tuple(Hit(id_, 1 - rank / 100, {"n": id_}) for rank, id_ in enumerate(ids))
    return SearchResult(hits, len(hits), total_is_exact=True, took_ms=took_ms)


def test_the_sum_of_reciprocal_ranks_decides():
    fused = fuse_ranks([ranking("abc"), ranking("cda")], Rrf(rank_constant=60), size=10)
    assert fused.ids == ["a", "c", "b", "d"]
    assert [hit.score for hit in fused.hits] == pytest.approx(
        [1 / 61 + 1 / 63, 1 / 63 + 1 / 61, 1 / 62, 1 / 62], rel=1e-12
    )
    assert fused.hits[0].source == {"n": "a"}


def test_equal_sums_keep_the_order_of_the_first_ranking():
    assert fuse_ranks([ranking("ab"), ranking("ba")], Rrf(), size=2).ids == ["a", "b"]


def test_a_smaller_constant_favours_the_first_ranks():
    rankings = [ranking("axyzb"), ranking("bxyz")]
    assert fuse_ranks(rankings, Rrf(rank_constant=0), size=1).ids == ["b"]
    assert fuse_ranks(rankings, Rrf(rank_constant=60), size=1).ids == ["x"]


def test_ranks_beyond_the_window_do_not_count():
    rankings = [ranking("abcd"), ranking("dcba")]
    assert fuse_ranks(rankings, Rrf(window=1), size=1).ids == ["a"]
    assert set(fuse_ranks(rankings, Rrf(window=2), size=9, offset=0).ids) == set("abcd")


def test_pages_tile_the_fused_ranking():
    rankings = [ranking("abcdefgh"), ranking("hgfedcba")]
    whole = fuse_ranks(rankings, Rrf(), size=8).ids
    pages = [fuse_ranks(rankings, Rrf(), size=3, offset=offset).ids for offset in (0, 3, 6)]
    assert [id_ for page in pages for id_ in page] == whole


def test_the_slower_search_is_the_time_and_the_union_the_total():
    fused = fuse_ranks([ranking("ab", took_ms=3), ranking("bc", took_ms=9)], Rrf(), size=1)
    assert (fused.took_ms, fused.total, fused.total_is_exact) == (9, 3, False)


def test_rankings_without_hits_are_no_hits():
    assert fuse_ranks([ranking(""), ranking("")], Rrf(), size=5).hits == ()
