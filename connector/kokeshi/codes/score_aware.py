"""Score-aware product quantisation: the anisotropic loss of ScaNN (Guo et al. 2020, arXiv 1908.10396).

An error along a document changes the scores of the queries that are near to it more than one across
it. With u = x / |x| and the residual r = x - x~ the loss is

    |r|² + (eta - 1) <r, u>²,    eta = (D - 1) T² / (1 - T²)

where documents whose cosine to the query is at least T matter. T is a cosine whatever the length of
x, so that eta is the same for all vectors; ScaNN puts T² / |x|² for T², which is the same for vectors
of length 1. An eta below 1 (T² < 1 / D) is taken as 1, the plain loss; so is that of a zero vector.

Codes come by coordinate descent: with all other subvectors fixed the loss is a quadratic function of
one subvector's codeword, the best of the Ks is chosen, and so on over the subvectors until nothing
changes. Training alternates that with the closed form of the codewords, subvector by subvector.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from typing_extensions import Self

from kokeshi.codes.kmeans import kmeans
from kokeshi.codes.packing import Codes
from kokeshi.codes.product import ProductQuantizer
from kokeshi.errors import CodebookError
from kokeshi.types import Float32

if TYPE_CHECKING:
    from kokeshi.codes.rotation import Rotation

Ids = npt.NDArray[np.integer[Any]]
"""Numbers of codewords or of vectors."""

SAMPLE = 100_000
"""Training looks at no more vectors than so many, chosen at random."""

ROUNDS = 10
"""So often training improves codes and codewords in turn."""

SWEEPS = 4
"""So often at most is each code of a vector chosen; the loss hardly falls after that."""

ENTRIES = 2**17
"""Codewords times vectors of one step: its arrays fit a core's own cache."""


class ScoreAwareQuantizer(ProductQuantizer):
    """A `ProductQuantizer` that keeps the scores of near documents at the cost of the others'."""

    def __init__(
        self,
        num_subvectors: int,
        codebook_size: int = 256,
        rotation: Rotation | None = None,
        threshold: float = 0.2,
    ) -> None:
        """Take what `ProductQuantizer` takes, and T, the cosine from which on documents matter.

        Raises:
            CodebookError: M is below 1, Ks is neither 16 nor 256, or T is not in [0, 1).
        """
        super().__init__(num_subvectors, codebook_size, rotation)
        if not 0 <= threshold < 1:
            raise CodebookError(
                f"threshold {threshold}: write a cosine from 0 to below 1, like 0.2"
            )
        self.threshold = threshold

    def _train(self, X: Float32, rng: np.random.Generator) -> Float32:
        if len(X) > SAMPLE:
            X = X[rng.choice(len(X), SAMPLE, replace=False)]
        parts = np.hsplit(X, self.num_subvectors)
        codewords = np.stack(
            [kmeans(part, self.codebook_size, rng=rng, iterations=10) for part in parts]
        )
        descent = Descent.start(X, self.num_subvectors, self._weight)
        for _ in range(ROUNDS):
            for part in descent.batches(self.codebook_size):
                part.sweep(codewords)
            codewords = descent.improve(codewords)
        return codewords

    def _assign(self, X: Float32, codewords: Float32) -> Codes:
        codes = np.empty((len(X), len(codewords)), np.uint8)
        size = ENTRIES // self.codebook_size
        for start in range(0, len(X), size):
            batch = Descent.start(X[start : start + size], len(codewords), self._weight)
            codes[start : start + size] = batch.run(codewords).T
        return codes

    @property
    def _weight(self) -> float:
        """What the parallel error counts beyond the plain loss; padding is no dimension."""
        return max(eta(self.threshold, self.dimension) - 1, 0.0)


def eta(threshold: float, dimension: int) -> float:
    """Return how much more the parallel error counts than the orthogonal (arXiv 1908.10396, eq. 5).

    >>> eta(0.2, 100)
    4.125
    """
    return (dimension - 1) * threshold**2 / (1 - threshold**2)


