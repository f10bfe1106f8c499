"""The bodies of an embeddings endpoint in OpenAI's format; pure functions.

https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from kokeshi.errors import EncoderError
from kokeshi.types import Float32


def build_request(texts: Sequence[str], model: str, dimension: int | None = None) -> bytes:
    """Return the body that asks for the vectors of N texts. dimension: what the server cuts them to."""
    body = {"model": model, "input": list(texts)}
    return orjson.dumps(body if dimension is None else body | {"dimensions": dimension})


def parse_vectors(body: bytes, count: int, dimension: int, origin: str) -> Float32:
    """Return the vectors (N, D) float32 of an answer, in the order of the request.

    Raises EncoderError where the answer is no such thing: `count` rows are N, `dimension` is D.
    """
    rows = _rows(body, count, origin)
    try:
        with np.errstate(over="ignore"):  # too large for float32: infinite, which is refused below
            vectors = np.array([rows[number] for number in range(count)], np.float32)
    except (TypeError, ValueError):
        raise EncoderError(f"{origin} answered an embedding that is no list of numbers") from None
    if vectors.shape != (count, dimension):
        found = vectors.shape[1] if vectors.ndim == 2 else vectors.shape[1:]
        raise EncoderError(
            f"{origin} makes {found} dimensions, the spec says dimension: {dimension}; "
            "write the number that the model makes, or, where it can make fewer, "
            "send_dimensions: true"
        )
    if not np.isfinite(vectors).all():
        raise EncoderError(f"{origin} answered an embedding with NaN or infinite components")
    return vectors


def _rows(body: bytes, count: int, origin: str) -> dict[int, Any]:
    """Return index -> embedding, with exactly the indices 0 to count - 1."""
    try:
        data = orjson.loads(body)["data"]
        rows = {row["index"]: row["embedding"] for row in data}
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        raise EncoderError(
            f"{origin} did not answer as an embeddings endpoint does, but {body[:80]!r}; "
            "check the option url"
        ) from None
    if len(data) != count or set(rows) != set(range(count)):
        raise EncoderError(
            f"{origin} answered {len(data)} embeddings with the indices "
            f"{sorted(map(str, rows))[:5]} for {count} texts"
        )
    return rows


def parse_error(body: bytes) -> str:
    """Return what a server says about an error, in one line; empty where it says nothing."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = body.decode("utf-8", "replace")
    for key in ("error", "message", "detail"):
        if isinstance(said, dict) and isinstance(said.get(key), str | dict):
            said = said[key]
    return " ".join(str(said).split())
