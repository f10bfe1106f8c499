"""k-means, by faiss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import numpy.typing as npt

from kokeshi.codes.faiss_library import load_faiss
from kokeshi.errors import CodebookError
from kokeshi.types import Float32

POINTS_PER_CENTROID = 256
"""More rows than so many for each centroid are not looked at; they change little."""

_SMALL = 2**20
"""An iteration of fewer distances than so many takes less than a millisecond."""


def kmeans(X: Float32, count: int, *, rng: np.random.Generator, iterations: int = 25) -> Float32:
    """Return `count` centroids (count, D) of X (N, D), by Lloyd's algorithm.

    Raises:
        CodebookError: X has fewer rows than there are to be centroids.
    """
    if len(X) < count:
        raise CodebookError(f"{count} centroids of {len(X)} vectors: give at least {count}")
    faiss = load_faiss()
    trained = faiss.Kmeans(
        X.shape[1],
        count,
        niter=iterations,
        seed=int(rng.integers(2**31)),
        min_points_per_centroid=1,  # else faiss prints a warning
        max_points_per_centroid=POINTS_PER_CENTROID,
    )
    rows = min(len(X), POINTS_PER_CENTROID * count)
    with _one_thread(faiss, where=rows * count < _SMALL):
        trained.train(np.ascontiguousarray(X, np.float32))
    centroids: Float32 = trained.centroids
    return centroids


@contextmanager
def _one_thread(faiss: ModuleType, *, where: bool) -> Iterator[None]:
    """Keep faiss to one thread: on a busy machine threads wait for each other far longer than they work."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1 if where else threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def nearest(X: Float32, centroids: Float32) -> npt.NDArray[np.int64]:
    """Return which of centroids (K, D) is nearest by L2 to each row of X (N, D), as (N,)."""
    X, centroids = (np.ascontiguousarray(a, np.float32) for a in (X, centroids))
    _, ids = load_faiss().knn(X, centroids, 1)
    found: npt.NDArray[np.int64] = ids[:, 0]
    return found
