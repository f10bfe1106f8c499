"""Models that OpenSearch's k-NN plugin trained: only bodies and refusals, no such engine is run."""

from __future__ import annotations

import pytest

from kokeshi.engines import Capabilities
from kokeshi.errors import CapabilityError, SpecError
from kokeshi.mapping import build_index
from kokeshi.schema import parse_spec

NATIVE = Capabilities("opensearch", (3, 6, 0), derived_source=True, native=True)
BARE = Capabilities("opensearch", (3, 6, 0), derived_source=True)
ELASTICSEARCH = Capabilities("elasticsearch", (9, 4, 3), derived_source=True)
SPEC = """
index: trained
vectors: {v: {encoder: x, dimension: 8, graph: true, quantization: trained, model: pq-8}}
"""


def test_a_graph_is_of_the_model():
    body = build_index(parse_spec(SPEC), NATIVE)
    assert body["mappings"]["properties"]["v"] == {"type": "knn_vector", "model_id": "pq-8"}
    assert "knn.advanced.approximate_threshold" not in body["settings"]["index"]


def test_a_flat_vector_beside_it_is_refused():
    with pytest.raises(CapabilityError, match="vectors.w: beside a vector with a model"):
        build_index(parse_spec(SPEC.replace("}}", "}, w: {encoder: x, dimension: 8}}")), NATIVE)


def test_without_the_native_library_it_is_refused():
    with pytest.raises(CapabilityError, match=r"v.model: OpenSearch 3.6.0 has no native library"):
        build_index(parse_spec(SPEC), BARE)


def test_elasticsearch_has_none():
    with pytest.raises(CapabilityError, match="trained is not there on elasticsearch; choose one"):
        build_index(parse_spec(SPEC), ELASTICSEARCH)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((", model: pq-8", ""), "trained and model go together"),
        (("quantization: trained, ", ""), "trained and model go together"),
        (("graph: true", "graph: true, prefixes: [4]"), "a model is of the whole vector"),
        (("graph: true, ", ""), "a model is of the whole vector"),
    ],
)
def test_a_model_is_named_for_one_graph(change, message):
    with pytest.raises(SpecError, match=message):
        parse_spec(SPEC.replace(*change))
