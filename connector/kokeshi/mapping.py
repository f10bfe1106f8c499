"""The index body, settings and mappings, from a spec: readable fragments in `mappings/`, filled in.

A user's own names and analysis settings are added around the fragments; nothing is hidden:
`kokeshi mapping show` prints what would be PUT.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import orjson

from kokeshi.assets import asset_path
from kokeshi.engines.base import Capabilities, Dialect
from kokeshi.errors import CapabilityError, CodebookError, SpecError
from kokeshi.schema import IndexSpec, TextField, VectorSpec
from kokeshi.types import Json

SPACE_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "opensearch": {"cosine": "cosinesimil", "dot": "innerproduct", "l2": "l2"},
    "elasticsearch": {"cosine": "cosine", "dot": "max_inner_product", "l2": "l2_norm"},
}
"""Dialect -> space -> what the engine calls it."""

_FOLDERS: Final[Mapping[Dialect, str]] = {"memory": "elasticsearch"}
"""Whose fragments a dialect without any of its own takes."""


_GRAPH_DIMS: Final[Mapping[tuple[str, str], tuple[int, int]]] = {
    ("elasticsearch", "binary"): (64, 1),
    ("elasticsearch", "int4"): (2, 2),
}
"""Dialect and quantization -> the fewest dimensions of a graph, and what they are a multiple of."""


_MOST_DIMS: Final[Mapping[str, int]] = {"opensearch": 16_000, "elasticsearch": 4_096}


META = "kokeshi"
"""The key under the mapping's `_meta` where an index remembers how it was made."""


def build_index(
    spec: IndexSpec,
    capabilities: Capabilities,
    encoders: Mapping[str, str] | None = None,
    codebooks: Mapping[str, str] | None = None,
) -> Json:
    """Return the body that creates the index.

    encoders: vector -> the identity of its model. codebooks: vector -> the digest of its codebook.
    """
    dialect = _FOLDERS.get(capabilities.dialect, capabilities.dialect)
    settings = _fill(
        load_fragment(dialect, "settings"),
        shards=spec.shards,
        replicas=spec.replicas,
        derived_source=capabilities.derived_source,
        # no graph for the flat vectors of faiss; the engine's own default where a model needs its index
        approximate_threshold=None if _has_model(spec) else -1,
        # with Elasticsearch's default, acorn, 10% filters lose more than the rescoring can mend
        filter_heuristic="fanout" if capabilities.filter_heuristic else None,
    )
    settings["index"] |= spec.settings
    if spec.analysis:
        settings["index"]["analysis"] = spec.analysis
    _check_models(spec, capabilities)
    properties = _properties(spec, dialect)
    meta = build_meta(spec, encoders or {}, codebooks or {}) | {
        "digest": _digest(properties, spec.analysis)
    }
    # an unknown field stays in the document but gets no mapping: no surprise types, no explosion
    mappings = {"dynamic": False, "_meta": {META: meta}, "properties": properties}
    return {"settings": settings, "mappings": mappings}


def _has_model(spec: IndexSpec) -> bool:
    return any(vector.model for vector in spec.vectors.values())


def _check_models(spec: IndexSpec, capabilities: Capabilities) -> None:
    """Raise CapabilityError for a model of faiss where it would end the engine or spoil another vector."""
    for name, vector in spec.vectors.items():
        if not vector.model and not vector.graph and _has_model(spec):
            raise CapabilityError(
                f"vectors.{name}: beside a vector with a model, OpenSearch builds a graph for each flat "
                "vector of the index; give it graph: true, or an index of its own"
            )
        if vector.model and capabilities.dialect == "opensearch" and not capabilities.native:
            raise CapabilityError(
                f"vectors.{name}.model: {capabilities} has no native library of faiss here; take a "
                "packaged OpenSearch (docs/docker.md), or codes (docs/codes.md)"
            )


