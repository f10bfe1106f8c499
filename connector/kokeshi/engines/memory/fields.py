"""What a mapping says of each field, and how a document's values are read by it."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from kokeshi.engines.memory.refusal import Refusal
from kokeshi.filters.dates import document_ms
from kokeshi.filters.literals import NUMBER
from kokeshi.types import FieldType, Float32, Json

TYPES: Final[Mapping[str, FieldType]] = {
    "double": "float",
    "long": "integer",
    "integer": "integer",
    "keyword": "keyword",
    "boolean": "boolean",
    "date": "date",
}
"""The engines' name of a type -> what filters call it."""

_MAX_KEYWORD_BYTES = 32_766
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Field:
    """One field of a mapping. path: in the document, where a subfield has that of its parent.

    type: as in the mapping. analyzer: of a text. dims and unit: of a vector, unit where a zero
    vector has no place.
    """

    path: str
    type: str
    analyzer: str = "standard"
    dims: int = 0
    unit: bool = False

    @property
    def is_vector(self) -> bool:
        """Whether it holds a vector."""
        return self.type == "dense_vector"


def nest_properties(properties: Json) -> Json:
    """Return properties as the engines keep them: `a.b` as the property b of the object a.

    >>> nest_properties({"a.b": {"type": "text"}})
    {'a': {'properties': {'b': {'type': 'text'}}}}
    """
    nested: Json = {}
    for name, body in properties.items():
        at, (*parents, last) = nested, name.split(".")
        for parent in parents:
            at = at.setdefault(parent, {}).setdefault("properties", {})
        below = {"properties": nest_properties(body["properties"])} if "properties" in body else {}
        at[last] = body | below
    return nested


def read_properties(properties: Json, above: str = "") -> dict[str, Field]:
    """Return the fields of nested properties by their whole name, subfields as `field.name`.

    Raises Refusal for an unknown type.
    """
    fields: dict[str, Field] = {}
    for key, body in properties.items():
        name = f"{above}{key}"
        if "properties" in body:
            fields |= read_properties(body["properties"], f"{name}.")
            continue
        fields[name] = _read_field(name, name, body)
        for sub, other in body.get("fields", {}).items():
            fields[f"{name}.{sub}"] = _read_field(f"{name}.{sub}", name, other)
    return fields


def _read_field(name: str, path: str, body: Json) -> Field:
    type_ = body.get("type")
    if type_ not in (*TYPES, "text", "binary", "dense_vector"):
        reason = f"No handler for type [{type_}] declared on field [{name}]"
        raise Refusal(400, "mapper_parsing_exception", reason)
    unit = body.get("similarity") == "cosine"
    analyzers = {body.get("analyzer", "standard")}
    analyzers.add(body.get("search_analyzer", *analyzers))
    return Field(path, type_, " and ".join(sorted(analyzers)), body.get("dims", 0), unit)


def read_values(field: Field, source: Json) -> list[Any]:
    """Return a document's values of a field other than a vector, typed; raises Refusal."""
    read = _READ[field.type]
    try:
        found = [read(value) for value in find_values(source, field.path)]
    except (ValueError, OverflowError) as error:
        reason = f"failed to parse field [{field.path}] of type [{field.type}]: {error}"
        raise Refusal(400, "document_parsing_exception", reason) from None
    return [value for value in found if value is not None]


def read_vector(field: Field, source: Json) -> Float32 | None:
    """Return a document's vector (dims,), None without one; raises Refusal."""
    values = list(find_values(source, field.path))
    if not values:
        return None
    if wrong := [value for value in values if not _is_number(value)]:
        raise _bad_vector(field, f"{wrong[0]!r} is not a number")
    if len(values) != field.dims:
        raise _bad_vector(field, f"Dimension mismatch, expected {field.dims}, given {len(values)}")
    with np.errstate(over="ignore"):  # infinite in float32: refused below
        vector = np.asarray(values, np.float32)
    if not np.isfinite(vector).all():
        raise _bad_vector(field, "it has components that no float32 holds")
    if field.unit and not vector.any():
        raise _bad_vector(field, "a zero vector has no cosine")
    return vector


def _bad_vector(field: Field, why: str) -> Refusal:
    return Refusal(
        400, "document_parsing_exception", f"failed to parse field [{field.path}]: {why}"
    )


def find_values(value: Any, path: str, above: str = "") -> Iterator[Any]:  # noqa: ANN401
    """Yield the values at a dotted path, lists flattened, nulls left out; raises Refusal.

    above: the path of `value` itself, for messages.
    """
    if isinstance(value, list):
        for item in value:
            yield from find_values(item, path, above)
    elif value is not None and not path:
        yield value
    elif isinstance(value, dict):
        for key, child in value.items():
            if path == key or path.startswith(f"{key}."):
                yield from find_values(child, path[len(key) + 1 :], f"{above}{key}.")
    elif value is not None:
        reason = f"object mapping for [{above[:-1]}] tried to parse it as object, found {value!r}"
        raise Refusal(400, "document_parsing_exception", reason)


def _is_number(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_double(value: Any) -> float | None:  # noqa: ANN401
    if value == "":
        return None
    if not _is_number(value) and not (isinstance(value, str) and NUMBER.fullmatch(value)):
        raise ValueError(f"{value!r} is not a number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"only finite values are supported, got {value!r}")
    return number


def _read_long(value: Any) -> int | None:  # noqa: ANN401
    number = _read_double(value)
    if number is None:
        return None
    whole = int(value) if isinstance(value, int) else int(number)
    if whole not in _INT64:
        raise ValueError(f"{value!r} is out of range of long")
    return whole


def _read_keyword(value: Any) -> str:  # noqa: ANN401
    text = _read_text(value)
    if (size := len(text.encode())) > _MAX_KEYWORD_BYTES:
        raise ValueError(f"immense term of {size} bytes; {_MAX_KEYWORD_BYTES} is the most")
    return text


def _read_text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, dict):
        raise ValueError("it is an object, a text is expected")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _read_binary(value: Any) -> bytes:  # noqa: ANN401
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not base64")
    return base64.b64decode(value, validate=True)


def _read_boolean(value: Any) -> bool:  # noqa: ANN401
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in ("true", "false", ""):
        raise ValueError(f"{value!r} is neither true nor false")
    return value == "true"


def _read_date(value: Any) -> str:  # noqa: ANN401
    if not isinstance(value, str) or (value.lstrip("-").isdigit() and len(value) != 4):
        raise ValueError(f"{value!r} is not a date such as 2024-01-31")
    document_ms(value)
    return value


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "double": _read_double,
    "long": _read_long,
    "integer": _read_long,
    "keyword": _read_keyword,
    "text": _read_text,
    "binary": _read_binary,
    "boolean": _read_boolean,
    "date": _read_date,
}
