"""Check vectors once, where they enter: right shape, finite, not zero where the space needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kokeshi.encoders.base import Encoder, QueryEncoder, Record, RecordEncoder
from kokeshi.errors import EncoderError
from kokeshi.schema import VectorSpec
from kokeshi.types import Float32


def embed_query(encoder: Encoder, spec: VectorSpec, text: str) -> Float32:
    """Return the vector (D,) of a query; raises EncoderError where it is unusable."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EncoderError(f"query {text!r}: it is not valid Unicode text") from None
    if not text.strip():
        raise EncoderError(f"query {text!r}: it has no words")
    encode = encoder.encode_queries if isinstance(encoder, QueryEncoder) else encoder.encode
    return check_query(encode([text])[0], spec, origin=f"query {text!r}")


def check_query(
    vector: npt.ArrayLike, spec: VectorSpec, *, origin: str = "query vector"
) -> Float32:
    """Return a query's vector as (D,) float32; raises EncoderError where it is unusable."""
    with np.errstate(over="ignore"):  # too large for float32: infinite, which is refused below
        array = np.asarray(vector, dtype=np.float32)
    if array.shape != (spec.dimension,):
        raise EncoderError(
            f"{origin}: {spec.dimension} dimensions are expected, found the shape {array.shape}"
        )
    for reason in _unusable(array[None], spec).values():
        raise EncoderError(f"{origin}: its vector {reason}")
    return array


@dataclass(frozen=True)
class Embedded:
    """The vectors (N, D) of N documents. unusable: position -> why its vector cannot be stored.

    absent: positions that have no text to embed; they can be indexed, without a vector.
    """

    vectors: Float32
    unusable: dict[int, str]
    absent: frozenset[int] = frozenset()


def embed_records(encoder: Encoder, spec: VectorSpec, records: Sequence[Record]) -> Embedded:
    """Return the vectors of N documents, checked. Raises EncoderError where the encoder is at fault."""
    if isinstance(encoder, RecordEncoder):
        vectors, reasons = encoder.encode_records(records)
        return Embedded(vectors, _checked(vectors, spec, encoder, len(records)) | reasons)
    if spec.template is None:
        raise EncoderError(f"encoder {spec.encoder.name} needs a source template in the spec")
    texts = [spec.template.render(record.fields) for record in records]
    rows = [row for row, text in enumerate(texts) if any(map(str.isalnum, text))]
    absent = frozenset(range(len(texts))).difference(rows)
    vectors = np.zeros((len(texts), spec.dimension), np.float32)
    if not rows:  # a server refuses a request without texts
        return Embedded(vectors, {}, absent)
    found = encoder.encode([texts[row] for row in rows])
    unusable = _checked(found, spec, encoder, len(rows))
    vectors[rows] = found
    return Embedded(vectors, {rows[at]: why for at, why in unusable.items()}, absent)


def _checked(vectors: Float32, spec: VectorSpec, encoder: Encoder, count: int) -> dict[int, str]:
    if vectors.shape != (count, spec.dimension):
        raise EncoderError(
            f"encoder {encoder.name}: the shape {(count, spec.dimension)} is expected, "
            f"found {vectors.shape}"
        )
    return _unusable(vectors, spec)


def _unusable(vectors: Float32, spec: VectorSpec) -> dict[int, str]:
    """Return row -> reason for the vectors (N, D) that cannot be stored or searched."""
    finite = np.isfinite(vectors).all(axis=1)
    reasons = {int(row): "has NaN or infinite components" for row in np.flatnonzero(~finite)}
    if spec.space == "cosine":
        shortest = min((spec.dimension, *spec.prefixes))
        zero = finite & ~vectors[:, :shortest].any(axis=1)
        reasons |= {
            int(row): f"has only zeros in its first {shortest} dimensions, so no direction"
            for row in np.flatnonzero(zero)
        }
    return reasons
