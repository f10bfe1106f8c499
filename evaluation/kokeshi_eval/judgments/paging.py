"""All documents of an index, page by page: a point in time and `search_after`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import quote

from kokeshi.engines import Engine
from kokeshi.engines.calls import Call, read_search
from kokeshi.types import Json

PAGE: Final = 5_000
_KEEP: Final = "2m"


def read_documents(
    engine: Engine,
    index: str,
    fields: Sequence[str],
    query: Json | None = None,
    page: int = PAGE,
) -> Iterator[Json]:
    """Yield the fields of every document that matches, as the index was when it began.

    Raises EngineError where the index is missing or a page fails.
    """
    opensearch = engine.capabilities.dialect == "opensearch"
    pit = engine.perform(_open_pit(index, opensearch=opensearch))
    try:
        body = build_page(pit, fields, query, page, opensearch=opensearch)
        while hits := engine.perform(_search_page(index, body))["hits"]["hits"]:
            yield from (hit["_source"] for hit in hits)
            body |= {"search_after": hits[-1]["sort"]}
    finally:
        engine.perform(_close_pit(pit, opensearch=opensearch))


def build_page(
    pit: str, fields: Sequence[str], query: Json | None, page: int, *, opensearch: bool
) -> Json:
    """Return the body of the first page; others have `search_after` too.

    The order must have no ties, or documents between pages would be lost. Elasticsearch numbers the
    documents of a point in time, and sorts by _id only where a setting allows it; of OpenSearch
    every version sorts by _id, and only late ones have the numbers.
    """
    return {
        "pit": {"id": pit, "keep_alive": _KEEP},
        "query": query or {"match_all": {}},
        "_source": list(fields),
        "size": page,
        "sort": [{"_id" if opensearch else "_shard_doc": "asc"}],
        "track_total_hits": False,
    }


def _open_pit(index: str, *, opensearch: bool) -> Call[str]:
    path, key = ("/_search/point_in_time", "pit_id") if opensearch else ("/_pit", "id")
    return Call(
        "open_pit",
        "POST",
        f"/{quote(index, safe=',*')}{path}",
        lambda answer: str(answer.body[key]),
        index,
        params={"keep_alive": _KEEP},
    )


def _close_pit(pit: str, *, opensearch: bool) -> Call[None]:
    path, body = (
        ("/_search/point_in_time", {"pit_id": [pit]}) if opensearch else ("/_pit", {"id": pit})
    )
    return Call("close_pit", "DELETE", path, lambda _: None, body=body, accept=frozenset({404}))


def _search_page(index: str, body: Json) -> Call[Json]:
    """A point in time knows its index, so the path has none."""
    return Call(
        "search_page", "POST", "/_search", lambda a: read_search(index, a.body), index, body
    )
