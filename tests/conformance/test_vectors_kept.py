"""Vectors survive what a cluster's life brings, with the settings that the builder chooses.

This decides `derived_source` for each version of an engine: on a version where it loses a vector or
leaves a shard closed, these tests fail. Elasticsearch from 9.2 on sends a vector back only where it
is asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import orjson
import pytest

from kokeshi import Index
from kokeshi.codes import SPACES, prefixes

COUNT = 600
DIMENSION = 32
NAME = "conformance-kept"
SPEC = """
index: {name}
metadata: {{price: float}}
vectors:
  embedding:
    encoder: {{name: precomputed, column: vector}}
    dimension: 32
    prefixes: [8, 16]
    space: {space}
    graph: {graph}
"""
CASES = [("cosine", False), ("dot", False), ("l2", False), ("cosine", True)]


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(3).normal(size=(COUNT, DIMENSION)).astype(np.float32)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-graph-{case[1]}")
def index(request, server, fill_index, vectors) -> Index:
    space, graph = request.param
    name = f"{NAME}-{space}-{graph}".lower()
    rows = [{"id": f"p{i}", "price": i, "vector": v.tolist()} for i, v in enumerate(vectors)]
    return fill_index(SPEC.format(name=name, space=space, graph=str(graph).lower()), rows)


@pytest.fixture(scope="module")
def expected(index, vectors):
    """Field -> its vectors (N, dims), as they were sent."""
    space = index.spec.vectors["embedding"].space
    columns = prefixes(vectors, [8, 16, DIMENSION], space=space)
    return {"embedding": columns[32], "embedding_8": columns[8], "embedding_16": columns[16]}


@pytest.fixture(scope="module")
def leaves_vectors_out(server) -> bool:
    """Whether the engine leaves vectors out of a `_source` that it is not asked for in full."""
    found = server.capabilities
    return found.dialect == "elasticsearch" and found.version >= (9, 2)


def scroll(send, name: str, leaves_vectors_out: bool, page: int = 100) -> Iterator[dict]:
    """Every document of an index, in pages of a hundred, as exports and re-indexing read them."""
    body = {"size": page} | ({"_source": {"exclude_vectors": False}} if leaves_vectors_out else {})
    answer = send("POST", f"/{name}/_search", body, {"scroll": "1m"})
    while answer["hits"]["hits"]:
        yield from answer["hits"]["hits"]
        answer = send(
            "POST", "/_search/scroll", {"scroll": "1m", "scroll_id": answer["_scroll_id"]}
        )
    send("DELETE", "/_search/scroll", {"scroll_id": answer["_scroll_id"]})


def nothing(send, index: Index) -> str:
    return index.spec.index


def partial_updates(send, index: Index) -> str:
    for row in range(0, COUNT, 50):
        send("POST", f"/{index.spec.index}/_update/p{row}", {"doc": {"price": -1.0}})
    return index.spec.index


def bulk_updates(send, index: Index) -> str:
    lines = [x for i in range(COUNT) for x in ({"update": {"_id": f"p{i}"}}, {"doc": {"price": 7}})]
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    assert not send("POST", f"/{index.spec.index}/_bulk", body)["errors"]
    return index.spec.index


def update_by_query(send, index: Index) -> str:
    body = {"script": {"source": "ctx._source.price += params.by", "params": {"by": 1}}}
    answer = send("POST", f"/{index.spec.index}/_update_by_query", body, {"refresh": "true"})
    assert (answer["updated"], answer["failures"]) == (COUNT, [])
    return index.spec.index


def reindex(send, index: Index) -> str:
    target = f"{index.spec.index}-copy"
    index.engine.delete_index(target)
    index.engine.create_index(target, index.build_body())
    body = {"source": {"index": index.spec.index, "size": 100}, "dest": {"index": target}}
    answer = send("POST", "/_reindex", body, {"refresh": "true"})
    assert (answer["created"], answer["failures"]) == (COUNT, [])
    return target


def close_and_open(send, index: Index) -> str:
    name = index.spec.index
    send("POST", f"/{name}/_flush")
    send("POST", f"/{name}/_close")
    send("POST", f"/{name}/_open", None, {"wait_for_active_shards": "1"})
    return name


def merge(send, index: Index) -> str:
    send("POST", f"/{index.spec.index}/_forcemerge", None, {"max_num_segments": "1"})
    return index.spec.index


def score_of_itself(index: Index, vector: np.ndarray) -> float:
    """The exact score of a document by its own vector."""
    space = SPACES[index.spec.vectors["embedding"].space]
    return float(space.to_score(space.similarity(vector, vector[None]).astype(np.float64))[0])


EVENTS: list[Callable[..., str]] = [
    nothing,
    partial_updates,
    bulk_updates,
    update_by_query,
    merge,
    reindex,
    close_and_open,
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_vector_is_kept(send, index, vectors, expected, leaves_vectors_out, event):
    name = event(send, index)
    try:
        index.engine.refresh(name)
        hits = {hit["_id"]: hit["_source"] for hit in scroll(send, name, leaves_vectors_out)}
        assert len(hits) == COUNT
        for field, column in expected.items():
            kept = np.array([hits[f"p{i}"][field] for i in range(COUNT)])
            np.testing.assert_allclose(kept, column, rtol=1e-6, atol=1e-6)
        moved = Index(index.spec.model_copy(update={"index": name}), index.engine)
        compare_all = ["exact"] if index.spec.vectors["embedding"].graph else ["exact", "single"]
        for row, plan in product((0, 50, COUNT - 1), compare_all):
            found = moved.search(vector=vectors[row], plan=plan, size=COUNT)
            scores = {hit.id: hit.score for hit in found.hits}
            assert len(scores) == COUNT
            assert scores[f"p{row}"] == pytest.approx(score_of_itself(index, vectors[row]))
    finally:
        if name != index.spec.index:
            index.engine.delete_index(name)


def test_a_partial_update_changes_the_field_alone(send, index, expected, leaves_vectors_out):
    send("POST", f"/{index.spec.index}/_update/p3", {"doc": {"price": 99.5}})
    params = {"_source_exclude_vectors": "false"} if leaves_vectors_out else None
    source = send("GET", f"/{index.spec.index}/_doc/p3", params=params)["_source"]
    assert (source["price"], source["id"]) == (99.5, "p3")
    np.testing.assert_allclose(source["embedding"], expected["embedding"][3], rtol=1e-6, atol=1e-6)
