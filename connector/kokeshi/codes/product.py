"""Product quantisation (Jégou, Douze, Schmid 2011): each subvector is replaced by its codeword."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import Self

from kokeshi.codes.checks import check_vectors
from kokeshi.codes.faiss_library import load_faiss
from kokeshi.codes.kmeans import kmeans
from kokeshi.codes.packing import Codes, check_codebook_size, check_codes, unpack
from kokeshi.codes.spaces import SPACES
from kokeshi.errors import CodebookError
from kokeshi.types import Float32

if TYPE_CHECKING:
    from kokeshi.codes.rotation import Rotation


class ProductQuantizer:
    """A codebook (M, Ks, Ds) of M subvectors with Ks codewords of Ds dimensions each.

    D need not be divisible by M: vectors are then padded with zeros up to M * Ds, Ds being
    ceil(D / M). The rotation is applied first: codewords are those of rotated vectors.
    """

    def __init__(
        self, num_subvectors: int, codebook_size: int = 256, rotation: Rotation | None = None
    ) -> None:
        """Take M, Ks (16 or 256), and a rotation, which `fit` fits unless it is fitted.

        Raises:
            CodebookError: M is below 1, or Ks is neither 16 nor 256.
        """
        check_codebook_size(codebook_size)
        if num_subvectors < 1:
            raise CodebookError(f"num_subvectors {num_subvectors}: write 1 or more")
        self.num_subvectors = num_subvectors
        self.codebook_size = codebook_size
        self.rotation = rotation
        self._dimension = 0
        self._codewords: Float32 | None = None

    @property
    def codewords(self) -> Float32:
        """(M, Ks, Ds) float32; codewords[m][k] is the k-th codeword of the m-th subvector.

        Raises:
            CodebookError: there are none before `fit`.
        """
        if self._codewords is None:
            raise CodebookError(f"this {type(self).__name__} is not trained: call fit first")
        return self._codewords

    @property
    def dimension(self) -> int:
        """D; 0 before `fit`."""
        return self._dimension

    def fit(self, X: Float32, *, rng: np.random.Generator) -> Self:
        """Train the codewords, and the rotation, by vectors X (N, D) float32.

        Raises:
            CodebookError: X holds what is not finite, fewer than Ks rows, or too few dimensions.
        """
        X = check_vectors(X)
        self._check_subvectors(X.shape[1])
        if len(X) < self.codebook_size:
            raise CodebookError(
                f"{len(X)} vectors for {self.codebook_size} codewords: give at least "
                f"{self.codebook_size}, better {39 * self.codebook_size}"
            )
        if self.rotation is not None and self.rotation.matrix is None:
            self.rotation.fit(X, rng=rng)
        self._dimension = X.shape[1]
        self._codewords = self._train(self._prepare(X), rng)
        return self

    def restore(self, codewords: Float32, dimension: int) -> Self:
        """Take codewords (M, Ks, Ds) that were trained before, for vectors of D dimensions.

        Raises:
            CodebookError: their shape is not that of this quantiser, or they are not finite.
        """
        self._check_subvectors(dimension)
        expected = (self.num_subvectors, self.codebook_size, -(-dimension // self.num_subvectors))
        if codewords.shape != expected or not np.isfinite(codewords).all():
            raise CodebookError(
                f"codewords of shape {codewords.shape}: give finite ones of shape {expected}"
            )
        self._dimension = dimension
        self._codewords = np.ascontiguousarray(codewords, np.float32)
        return self

    def encode(self, X: Float32) -> Codes:
        """Return the codes (N, M) uint8 of vectors X (N, D): the numbers of their codewords.

        Raises:
            CodebookError: before `fit`; X has other dimensions or holds what is not finite.
        """
        codewords = self.codewords
        return self._assign(self._prepare(check_vectors(X, self._dimension)), codewords)

    def decode(self, codes: Codes) -> Float32:
        """Return the vectors (N, D) float32 that codes (N, M) stand for.

        Raises:
            CodebookError: before `fit`; codes are not uint8 (N, M) below Ks.
        """
        chosen = self.codewords[np.arange(self.num_subvectors), self._check_codes(codes)]
        padded = chosen.reshape(len(codes), chosen.shape[1] * chosen.shape[2])
        vectors: Float32 = padded[:, : self._dimension]
        return vectors if self.rotation is None else self.rotation.invert(vectors)

    def lookup_table(self, query: Float32, *, space: str = "dot") -> Float32:
        """Return (M, Ks): how similar each codeword is to the query's subvector.

        query: (D,), of length 1 for cosine. Its dot product with the codeword; for l2 minus their
        squared distance. The sum over a document's codes is its similarity (`SPACES`).

        Raises:
            CodebookError: before `fit`; the query has other dimensions or is not finite; another
                space.
        """
        codewords = self.codewords
        if space not in SPACES:
            raise CodebookError(f"space '{space}': write {', '.join(SPACES)}")
        prepared = self._prepare(check_vectors(np.asarray(query)[None], self._dimension))
        subvectors = prepared.reshape(self.num_subvectors, 1, -1)
        if space == "l2":
            table: Float32 = -np.square(codewords - subvectors).sum(axis=2)
        else:
            table = (codewords * subvectors).sum(axis=2)
        return table

    def adc_scores(self, table: Float32, codes: Codes) -> Float32:
        """Return the similarities (N,) float32 of codes (N, M) by a lookup table (M, Ks).

        Raises:
            CodebookError: the table is not (M, Ks), or codes are not uint8 (N, M) below Ks.
        """
        if table.shape != self.codewords.shape[:2]:
            raise CodebookError(
                f"a lookup table of shape {table.shape}: give {self.codewords.shape[:2]}"
            )
        scores = np.zeros(len(self._check_codes(codes)), np.float32)
        for row, column in zip(table, codes.T, strict=True):
            scores += row[column]
        return scores

    def _train(self, X: Float32, rng: np.random.Generator) -> Float32:
        """Return codewords (M, Ks, Ds) for prepared vectors (N, M * Ds)."""
        parts = np.hsplit(X, self.num_subvectors)
        return np.stack([kmeans(part, self.codebook_size, rng=rng) for part in parts])

    def _assign(self, X: Float32, codewords: Float32) -> Codes:
        """Return the codes (N, M) of prepared vectors (N, M * Ds): the nearest codewords by L2."""
        faiss = load_faiss()
        count, size, width = codewords.shape
        quantizer = faiss.ProductQuantizer(count * width, count, size.bit_length() - 1)
        faiss.copy_array_to_vector(codewords.ravel(), quantizer.centroids)
        return unpack(quantizer.compute_codes(np.ascontiguousarray(X)), count, size)

    def _prepare(self, X: Float32) -> Float32:
        """Return vectors (N, D) rotated, and padded with zeros, as (N, M * Ds)."""
        if self.rotation is not None:
            X = self.rotation.apply(X)
        if padding := -X.shape[1] % self.num_subvectors:
            X = np.pad(X, ((0, 0), (0, padding)))
        return X

    def _check_subvectors(self, dimension: int) -> None:
        count = self.num_subvectors
        used = -(-dimension // -(-dimension // count))
        if used < count:
            raise CodebookError(
                f"num_subvectors {count} for {dimension} dimensions: {count - used} subvectors would "
                f"hold nothing but padding; write {used}, or a divisor of {dimension}"
            )

    def _check_codes(self, codes: Codes) -> Codes:
        check_codes(codes, self.codebook_size)
        if codes.shape[1] != self.num_subvectors:
            raise CodebookError(
                f"codes of {codes.shape[1]} subvectors: the codebook has {self.num_subvectors}"
            )
        return codes
