"""Vectors come back bit for bit as they were sent: as base64 where the engine takes it, else as numbers.

`test_vectors_kept.py` fills its indices in the same way: there they outlive scrolls, updates, re-indexing,
restarts and replicas.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from kokeshi import Index
from kokeshi.engines.http import HttpEngine
from kokeshi.ingest.documents import serialise, serialise_column
from kokeshi.schema import parse_spec

SPEC = """
index: conformance-base64-{space}-{quantization}
vectors:
  v:
    encoder: {{name: precomputed, column: vec}}
    dimension: 64
    prefixes: [32]
    space: {space}
    graph: true
    quantization: {quantization}
"""
VECTORS = np.random.default_rng(3).normal(size=(40, 64)).astype(np.float32)
VECTORS[0, :8] = [1.5, -2.25, 3e-20, 4e3, -0.0, 1 / 3, 1e-40, -8]


def stored(server: HttpEngine, send, index: str, id_: str) -> dict[str, np.ndarray]:
    asks = server.capabilities.dialect == "elasticsearch" and server.capabilities.version >= (9, 2)
    params = {"_source_exclude_vectors": "false"} if asks else None
    source = send("GET", f"/{index}/_doc/{id_}", params=params)["_source"]
    return {name: np.array(values, np.float32) for name, values in source.items() if name != "id"}


@pytest.mark.parametrize(
    ("space", "quantization"), list(product(("cosine", "dot", "l2"), ("none", "int8")))
)
def test_vectors_come_back_bit_for_bit(server, send, fill_index, space, quantization):
    rows = [{"id": str(row), "vec": vector.tolist()} for row, vector in enumerate(VECTORS)]
    index = fill_index(SPEC.format(space=space, quantization=quantization), rows)
    for row in (0, 1, 39):
        found = stored(server, send, index.spec.index, str(row))
        if space == "cosine":  # an engine may keep the direction and the length apart
            expected = VECTORS[row] / np.linalg.norm(VECTORS[row])
            np.testing.assert_allclose(found["v"], expected, rtol=1e-6, atol=1e-9)
        else:
            np.testing.assert_array_equal(found["v"], VECTORS[row])
            np.testing.assert_array_equal(found["v_32"], VECTORS[row, :32])


def test_base64_is_the_same_as_numbers(server: HttpEngine, send):
    index = Index(parse_spec(SPEC.format(space="dot", quantization="none")), server)
    index.create(recreate=True)
    vectors = {"numbers": serialise_column("v", VECTORS[:1])}
    if base64 := server.capabilities.base64_vectors:
        vectors["base64"] = serialise_column("v", VECTORS[:1], base64)
    prefix = {"v_32": VECTORS[0, :32]}
    body = b"".join(serialise(id_, prefix, column) for id_, column in vectors.items())
    assert [item.reason for item in server.bulk(index.spec.index, body)] == [None] * len(vectors)
    server.refresh(index.spec.index)
    found = {id_: stored(server, send, index.spec.index, id_)["v"] for id_ in vectors}
    for vector in found.values():
        np.testing.assert_array_equal(vector, VECTORS[0])
    result = index.search(vector=VECTORS[0], plan="exact")
    assert sorted(result.ids) == sorted(vectors)
    assert len({hit.score for hit in result.hits}) == 1
    server.delete_index(index.spec.index)
