"""Whether a sample can train a codebook, and why not: too small, constant, repeated, not finite."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kokeshi.codes.checks import check_vectors
from kokeshi.errors import CodebookError
from kokeshi.types import Float32

ROWS_PER_CENTROID = 39
"""With fewer rows for each centroid faiss warns that clusters are poor."""

_MOST_CONSTANT = 0.5
_MANY_REPEATED = 0.5


def check_sample(X: Float32, *, codebook_size: int, nlist: int = 0) -> tuple[str, ...]:
    """Refuse a sample X (N, D) that cannot train `codebook_size` codewords and `nlist` cells.

    Returns warnings, one sentence each, about one that can be used but is poor.

    Raises:
        CodebookError: it is not finite, has fewer different rows than centroids, or is the same in
            half of its dimensions or more.
    """
    X = check_vectors(X)
    centroids = max(codebook_size, nlist)
    distinct = _count_distinct(X)
    if distinct < centroids:
        raise CodebookError(
            f"a sample of {len(X)} vectors, {distinct} of them different, for {centroids} "
            f"centroids: give at least {centroids} different ones, better {_enough(centroids)}"
        )
    constant = int((X.min(axis=0) == X.max(axis=0)).sum())
    if constant >= _MOST_CONSTANT * X.shape[1]:
        raise CodebookError(
            f"{constant} of {X.shape[1]} dimensions have one value in the whole sample: leave them "
            "out, or check what made the vectors"
        )
    return tuple(_warnings(X, distinct, constant, centroids))


def _warnings(X: Float32, distinct: int, constant: int, centroids: int) -> Iterator[str]:
    if len(X) < _enough(centroids):
        yield (
            f"{len(X)} vectors for {centroids} centroids are few: with {_enough(centroids)} or more "
            "codes are better"
        )
    if constant:
        yield f"{constant} of {X.shape[1]} dimensions have one value in the whole sample"
    if len(X) - distinct > _MANY_REPEATED * len(X):
        yield f"only {distinct} of {len(X)} vectors are different: leave repeated ones out"


def _enough(centroids: int) -> int:
    return ROWS_PER_CENTROID * centroids


def _count_distinct(X: Float32) -> int:
    """Return how many rows of X (N, D) differ, bit by bit but for the sign of zero."""
    if len(X) == 0:
        return 0
    rows = np.ascontiguousarray(X + np.float32(0))  # -0 becomes 0
    return len(np.unique(rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))))
