"""Matryoshka prefixes: the first dimensions of a vector as a vector of their own (arXiv 2205.13147).

Any prefix length works, trained or not; how much recall one keeps is measured, see
`kokeshi tune curve`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from kokeshi.errors import EncoderError
from kokeshi.types import Float32, Floats

_ROUNDING: Final = 2.0**-24
"""Of a float32 near one: the length of a vector that was scaled to one is as near as that."""


def prefix(vectors: Float32, dims: int, *, space: str) -> Float32:
    """Return the first `dims` dimensions of vectors (N, D) as (N, dims), of length 1 for cosine.

    Raises EncoderError where dims is not between 1 and D, or where a prefix is zero and the space
    is cosine, since a zero vector has no direction.
    """
    _check_dims(vectors, dims)
    if space != "cosine":
        return vectors[:, :dims]
    squares = np.square(vectors[:, :dims], dtype=np.float64).sum(axis=1)
    return _rescaled(vectors, dims, np.sqrt(squares))


def prefixes(vectors: Float32, dims: Sequence[int], *, space: str) -> dict[int, Float32]:
    """Return every prefix of vectors (N, D), as `dims -> (N, dims)`.

    For cosine the squared length of a prefix is that of the next shorter one and of what it has beyond
    it, so nested prefixes share one computation.
    """
    _check_dims(vectors, *dims)
    if space != "cosine":
        return {d: vectors[:, :d] for d in dims}
    squares = np.zeros(len(vectors))
    lengths = {}
    for shorter, longer in pairwise((0, *sorted(set(dims)))):
        beyond = vectors[:, shorter:longer]
        # float64: the squares of large float32 components would overflow, those of small ones vanish
        squares = squares + np.einsum("nd,nd->n", beyond, beyond, dtype=np.float64)
        lengths[longer] = np.sqrt(squares)
    return {d: _rescaled(vectors, d, lengths[d]) for d in dims}


def _check_dims(vectors: Float32, *dims: int) -> None:
    full = vectors.shape[1]
    if wrong := [d for d in dims if not 1 <= d <= full]:
        raise EncoderError(f"a prefix of {wrong[0]} dimensions: vectors have 1 to {full}")


def _rescaled(vectors: Float32, dims: int, lengths: Floats) -> Float32:
    if (zero := np.flatnonzero(lengths == 0)).size:
        raise EncoderError(
            f"vector {zero[0]} of the batch has only zeros in its first {dims} dimensions, "
            "so its prefix has no direction; use a longer prefix or space: dot"
        )
    if dims == vectors.shape[1] and (np.abs(lengths - 1) <= _ROUNDING).all():
        return vectors  # dividing would only round once more
    scaled: Float32 = np.empty((len(vectors), dims), np.float32)
    # divides float64, and rounds while the numbers are in the processor's cache
    return np.divide(vectors[:, :dims], lengths[:, None], out=scaled, casting="same_kind")
