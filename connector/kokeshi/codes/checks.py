"""What every fit and encode asks of vectors."""

from __future__ import annotations

import numpy as np

from kokeshi.errors import CodebookError
from kokeshi.types import Float32


def check_vectors(X: Float32, dimension: int | None = None) -> Float32:
    """Return X (N, D) as float32, contiguous.

    Raises:
        CodebookError: it is not two-dimensional, has another D, or holds what is not finite, its
            square included.
    """
    X = np.ascontiguousarray(X, np.float32)
    if X.ndim != 2 or X.shape[1] == 0 or dimension not in (None, X.shape[1]):
        raise CodebookError(f"vectors of shape {X.shape}: give (N, {dimension or 'D'})")
    usable = np.isfinite(np.einsum("nd,nd->n", X, X))
    if not usable.all():
        raise CodebookError(
            f"vector {usable.argmin()} holds NaN, infinity or too large a number: leave it out or "
            "embed it again"
        )
    return X
