"""One byte a dimension: where a vector lies between the least and the greatest of the sample."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from typing_extensions import Self

from kokeshi.codes.checks import check_vectors
from kokeshi.errors import CodebookError
from kokeshi.types import Float32

Bytes = npt.NDArray[np.int8]
"""Codes (N, D), -128 to 127."""

_LOWEST, _STEPS = -128, 255


class Int8Code:
    """256 levels for each dimension, evenly from its least to its greatest value in the sample.

    What lies outside is given the level at that end.
    """

    def __init__(self) -> None:
        self._levels: Float32 | None = None

    @property
    def levels(self) -> Float32:
        """(2, D) float32: the lowest level of each dimension, and the distance between two.

        Raises:
            CodebookError: there are none before `fit`.
        """
        if self._levels is None:
            raise CodebookError("this Int8Code is not trained: call fit first")
        return self._levels

    def fit(self, X: Float32, *, rng: np.random.Generator | None = None) -> Self:  # noqa: ARG002 (as others)
        """Find the levels for vectors X (N, D); nothing is random.

        Raises:
            CodebookError: X has no rows, or holds what is not finite.
        """
        X = check_vectors(X)
        if len(X) == 0:
            raise CodebookError("no vectors to fit an Int8Code to: give at least one")
        lowest = X.min(axis=0)
        self._levels = np.stack([lowest, (X.max(axis=0) - lowest) / np.float32(_STEPS)])
        return self

    def encode(self, X: Float32) -> Bytes:
        """Return the codes (N, D) int8 of vectors X (N, D).

        Raises:
            CodebookError: before `fit`; X has other dimensions or is not finite.
        """
        lowest, step = self.levels.astype(np.float64)
        above = check_vectors(X, len(lowest)) - lowest
        # a dimension that is constant in the sample has one level
        level = np.divide(above, step, out=np.zeros_like(above), where=step > 0)
        codes: Bytes = (np.rint(level).clip(0, _STEPS) + _LOWEST).astype(np.int8)
        return codes

    def decode(self, codes: Bytes) -> Float32:
        """Return the vectors (N, D) float32 that codes (N, D) stand for.

        Raises:
            CodebookError: before `fit`; codes are not int8 of so many dimensions.
        """
        lowest, step = self.levels
        levels = self._checked(codes).astype(np.float32) - _LOWEST
        vectors: Float32 = lowest + step * levels
        return vectors

    def scores(self, query: Float32, codes: Bytes) -> Float32:
        """Return the dot products (N,) of a query (D,) as it is and what codes (N, D) stand for.

        Raises:
            CodebookError: before `fit`; the query has other dimensions; codes are not such.
        """
        row = check_vectors(np.asarray(query)[None], self.levels.shape[1])[0]
        products: Float32 = self.decode(codes) @ row
        return products

    def _checked(self, codes: Bytes) -> Bytes:
        dimension = self.levels.shape[1]
        if codes.ndim != 2 or codes.dtype != np.int8 or codes.shape[1] != dimension:
            raise CodebookError(f"codes of {codes.dtype} {codes.shape}: give int8 (N, {dimension})")
        return codes
