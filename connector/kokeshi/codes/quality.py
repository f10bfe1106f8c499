"""How good codes are on vectors that did not train them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from kokeshi.codes.checks import check_vectors
from kokeshi.errors import CodebookError
from kokeshi.types import Float32, Floats

C = TypeVar("C")

_BLOCK = 256
"""Queries that are compared at once."""

_TIE = 1e-6
"""Similarities that differ by no more, relative to the largest, are equal: copies of one product."""


class Coder(Protocol[C]):
    """Vectors to codes and back: every quantiser, and a whole `Codebook`."""

    def encode(self, X: Float32, /) -> C:
        """Return the codes of vectors (N, D)."""

    def decode(self, codes: C, /) -> Float32:
        """Return the vectors (N, D) that codes stand for."""


@dataclass(frozen=True)
class Quality:
    """What codes keep.

    recall1_at_10: the share of queries whose best vector is among the ten best by its codes.
    distortion_parallel, distortion_orthogonal: the squared error of held-out vectors along them and
    across, as shares of their squared lengths; their sum is the relative distortion.
    queries, base: how many vectors were asked for, and searched.
    """

    recall1_at_10: float
    distortion_parallel: float
    distortion_orthogonal: float
    queries: int
    base: int


def measure_quality(coder: Coder[Any], base: Float32, held_out: Float32, *, space: str) -> Quality:
    """Measure codes by `held_out` (Q, D), which did not train them, asked for in `base` (N, D).

    The similarity of a query and a decoded vector is what ADC gives by table, so this is the recall
    of ADC whatever the codes are. cosine: all are of length 1.

    Raises:
        CodebookError: there is no vector to ask for or to search, or they do not fit the codes.
    """
    held_out, base = check_vectors(held_out), check_vectors(base, held_out.shape[1])
    if not len(held_out) or not len(base):
        raise CodebookError(
            f"{len(held_out)} held-out vectors and {len(base)} to search: give at least one of each"
        )
    parallel, orthogonal = distortions(held_out, coder.decode(coder.encode(held_out)))
    found = _recall1_at_10(held_out, base, coder.decode(coder.encode(base)), space)
    return Quality(found, parallel, orthogonal, len(held_out), len(base))


def distortions(X: Float32, decoded: Float32) -> tuple[float, float]:
    """Return the squared error of decoded (N, D) along X (N, D) and across, as shares of |X|².

    The error r = x - x̂ is (r·x / |x|²) x and the rest (Guo et al. 2020, arXiv 1908.10396, section 3).
    """
    rows = X.astype(np.float64)
    errors = rows - decoded
    squares = np.square(rows).sum(axis=1)
    along = np.einsum("nd,nd->n", errors, rows)
    parallel = np.divide(along**2, squares, out=np.zeros_like(along), where=squares > 0).sum()
    total = float(squares.sum()) or 1.0
    return float(parallel) / total, float(np.square(errors).sum() - parallel) / total


def _recall1_at_10(queries: Float32, base: Float32, decoded: Float32, space: str) -> float:
    hits = 0
    top = min(10, len(base))
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        exact = _similarities(block, base, space)
        ids = np.argpartition(-_similarities(block, decoded, space), top - 1, axis=1)[:, :top]
        slack = _TIE * np.abs(exact).max(axis=1)
        reached = np.take_along_axis(exact, ids, axis=1).max(axis=1)
        hits += int((reached >= exact.max(axis=1) - slack).sum())
    return hits / len(queries)


def _similarities(queries: Float32, vectors: Float32, space: str) -> Floats:
    """Return (Q, N): dot products, or for l2 minus squared distances but for the query's own length."""
    products: Floats = queries @ vectors.T
    return 2 * products - np.square(vectors).sum(axis=1) if space == "l2" else products