@dataclass(frozen=True)
class Descent:
    """Coordinate descent of the codes of n vectors; arrays are changed in place.

    Arrays have the vectors last, so that every operation runs along them. With s = u sqrt(eta - 1)
    the loss is |r|² + <r, s>².

    vectors: (M, Ds, n) float32, x by subvector. scale: (n,) float32, s / x. codes: (M, n) uint8.
    along: (M, n) float32, <c, s_m> of the codeword c that is chosen. rest: (n,) float32, <r, s>.
    """

    vectors: Float32
    scale: Float32
    codes: Codes
    along: Float32
    rest: Float32

    @classmethod
    def start(cls, X: Float32, num_subvectors: int, weight: float) -> Self:
        """Begin with vectors (n, M * Ds) as if each stood for itself: no residual, so rest is 0.

        weight: eta - 1.
        """
        count = len(X)
        vectors = np.ascontiguousarray(X.T).reshape(num_subvectors, -1, count)
        squares = np.einsum("mdn,mdn->mn", vectors, vectors)
        lengths = np.sqrt(squares.sum(axis=0))
        scale = np.divide(weight**0.5, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        codes = np.zeros((num_subvectors, count), np.uint8)
        return cls(vectors, scale, codes, squares * scale, np.zeros_like(scale))

    def batches(self, codebook_size: int) -> Iterator[Self]:
        """Yield views of so many vectors as one step takes."""
        size = ENTRIES // codebook_size
        for start in range(0, len(self.rest), size):
            yield self._of(slice(start, start + size))

    def run(self, codewords: Float32) -> Codes:
        """Return the codes (M, n) after sweeps until nothing changes, `SWEEPS` at most."""
        left, rows = self, np.arange(len(self.rest))
        for _ in range(SWEEPS):
            changed = np.flatnonzero(left.sweep(codewords))
            self.codes[:, rows] = left.codes
            if not changed.size:
                break
            if 2 * changed.size < rows.size:  # else to copy them costs more than to keep the others
                left, rows = left._of(changed), rows[changed]
        return self.codes

    def sweep(self, codewords: Float32) -> npt.NDArray[np.bool_]:
        """Choose each subvector's codeword of (M, Ks, Ds) again; returns which vectors changed (n,).

        With t, what <r, s> is without subvector m's codeword, the loss of a codeword c is
        |c|² - 2 <x_m + t s_m, c> + <c, s_m>², and what does not depend on c.
        """
        _, size, width = codewords.shape
        count = len(self.rest)
        products, squares, losses = np.empty((3, size, count), np.float32)
        target = np.ones((width + 1, count), np.float32)
        changed = np.zeros(count, bool)
        for m, lifted in enumerate(_lift(codewords)):
            others = self.rest + self.along[m]
            np.matmul(codewords[m], self.vectors[m] * self.scale, out=products)
            np.multiply(self.vectors[m], 1 + others * self.scale, out=target[:-1])
            np.matmul(lifted, target, out=losses)
            losses += np.square(products, out=squares)
            codes = _argmin(losses)
            changed |= codes != self.codes[m]
            self._choose(m, codes, others, products.ravel().take(codes * count + np.arange(count)))
        return changed

    def improve(self, codewords: Float32) -> Float32:
        """Return codewords (M, Ks, Ds) of the least loss for these codes, each m after the one before."""
        improved: Float32 = codewords.copy()
        for m, words in enumerate(improved):
            codes = self.codes[m].astype(np.intp)
            others = self.rest + self.along[m]
            scaled = self.vectors[m] * self.scale
            _solve(words, codes, scaled, self.vectors[m] + others * scaled)
            chosen = words.T.take(codes, axis=1)
            self._choose(m, codes, others, np.einsum("dn,dn->n", chosen, scaled))
        return improved

    def _choose(self, m: int, codes: Ids, others: Float32, along: Float32) -> None:
        self.codes[m] = codes
        self.along[m] = along
        np.subtract(others, along, out=self.rest)

    def _of(self, rows: slice | Ids) -> Self:
        """Return these vectors alone: views for a slice, copies for numbers."""
        return type(self)(*(getattr(self, field.name)[..., rows] for field in fields(self)))


def _lift(codewords: Float32) -> Float32:
    """Return (M, Ks, Ds + 1): its product with (y, 1) is |c|² - 2 <y, c>."""
    squares = np.square(codewords).sum(axis=2, keepdims=True)
    lifted: Float32 = np.concatenate([-2 * codewords, squares], axis=2)
    return lifted


def _argmin(losses: Float32) -> npt.NDArray[np.int32]:
    """Return the number of each column's least entry in (Ks, n), which is overwritten.

    The number is put into the last bits of the mantissa, where it changes the loss by 2e-6 or 3e-5
    of its size; the least is then found by plain vector instructions, several times as fast as argmin.
    """
    size = len(losses)
    bits = losses.view(np.int32)
    bits &= -size
    bits |= np.arange(size, dtype=np.int32)[:, None]
    least: npt.NDArray[np.int32] = losses.min(axis=0).view(np.int32) & (size - 1)
    return least


def _solve(words: Float32, codes: Ids, scaled: Float32, targets: Float32) -> None:
    """Set each codeword (Ks, Ds) that has vectors to c of sum(I + s sᵀ) c = sum(x + t s) over them.

    codes: (n,). scaled: (Ds, n), s. targets: (Ds, n), x + t s.
    """
    size, width = words.shape

    def total(weights: Float32) -> npt.NDArray[Any]:
        return np.bincount(codes, weights, minlength=size)

    counts = np.bincount(codes, minlength=size)
    matrices = counts[:, None, None] * np.eye(width)
    for a, b in combinations_with_replacement(range(width), 2):
        products = total(scaled[a] * scaled[b])
        matrices[:, a, b] += products
        if a != b:
            matrices[:, b, a] += products
    sums = np.stack([total(row) for row in targets], axis=1)
    used = counts > 0
    words[used] = np.linalg.solve(matrices[used], sums[used, :, None])[..., 0]