def build_meta(spec: IndexSpec, encoders: Mapping[str, str], codebooks: Mapping[str, str]) -> Json:
    """Return what the index remembers of how vectors and codes were made, to refuse others later."""
    vectors = {
        name: {
            "encoder": encoders.get(name, vector.encoder.name),
            "source": vector.source,
            "dimension": vector.dimension,
            "prefixes": list(vector.prefixes),
            "space": vector.space,
            "quantization": vector.quantization,
            **({"codebook": codebooks.get(name)} if vector.codes else {}),
        }
        for name, vector in spec.vectors.items()
    }
    return {"id": spec.id, "vectors": vectors}


def _digest(properties: Json, analysis: Json) -> str:
    """SHA-256 of everything in the mapping that a change of spec cannot alter afterwards."""
    text = orjson.dumps([properties, analysis], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:32]


def check_same(index: str, wanted: Json, found: Json) -> None:
    """Raise SpecError where the mapping of an index was made from another spec."""
    check_same_vectors(index, wanted, found)
    ours, theirs = wanted["_meta"][META], found["_meta"][META]
    for name, vector in ours["vectors"].items():
        for key, default in (("quantization", "none"), ("codebook", None)):
            old, new = theirs["vectors"][name].get(key, default), vector.get(key)
            if old != new:
                raise _other_spec(index, f"vectors.{name}.{key}", old, new)
    if ours["id"] != theirs.get("id"):
        raise _other_spec(index, "id", theirs.get("id"), ours["id"])
    if ours["digest"] == theirs.get("digest"):
        return
    for name, field in wanted["properties"].items():
        old = _find_field(found.get("properties", {}), name)
        for key in ("type", "analyzer"):
            if old.get(key) != field.get(key):
                raise _other_spec(index, f"{name}, {key}", old.get(key), field.get(key))
    raise SpecError(f"index '{index}' was made with other fields or analysis; {_REMEDY}")


def check_same_vectors(index: str, wanted: Json, found: Json) -> None:
    """Raise SpecError, naming what differs, where an index has vectors made in another way.

    How its graphs keep them does not matter to a search, and codes only to one that looks at them.
    """
    ours, theirs = (mapping["_meta"][META]["vectors"] for mapping in (wanted, found))
    for name in {**ours, **theirs}:
        new, old = ours.get(name, {}), theirs.get(name, {})
        for key in {**old, **new}.keys() - {"quantization", "codebook"}:
            if new.get(key) != old.get(key):
                raise _other_spec(index, f"vectors.{name}.{key}", old.get(key), new.get(key))


def find_digest(index: str, name: str, mappings: Mapping[str, Json]) -> str:
    """Return the digest of the codebook that made an index's codes of a vector.

    mappings: of each concrete index. Raises CodebookError where one has no codes, or they differ.
    """
    metas = (mapping.get("_meta", {}).get(META, {}) for mapping in mappings.values())
    found = {meta.get("vectors", {}).get(name, {}).get("codebook") for meta in metas}
    if None in found or not found:
        raise CodebookError(
            f"index '{index}' has no codes of '{name}'; give it some with: kokeshi ingest FILE --recreate"
        )
    if len(found) > 1:
        raise CodebookError(
            f"'{index}' stands for indices whose codes of '{name}' are of several codebooks, "
            f"{', '.join(sorted(found))}; search one of them"
        )
    (digest,) = found
    return str(digest)


_REMEDY = "choose another index name, or replace it with: kokeshi ingest FILE --recreate"


def _other_spec(index: str, what: str, old: object, new: object) -> SpecError:
    return SpecError(
        f"index '{index}' was made from another spec: {what} is {_show(old)} there, "
        f"{_show(new)} here; {_REMEDY}"
    )


def _show(value: object) -> str:
    return "missing" if value is None else orjson.dumps(value).decode()


def _find_field(properties: Json, name: str) -> Json:
    """Return a field of a mapping, where an engine keeps `a.b` as the property b of the object a."""
    field: Json = {"properties": properties}
    for part in name.split("."):
        field = field.get("properties", {}).get(part, {})
    return field


