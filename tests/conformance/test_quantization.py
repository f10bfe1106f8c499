"""Every quantization that an engine has: the shortlist is approximate, the answer exact."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from kokeshi import Index
from kokeshi.codes import SPACES, prefix
from kokeshi.errors import CapabilityError
from kokeshi.schema import Rescore, SearchPlan, Shortlist, parse_spec
from kokeshi.schema.index import Quantization

COUNT = 150
DIMENSION = 128
PREFIX = 64
SPEC = """
index: conformance-quantization-{quantization}-{space}
vectors:
  embedding:
    encoder: {{name: precomputed, column: vector}}
    dimension: 128
    prefixes: [64]
    space: {space}
    graph: true
    quantization: {quantization}
"""
MISSING = {
    "memory": {"on_disk"},
    "opensearch": {"binary", "int4"},
    "elasticsearch": {"on_disk"},
}


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(8).normal(size=(COUNT, DIMENSION)).astype(np.float32)


ENGINES_OWN = [name for name in get_args(Quantization) if name != "trained"]
"""`trained` takes a model of the native library: tests/unit/test_mapping_trained.py."""


@pytest.mark.parametrize("space", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("quantization", ENGINES_OWN)
def test_what_is_quantised_is_found_and_scored_exactly(
    engine, fill_index, vectors, quantization, space
):
    yaml = SPEC.format(quantization=quantization, space=space)
    if quantization in MISSING[engine.capabilities.dialect]:
        with pytest.raises(
            CapabilityError, match=f"embedding.quantization: {quantization} .* choose one of .*none"
        ):
            Index(parse_spec(yaml), engine).create()
        return
    documents = [{"id": f"p{i}", "vector": v.tolist()} for i, v in enumerate(vectors)]
    index = fill_index(yaml, documents)
    query = np.random.default_rng(10).normal(size=DIMENSION).astype(np.float32)
    plan = SearchPlan(shortlist=Shortlist(dims=PREFIX, k=COUNT, exact_below=0), rescore=Rescore())
    scores = exact_scores(vectors, query, space)
    for used in (plan, "single", "exact"):
        hits = index.search(vector=query, plan=used, size=20).hits
        assert sorted(scores, reverse=True)[:20] == pytest.approx(
            [hit.score for hit in hits], rel=1e-5
        )


def exact_scores(vectors, query, space: str) -> list[float]:
    stored = prefix(vectors, DIMENSION, space=space)
    (asked,) = prefix(query[None], DIMENSION, space=space)
    similarity = SPACES[space].similarity(asked, stored)
    return SPACES[space].to_score(similarity.astype(np.float64)).tolist()


def test_a_quantised_shortlist_keeps_most_of_the_nearest(fill_index, vectors):
    yaml = SPEC.format(quantization="int8", space="cosine").replace("quantization-int8", "recall")
    documents = [{"id": f"p{i}", "vector": v.tolist()} for i, v in enumerate(vectors)]
    index = fill_index(yaml, documents)
    plan = SearchPlan(shortlist=Shortlist(dims=PREFIX, k=20))
    found = 0
    for query in np.random.default_rng(12).normal(size=(10, DIMENSION)).astype(np.float32):
        head = exact_scores_of_prefix(vectors, query)
        nearest = {f"p{row}" for row in np.argsort(head)[-10:]}
        found += len(nearest & set(index.search(vector=query, plan=plan, size=20).ids))
    assert found >= 97


def exact_scores_of_prefix(vectors, query):
    stored = prefix(vectors, PREFIX, space="cosine")
    return SPACES["cosine"].similarity(query[:PREFIX], stored)
