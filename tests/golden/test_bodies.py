"""The exact request bodies: of every built-in plan, and of the example index."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kokeshi import F
from kokeshi.codes.cells import Cells
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.encoders import load_encoder
from kokeshi.engines import Capabilities
from kokeshi.mapping import build_index
from kokeshi.plans import Known, Query, build_search, default_plans
from kokeshi.schema import load_spec, parse_spec

ENGINES = [
    Capabilities("opensearch", (3, 6, 0), derived_source=True),
    Capabilities("elasticsearch", (9, 4, 3), derived_source=True, filter_heuristic=True),
]
KNOWN = Known(documents=1_000_000, kept=200_000, shards=3)
SPEC = parse_spec("""
index: golden
id: sku
text:
  title: {boost: 2.5}
  brand:
metadata: {brand: keyword, price: float}
vectors:
  embedding:
    encoder: wordllama
    source: "{title}"
    dimension: 4
    prefixes: [1, 2]
""")
QUERY = Query(
    text="black jacket",
    vectors={"embedding": np.array([0.5, -0.5, 0.5, -0.5], np.float32)},
    filter=F.price < 50,
    size=5,
    offset=10,
    fields=None,
)


CODED = parse_spec("""
index: golden
metadata: {price: float}
vectors:
  embedding:
    encoder: wordllama
    dimension: 4
    codes: {subvectors: 2, cells: 8, residual: true, loss: plain}
""")
CODEBOOK = Codebook(
    ProductQuantizer(2, 16).restore(np.arange(64, dtype=np.float32).reshape(2, 16, 2) / 64, 4),
    Cells(8).restore(np.arange(32, dtype=np.float32).reshape(8, 4) / 32),
    residual=True,
    space="cosine",
    encoder="wordllama",
)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.dialect)
@pytest.mark.parametrize("plan", ["scan", "cells"])
def test_the_bodies_of_a_plan_of_codes(golden, plan, engine):
    query = replace(QUERY, codebooks={"embedding": CODEBOOK})
    request = build_search(CODED, default_plans(CODED)[plan], query, engine, KNOWN)
    golden(
        f"{engine.dialect}_{plan}.json", {"bodies": [*request.bodies], "notes": [*request.notes]}
    )


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.dialect)
def test_the_index_of_codes(golden, engine):
    digests = {"embedding": CODEBOOK.digest}
    body = build_index(CODED, engine, {"embedding": "wordllama"}, digests)
    golden(f"{engine.dialect}_codes_index.json", body)


PLANS = ["bm25", "exact", "single", "two-stage", "hybrid", "rrf"]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.dialect)
@pytest.mark.parametrize("plan", PLANS)
def test_the_bodies_of_a_built_in_plan(golden, plan, engine):
    request = build_search(SPEC, default_plans(SPEC)[plan], QUERY, engine, KNOWN)
    golden(
        f"{engine.dialect}_{plan}.json", {"bodies": [*request.bodies], "notes": [*request.notes]}
    )


def test_every_built_in_plan_has_a_golden_body():
    assert list(default_plans(SPEC)) == PLANS


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.dialect)
def test_the_example_index_is_what_the_builder_makes(golden, pytestconfig, engine):
    folder = pytestconfig.rootpath / "mappings" / engine.dialect
    spec = load_spec(folder.parent / "opensearch" / "example.yaml")
    names = {name: load_encoder(vector).name for name, vector in spec.vectors.items()}
    golden(folder / "example.json", build_index(spec, engine, names))
