"""One record to one bulk action: its id, its typed metadata, its vectors, their prefixes and codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from pybase64 import b64encode

from kokeshi.codes import prefixes
from kokeshi.encoders import Record
from kokeshi.errors import InputError
from kokeshi.schema import FieldType, IndexSpec, VectorSpec
from kokeshi.schema.codes import code_field
from kokeshi.types import Base64Floats, Float32

if TYPE_CHECKING:
    from kokeshi.codes.codebook import Codebook

_LINE = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
_BOOLEANS = {"true": True, "false": False}


def document_id(record: Record, spec: IndexSpec) -> str:
    """Return the id; raises InputError where the record has none that an engine takes."""
    value = record.fields.get(spec.id)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise InputError(
            f"field '{spec.id}' (the id) must be a text or an integer, found {value!r:.40}"
        )
    id_ = str(value)
    if len(id_.encode()) > 512:
        raise InputError(f"the id {value!r:.40} is longer than 512 bytes")
    return id_


def typed_fields(record: Record, spec: IndexSpec) -> dict[str, Any]:
    """Return the record's fields with texts such as "12.5" turned into their metadata's type.

    An empty text is a missing value, unless the type is keyword. Raises InputError, naming field
    and value, where a value is not of its type.
    """
    fields = dict(record.fields)
    for name, kind in spec.metadata.items():
        value = fields.get(name)
        if value is None or kind == "keyword":
            continue
        if value == "":
            del fields[name]
        elif kind in _CONVERTERS:
            fields[name] = _convert(name, kind, value)
    return fields


def vector_columns(spec: VectorSpec, name: str, vectors: Float32) -> dict[str, Float32]:
    """Return the field of the full vector and of each prefix: field -> (N, dims)."""
    dims = (spec.dimension, *spec.prefixes)
    columns = prefixes(vectors, dims, space=spec.space)
    return {name if d == spec.dimension else f"{name}_{d}": columns[d] for d in dims}


def code_columns(codebook: Codebook, name: str, vectors: Float32) -> dict[str, list[Any]]:
    """Return the fields of the codes of vectors (N, D): base64, the digest, and the cell if there are.

    vectors: as they are indexed, of length 1 for cosine.
    """
    encoded = codebook.encode(vectors)
    columns: dict[str, list[Any]] = {
        code_field(name, "codes"): encoded.texts,
        code_field(name, "codebook"): [codebook.digest] * len(vectors),
    }
    if encoded.cells is not None:
        columns[code_field(name, "cell")] = encoded.cells.tolist()
    return columns


def serialise_column(
    name: str, values: Sequence[Any], base64: Base64Floats | None = None
) -> list[bytes]:
    """Return a field with each of its N values, as members of JSON objects.

    values: vectors (N, D) float32, or anything that JSON has. base64: write vectors as base64 of these
    numbers.

    >>> serialise_column("v", np.array([[1, -2]], np.float32), ">f4")
    [b'"v":"P4AAAMAAAAA="']
    >>> serialise_column("v", np.array([[1, -2]], np.float32))
    [b'"v":[1.0,-2.0]']
    """
    key = orjson.dumps(name) + b":"
    if base64 and isinstance(values, np.ndarray):
        rows = np.ascontiguousarray(values, base64)
        return [b'%b"%b"' % (key, b64encode(row)) for row in rows]
    return [key + orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY) for value in values]


def serialise(id_: str, fields: Mapping[str, Any], columns: Sequence[bytes] = ()) -> bytes:
    """Return the action line and the document line of a bulk body.

    columns: further members of the document, in JSON already, as `serialise_column` makes them.
    """
    action = orjson.dumps({"index": {"_id": id_}}, option=orjson.OPT_APPEND_NEWLINE)
    document = orjson.dumps(fields, option=_LINE)
    if not columns:
        return action + document
    members = document[1:-2]  # without braces and end of line
    return b"".join((action, b"{", b",".join((members, *columns) if members else columns), b"}\n"))


def _convert(name: str, kind: FieldType, value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_convert(name, kind, item) for item in value]
    try:
        return _CONVERTERS[kind](value)
    except (ValueError, KeyError, TypeError, OverflowError):
        raise InputError(f"field '{name}' must be {kind}, found {value!r:.60}") from None


def _to_float(value: Any) -> float:  # noqa: ANN401
    number = float(_no_boolean(value))
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _to_integer(value: Any) -> int:  # noqa: ANN401
    number = int(_no_boolean(value))
    if isinstance(value, float) and value != number:
        raise ValueError(value)
    return int(np.int64(number))


def _to_boolean(value: Any) -> bool:  # noqa: ANN401
    return value if isinstance(value, bool) else _BOOLEANS[str(value).lower()]


def _no_boolean(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, bool):
        raise TypeError(value)
    return value


_CONVERTERS: dict[FieldType, Callable[[Any], Any]] = {
    "float": _to_float,
    "integer": _to_integer,
    "boolean": _to_boolean,
}
