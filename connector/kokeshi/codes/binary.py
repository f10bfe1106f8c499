"""One bit a dimension: on which side of the sample's mean a vector lies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from typing_extensions import Self

from kokeshi.codes.checks import check_vectors
from kokeshi.codes.packing import Codes
from kokeshi.codes.rotation import Rotation
from kokeshi.errors import CodebookError
from kokeshi.types import Float32

_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)
"""How many bits of a byte are set; NumPy counts them itself only from 2.0 on."""


class BinaryCode:
    """A bit for each dimension, set where a vector is not below the mean, after the rotation if any.

    A bit stands for the mean plus or minus the mean absolute deviation of its dimension, which is
    the pair of values with the least squared error for a symmetric distribution.
    """

    def __init__(self, rotation: Rotation | None = None) -> None:
        """Take a rotation, which `fit` fits unless it is fitted."""
        self.rotation = rotation
        self._levels: Float32 | None = None

    @property
    def levels(self) -> Float32:
        """(2, D) float32: the mean, and the mean absolute deviation, of each (rotated) dimension.

        Raises:
            CodebookError: there are none before `fit`.
        """
        if self._levels is None:
            raise CodebookError("this BinaryCode is not trained: call fit first")
        return self._levels

    def fit(self, X: Float32, *, rng: np.random.Generator) -> Self:
        """Find the means and deviations of vectors X (N, D).

        Raises:
            CodebookError: X has no rows, or holds what is not finite.
        """
        X = check_vectors(X)
        if len(X) == 0:
            raise CodebookError("no vectors to fit a BinaryCode to: give at least one")
        if self.rotation is not None and self.rotation.matrix is None:
            self.rotation.fit(X, rng=rng)
        rows = self._rotated(X).astype(np.float64)
        mean = rows.mean(axis=0)
        self._levels = np.stack([mean, np.abs(rows - mean).mean(axis=0)]).astype(np.float32)
        return self

    def encode(self, X: Float32) -> Codes:
        """Return the codes (N, ceil(D / 8)) uint8 of vectors X (N, D), the first bit the highest.

        Raises:
            CodebookError: before `fit`; X has other dimensions or is not finite.
        """
        mean = self.levels[0]
        return np.packbits(self._rotated(check_vectors(X, len(mean))) >= mean, axis=1)

    def decode(self, codes: Codes) -> Float32:
        """Return the vectors (N, D) float32 that codes stand for.

        Raises:
            CodebookError: before `fit`; codes have other bytes.
        """
        mean, deviation = self.levels
        bits = np.unpackbits(self._checked(codes), axis=1, count=len(mean)).astype(bool)
        vectors: Float32 = mean + np.where(bits, deviation, -deviation)
        return vectors if self.rotation is None else self.rotation.invert(vectors)

    def scores(self, query: Float32, codes: Codes) -> Float32:
        """Return the dot products (N,) of a query (D,) as it is and what codes stand for.

        Raises:
            CodebookError: before `fit`; the query has other dimensions; codes have other bytes.
        """
        row = check_vectors(np.asarray(query)[None], self.levels.shape[1])[0]
        products: Float32 = self.decode(codes) @ row
        return products

    def hamming_distances(self, query: Float32, codes: Codes) -> npt.NDArray[np.int64]:
        """Return in how many bits (N,) codes differ from the code of a query (D,).

        Raises:
            CodebookError: before `fit`; the query has other dimensions; codes have other bytes.
        """
        differing = self._checked(codes) ^ self.encode(np.asarray(query)[None])
        counts: npt.NDArray[np.int64] = _ONES[differing].sum(axis=1, dtype=np.int64)
        return counts

    def _rotated(self, X: Float32) -> Float32:
        return X if self.rotation is None else self.rotation.apply(X)

    def _checked(self, codes: Codes) -> Codes:
        expected = -(-self.levels.shape[1] // 8)
        if codes.ndim != 2 or codes.dtype != np.uint8 or codes.shape[1] != expected:
            raise CodebookError(f"codes of {codes.dtype} {codes.shape}: give uint8 (N, {expected})")
        return codes