@cache
def _fragment_text(dialect: str, name: str) -> bytes:
    return asset_path("mappings", dialect, f"{name}.json").read_bytes()


def load_fragment(dialect: str, name: str) -> Json:
    """Return one fragment of `mappings/`, such as `fields/graph_none`, with its `${...}` places open.

    dialect: the engine's folder, or `shared`.
    """
    fragment: Json = orjson.loads(_fragment_text(dialect, name))
    return fragment


def _fill(fragment: Any, **values: Any) -> Any:  # noqa: ANN401
    """Replace every string `${name}` by the value of that name, which keeps its type.

    A key whose value is None is left out.
    """
    if isinstance(fragment, dict):
        filled = {key: _fill(value, **values) for key, value in fragment.items()}
        return {key: value for key, value in filled.items() if value is not None}
    if isinstance(fragment, str) and fragment.startswith("${"):
        return values[fragment[2:-1]]
    return fragment


def _properties(spec: IndexSpec, dialect: str) -> Json:
    types = {spec.id: "keyword", **spec.metadata}
    properties = {name: load_fragment("shared", f"fields/{kind}") for name, kind in types.items()}
    for name, field in spec.text.items():
        text = _text_property(field)
        if name in properties:
            properties[name]["fields"] = {"text": text, **text.pop("fields", {})}
        else:
            properties[name] = text
    for name, vector in spec.vectors.items():
        properties |= _vector_properties(name, vector, dialect)
    for name, (_, kind) in spec.code_fields().items():
        properties[name] = load_fragment("shared", f"fields/{kind}")
    return properties


def _text_property(field: TextField) -> Json:
    text = load_fragment("shared", "fields/text")
    text |= field.model_dump(include={"analyzer", "search_analyzer"}, exclude_none=True)
    if field.subfields:
        text["fields"] = {
            name: sub.model_dump(exclude_none=True) for name, sub in field.subfields.items()
        }
    return text


def _vector_properties(name: str, vector: VectorSpec, dialect: str) -> Json:
    space = SPACE_NAMES[dialect][vector.space]
    if vector.dimension > _MOST_DIMS[dialect]:
        raise CapabilityError(
            f"vectors.{name}.dimension: {vector.dimension} is more than {_MOST_DIMS[dialect]}, "
            f"the most of {dialect}; store a prefix of it"
        )
    graph = _graph_fragment(name, vector, dialect)
    for dims in (*vector.prefixes, *((vector.dimension,) if vector.graph else ())):
        _check_graph_dims(name, vector.quantization, dims, dialect)
    full = graph if vector.graph else load_fragment(dialect, "fields/full_vector")
    return {
        name: _fill(full, dimension=vector.dimension, space=space, model=vector.model),
        **{f"{name}_{dims}": _fill(graph, dimension=dims, space=space) for dims in vector.prefixes},
    }


def _check_graph_dims(name: str, quantization: str, dims: int, dialect: str) -> None:
    """Raise CapabilityError where the engine quantises no graph of so many dimensions."""
    least, step = _GRAPH_DIMS.get((dialect, quantization), (1, 1))
    if dims < least or dims % step:
        wanted = f"at least {least} dimensions" if step == 1 else "an even number of dimensions"
        raise CapabilityError(
            f"vectors.{name}.quantization: {quantization} needs {wanted}, found a graph over {dims}; "
            "choose int8, or another prefix"
        )


def _graph_fragment(name: str, vector: VectorSpec, dialect: str) -> Json:
    """Return the fragment of a graph; raises CapabilityError where the engine cannot quantise so."""
    folder = asset_path("mappings", dialect, "fields")
    known = sorted(path.stem.removeprefix("graph_") for path in folder.glob("graph_*.json"))
    if vector.quantization not in known:
        raise CapabilityError(
            f"vectors.{name}.quantization: {vector.quantization} is not there on {dialect}; "
            f"choose one of {', '.join(known)}"
        )
    return load_fragment(dialect, f"fields/graph_{vector.quantization}")
