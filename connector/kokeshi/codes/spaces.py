"""The three spaces and the one scale on which every engine reports similarity.

Engines only accept scores that are not negative, so similarity is mapped to one (Lucene's own
maps, `VectorSimilarityFunction`). Higher is nearer in all three.

space    similarity s            score
cosine   cos(q, x)               (1 + s) / 2
dot      q · x                   1 + s where s >= 0, else 1 / (1 - s)
l2       -|q - x|^2              1 / (1 - s)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from kokeshi.types import Float32, Floats


@dataclass(frozen=True)
class SpaceMap:
    """One space: similarity of vectors, and the map to a score and back.

    similarity: (D,), (N, D) -> (N,). to_score and from_score: (N,) -> (N,), inverse to each other.
    """

    similarity: Callable[[Float32, Float32], Floats]
    to_score: Callable[[Floats], Floats]
    from_score: Callable[[Floats], Floats]


def normalise(vectors: Float32) -> Float32:
    """Return vectors (N, D) scaled to length 1; a zero vector stays zero.

    >>> normalise(np.array([[3, 4]], np.float32))
    array([[0.6, 0.8]], dtype=float32)
    """
    # float64: the squares of large float32 components would overflow, those of small ones vanish
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)
    scaled = np.divide(vectors, lengths, out=np.zeros(vectors.shape), where=lengths > 0)
    result: Float32 = scaled.astype(np.float32)
    return result


def _cosine(query: Float32, vectors: Float32) -> Floats:
    scores: Floats = normalise(vectors) @ normalise(query[None])[0]
    return scores


def _dot(query: Float32, vectors: Float32) -> Floats:
    scores: Floats = vectors @ query
    return scores


def _minus_l2(query: Float32, vectors: Float32) -> Floats:
    scores: Floats = -np.square(vectors - query).sum(axis=1)
    return scores


def _dot_to_score(s: Floats) -> Floats:
    return np.where(s >= 0, 1 + s, 1 / (1 - np.minimum(s, 0)))


def _dot_from_score(score: Floats) -> Floats:
    return np.where(score >= 1, score - 1, 1 - 1 / np.minimum(score, 1))


SPACES: Final[Mapping[str, SpaceMap]] = {
    "cosine": SpaceMap(_cosine, lambda s: (1 + s) / 2, lambda score: 2 * score - 1),
    "dot": SpaceMap(_dot, _dot_to_score, _dot_from_score),
    "l2": SpaceMap(_minus_l2, lambda s: 1 / (1 - s), lambda score: 1 - 1 / score),
}
