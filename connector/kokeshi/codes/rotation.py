"""Orthogonal transforms fitted to a sample: they change what a dimension holds, but no inner product.

None of them moves the origin: inner products, lengths, distances and cosines of rotated vectors are
those of the vectors. A mean that was subtracted would change the first and the last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from typing_extensions import Self

from kokeshi.codes.checks import check_vectors
from kokeshi.codes.faiss_library import load_faiss
from kokeshi.codes.packing import check_codebook_size
from kokeshi.errors import CodebookError
from kokeshi.types import Float32, Floats

_OPQ_ROWS = 32_768
"""More rows than so many change the rotation little, and take longer."""

_OPQ_ITERATIONS = 10
"""Twice as many lower the distortion by less than half a per cent."""

_ORTHOGONAL = 1e-4
"""The most by which an entry of Rᵀ R may differ from that of the identity."""


class Rotation(ABC):
    """An orthogonal matrix R (D, D), found by `fit` or given by `restore`; x becomes x R.

    matrix: (D, D) float32, None before.
    """

    def __init__(self) -> None:
        self.matrix: Float32 | None = None

    def fit(self, X: Float32, *, rng: np.random.Generator) -> Self:
        """Find the matrix for vectors X (N, D); rng decides all that is random.

        Raises:
            CodebookError: X holds what is not finite, or does not fit the rotation.
        """
        return self.restore(self._find(check_vectors(X), rng))

    def restore(self, matrix: Floats) -> Self:
        """Take a matrix (D, D) that was found before.

        Raises:
            CodebookError: it is not square, or not orthogonal.
        """
        _check_orthogonal(matrix)
        self.matrix = np.ascontiguousarray(matrix, np.float32)
        return self

    def apply(self, X: Float32) -> Float32:
        """Return X R (N, D) float32 for vectors X (N, D).

        Raises:
            CodebookError: not fitted, or X has other dimensions.
        """
        rotated: Float32 = check_vectors(X, len(self._fitted)) @ self._fitted
        return rotated

    def invert(self, X: Float32) -> Float32:
        """Return X Rᵀ (N, D) float32, which undoes `apply`.

        Raises:
            CodebookError: not fitted, or X has other dimensions.
        """
        restored: Float32 = check_vectors(X, len(self._fitted)) @ self._fitted.T
        return restored

    @property
    def _fitted(self) -> Float32:
        if self.matrix is None:
            raise CodebookError(f"this {type(self).__name__} is not fitted: call fit first")
        return self.matrix

    @abstractmethod
    def _find(self, X: Float32, rng: np.random.Generator) -> Floats:
        """Return the matrix (D, D) for vectors (N, D)."""


class PcaRotation(Rotation):
    """Principal axes, the most telling first, so that a prefix keeps as much as one can.

    The columns are the eigenvectors of the second moment XᵀX / N, by eigenvalue. It is not centred,
    as inner products are not: of all prefixes of orthogonal transforms, those of this one lose the
    least of q·x on average of two vectors of the sample. An eigenvector's largest component is made
    positive, which leaves one result.
    """

    def _find(self, X: Float32, rng: np.random.Generator) -> Floats:  # noqa: ARG002 (nothing is random)
        if len(X) == 0:
            raise CodebookError("no vectors to fit a PcaRotation to: give at least one")
        rows = X.astype(np.float64)
        _, vectors = np.linalg.eigh(rows.T @ rows / len(rows))  # eigenvalues ascend
        descending = vectors[:, ::-1]
        largest = np.abs(descending).argmax(axis=0)
        signs: Floats = np.sign(descending[largest, np.arange(len(largest))])
        return descending * signs


class OpqRotation(Rotation):
    """Optimised product quantisation (Ge, He, Ke, Sun 2013): the rotation with the least distortion.

    It starts with principal axes, dealt so that subvectors have equal products of variances
    (section 3.2, parametric), which does most of it, and then alternates training codewords and
    solving for the rotation (section 3.1, non-parametric), by faiss. Relative distortion without,
    after the first, and after both: .332, .294, .293 (GloVe, 25 subvectors of 16 codewords), .459,
    .283, .275 (icecat by wordllama, 32) and .392, .178, .175 (by MiniLM, 48). The second step
    needs a sample: with 20 and 8 rows a dimension it made the first two worse again, by 2%.
    """

    def __init__(self, num_subvectors: int, codebook_size: int = 256) -> None:
        """Take M and Ks of the quantiser that the rotation is for.

        Raises:
            CodebookError: M is below 1, or Ks is neither 16 nor 256.
        """
        super().__init__()
        check_codebook_size(codebook_size)
        if num_subvectors < 1:
            raise CodebookError(f"num_subvectors {num_subvectors}: write 1 or more")
        self.num_subvectors = num_subvectors
        self.codebook_size = codebook_size

    def _find(self, X: Float32, rng: np.random.Generator) -> Floats:
        self._check(X)
        if len(X) > _OPQ_ROWS:
            X = X[np.sort(rng.choice(len(X), _OPQ_ROWS, replace=False))]
        return self._alternate(X, allocate(X, self.num_subvectors), int(rng.integers(2**31)))

    def _check(self, X: Float32) -> None:
        if X.shape[1] % self.num_subvectors:
            raise CodebookError(
                f"an OpqRotation of {self.num_subvectors} subvectors for {X.shape[1]} dimensions: "
                "write a divisor of the dimensions, or use no rotation"
            )
        if len(X) < self.codebook_size:
            raise CodebookError(
                f"{len(X)} vectors for {self.codebook_size} codewords: give at least "
                f"{self.codebook_size}, better {39 * self.codebook_size}"
            )

    def _alternate(self, X: Float32, start: Floats, seed: int) -> Floats:
        """Return the matrix that faiss finds from `start`; both are for x R."""
        faiss = load_faiss()
        dimension = X.shape[1]
        quantizer = faiss.ProductQuantizer(
            dimension, self.num_subvectors, self.codebook_size.bit_length() - 1
        )
        quantizer.cp.min_points_per_centroid = 1  # else faiss prints a warning
        quantizer.cp.seed = seed
        opq = faiss.OPQMatrix(dimension, self.num_subvectors)
        opq.pq = quantizer
        opq.niter = _OPQ_ITERATIONS
        faiss.copy_array_to_vector(start.T.astype(np.float32).ravel(), opq.A)  # faiss: A x
        opq.train(X)
        return _nearest_orthogonal(faiss.vector_to_array(opq.A).reshape(dimension, dimension).T)


def allocate(X: Float32, num_subvectors: int) -> Floats:
    """Return principal axes (D, D) as columns, dealt to M subvectors of equal products of variance.

    Each axis, by falling variance, goes to the subvector with room whose product is least so far
    (Ge et al. 2013, section 3.2, eigenvalue allocation). X: (N, D), M divides D.
    """
    values, vectors = np.linalg.eigh(
        np.cov(X.astype(np.float64), rowvar=False).reshape(2 * X.shape[1:])
    )
    logs = np.log(np.maximum(values, values[-1] * 1e-9 + 1e-30))
    logs -= logs.min()  # a product of many below 1 would fall with each axis
    groups: list[list[int]] = [[] for _ in range(num_subvectors)]
    room = X.shape[1] // num_subvectors
    for axis in reversed(range(X.shape[1])):
        open_ = (group for group in groups if len(group) < room)
        min(open_, key=lambda group: sum(logs[group])).append(axis)
    return vectors[:, np.concatenate(groups)]


def _nearest_orthogonal(matrix: Floats) -> Floats:
    """Return the orthogonal matrix nearest to one that float32 has made slightly less so."""
    left, _, right = np.linalg.svd(matrix.astype(np.float64))
    product: Floats = left @ right
    return product


def _check_orthogonal(matrix: Floats) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise CodebookError(f"a rotation of shape {matrix.shape}: give (D, D)")
    wide = matrix.astype(np.float64)
    error = np.abs(wide.T @ wide - np.eye(len(wide))).max()
    if not error <= _ORTHOGONAL:  # NaN too
        raise CodebookError(
            f"a rotation that is not orthogonal, by {error:.3g}: give the matrix of one that was fitted"
        )
