"""The file of a codebook: a JSON header and float32 arrays, with a checksum over all of it. No pickle.

bytes       what
8           `KOKESHI` and a line feed
4           version of the format, unsigned
4           length of the header in bytes, unsigned
header      JSON: {"about": …, "arrays": {name: shape, …}}
arrays      float32, row by row, in the order of the header
32          SHA-256 of everything before

Numbers are little-endian. The checksum is of the whole file, so that one that was cut short or
altered anywhere is refused, whatever was hit.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from kokeshi.errors import CodebookError
from kokeshi.files import write_whole
from kokeshi.types import Float32, Json

MAGIC: Final = b"KOKESHI\n"
VERSION: Final = 1
_HEAD: Final = struct.Struct("<8sII")
_CHECKSUM: Final = 32
_REMEDY: Final = "fetch it again, or train a new one with: kokeshi codes train FILE"


def write_bytes(about: Json, arrays: Mapping[str, Float32]) -> bytes:
    """Return the content of a file. about: what JSON can hold. arrays: in their order."""
    header = orjson.dumps({"about": about, "arrays": {n: list(a.shape) for n, a in arrays.items()}})
    parts = [_HEAD.pack(MAGIC, VERSION, len(header)), header]
    parts += [raw_bytes(array) for array in arrays.values()]
    content = b"".join(parts)
    return content + hashlib.sha256(content).digest()


def read_bytes(data: bytes, name: str) -> tuple[Json, dict[str, Float32]]:
    """Return what `write_bytes` was given. name: where the bytes are from, for messages.

    Raises CodebookError where they are no codebook, cut short, altered, or of a newer version.
    """
    if data[: len(MAGIC)] != MAGIC:
        what = "is empty" if not data else "is not a codebook file, or its beginning is damaged"
        raise CodebookError(f"codebook {name}: it {what}; {_REMEDY}")
    content, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
    if len(content) < _HEAD.size or hashlib.sha256(content).digest() != checksum:
        raise CodebookError(
            f"codebook {name}: it was cut short or altered, its checksum does not match; {_REMEDY}"
        )
    _, version, length = _HEAD.unpack_from(content)
    if version != VERSION:
        raise CodebookError(
            f"codebook {name}: version {version} of the format is not known here, only {VERSION}; "
            "install a newer Kokeshi, or train a new one with: kokeshi codes train FILE"
        )
    with reading(name):
        header = orjson.loads(content[_HEAD.size : _HEAD.size + length])
        return header["about"], _read_arrays(content, _HEAD.size + length, header["arrays"])


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Name the file in what goes wrong with one of another writer, whose checksum matches."""
    try:
        yield
    except (CodebookError, KeyError, TypeError, ValueError, AttributeError) as error:
        why = error if isinstance(error, CodebookError) else repr(error)
        raise CodebookError(
            f"codebook {name}: its content is not that of a codebook ({why}); {_REMEDY}"
        ) from None


def _read_arrays(content: bytes, at: int, shapes: Mapping[str, list[int]]) -> dict[str, Float32]:
    arrays: dict[str, Float32] = {}
    for name, shape in shapes.items():
        flat = np.frombuffer(content, "<f4", prod(shape), at)
        arrays[name] = flat.reshape(shape).astype(np.float32)
        at += flat.nbytes
    if at != len(content):
        raise ValueError(f"{len(content) - at} bytes belong to no array")
    return arrays


def raw_bytes(array: Float32) -> bytes:
    """Return an array as little-endian float32, row by row, whatever machine this is."""
    return np.ascontiguousarray(array, "<f4").tobytes()


def read_file(path: str | Path) -> bytes:
    """Return the content of a file; raises CodebookError where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise CodebookError(
            f"codebook {path}: no such file; train it with: kokeshi codes train FILE"
        ) from None
    except OSError as error:
        raise CodebookError(f"codebook {path}: {_why(error)}") from None


def write_file(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all; raises CodebookError where it cannot be written."""
    try:
        write_whole(Path(path), data)
    except OSError as error:
        raise CodebookError(f"codebook {path}: cannot be written: {_why(error)}") from None


def _why(error: OSError) -> str:
    return (error.strerror or "it cannot be used").lower()
