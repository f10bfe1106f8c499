"""The exact request bodies: of every built-in plan, and of the example index."""

from __future__ import annotations

import numpy as np
import pytest

from kokeshi import F
from kokeshi.encoders import load_encoder
from kokeshi.engines import Capabilities
from kokeshi.mapping import build_index
from kokeshi.plans import Query, build_search, default_plans
from kokeshi.schema import load_spec, parse_spec

OPENSEARCH = Capabilities("opensearch", (3, 6, 0), derived_source=True, rank_eval=True)
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


@pytest.mark.parametrize("plan", ["bm25", "exact", "single", "two-stage", "hybrid"])
def test_the_body_of_a_built_in_plan(golden, plan):
    body = build_search(SPEC, default_plans(SPEC)[plan], QUERY, OPENSEARCH)
    golden(f"plan_{plan}.json", body)


def test_every_built_in_plan_has_a_golden_body():
    assert set(default_plans(SPEC)) == {"bm25", "exact", "single", "two-stage", "hybrid"}


def test_the_example_index_is_what_the_builder_makes(golden, pytestconfig):
    folder = pytestconfig.rootpath / "mappings" / "opensearch"
    spec = load_spec(folder / "example.yaml")
    names = {name: load_encoder(vector).name for name, vector in spec.vectors.items()}
    golden(folder / "example.json", build_index(spec, OPENSEARCH, names))
