"""The index body, settings and mappings, from a spec: readable fragments in `mappings/`, filled in.

A user's own names and analysis settings are added around the fragments; nothing is hidden:
`kokeshi mapping show` prints what would be PUT.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson

from kokeshi.assets import asset_path
from kokeshi.engines.base import Capabilities, Dialect
from kokeshi.schema import IndexSpec, TextField, VectorSpec
from kokeshi.types import Json

SPACE_TYPES = {"cosine": "cosinesimil", "dot": "innerproduct", "l2": "l2"}
"""Space -> what the k-NN plugin of OpenSearch calls it."""


def build_index(spec: IndexSpec, capabilities: Capabilities) -> Json:
    """Return the body that creates the index."""
    dialect = capabilities.dialect
    settings = _fill(
        load_fragment(dialect, "settings"),
        shards=spec.shards,
        replicas=spec.replicas,
        derived_source=capabilities.derived_source,
    )
    settings["index"] |= spec.settings
    if spec.analysis:
        settings["index"]["analysis"] = spec.analysis
    # an unknown field stays in the document but gets no mapping: no surprise types, no explosion
    mappings = {
        "dynamic": False,
        "_meta": build_meta(spec),
        "properties": _properties(spec, dialect),
    }
    return {"settings": settings, "mappings": mappings}


def build_meta(spec: IndexSpec) -> Json:
    """Return what the index remembers of how its vectors were made, to refuse others later."""
    vectors = {
        name: {
            "encoder": vector.encoder.name,
            "source": vector.source,
            "dimension": vector.dimension,
            "prefixes": list(vector.prefixes),
            "space": vector.space,
        }
        for name, vector in spec.vectors.items()
    }
    return {"kokeshi": {"id": spec.id, "vectors": vectors}}


@cache
def _fragment_text(dialect: Dialect, name: str) -> bytes:
    return asset_path("mappings", dialect, f"{name}.json").read_bytes()


def load_fragment(dialect: Dialect, name: str) -> Json:
    """Return one fragment of `mappings/`, such as `fields/keyword`, with its `${...}` places open."""
    fragment: Json = orjson.loads(_fragment_text(dialect, name))
    return fragment


def _fill(fragment: Any, **values: Any) -> Any:  # noqa: ANN401
    """Replace every string `${name}` by the value of that name, which keeps its type."""
    if isinstance(fragment, dict):
        return {key: _fill(value, **values) for key, value in fragment.items()}
    if isinstance(fragment, str) and fragment.startswith("${"):
        return values[fragment[2:-1]]
    return fragment


def _properties(spec: IndexSpec, dialect: Dialect) -> Json:
    types = {spec.id: "keyword", **spec.metadata}
    properties = {name: load_fragment(dialect, f"fields/{kind}") for name, kind in types.items()}
    for name, field in spec.text.items():
        text = _text_property(field, dialect)
        if name in properties:
            properties[name]["fields"] = {"text": text, **text.pop("fields", {})}
        else:
            properties[name] = text
    for name, vector in spec.vectors.items():
        properties |= _vector_properties(name, vector, dialect)
    return properties


def _text_property(field: TextField, dialect: Dialect) -> Json:
    text = load_fragment(dialect, "fields/text")
    text |= field.model_dump(include={"analyzer", "search_analyzer"}, exclude_none=True)
    if field.subfields:
        text["fields"] = {
            name: sub.model_dump(exclude_none=True) for name, sub in field.subfields.items()
        }
    return text


def _vector_properties(name: str, vector: VectorSpec, dialect: Dialect) -> Json:
    space = SPACE_TYPES[vector.space]
    graph = load_fragment(dialect, "fields/graph_vector")
    full = graph if vector.graph else load_fragment(dialect, "fields/full_vector")
    return {
        name: _fill(full, dimension=vector.dimension, space=space),
        **{f"{name}_{dims}": _fill(graph, dimension=dims, space=space) for dims in vector.prefixes},
    }
