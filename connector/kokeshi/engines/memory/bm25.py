"""BM25 as Lucene computes it (`BM25Similarity`; Robertson and Zaragoza 2009), in float32.

    score = boost * idf * tf / (tf + k1 * (1 - b + b * length / mean length))
    idf   = ln(1 + (N - df + 0.5) / (df + 0.5))

N counts the documents that have a word in the field. A length is stored in one byte: exact up to
40 words, then with four significant bits (`SmallFloat.intToByte4`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from kokeshi.engines.memory.analysis import analyse
from kokeshi.types import Float32

K1: Final = 1.2
B: Final = 0.75
GAP: Final = 100
"""Positions between two values of a field, so that no phrase spans them."""
_EXACT_LENGTHS = 24
_LENGTH_BITS = 4

Rows = npt.NDArray[np.int64]


class Postings:
    """The words of one text field of N documents: word -> row -> positions."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self.rows = len(texts)
        self._positions: dict[str, dict[int, list[int]]] = {}
        lengths = np.zeros(len(texts), np.int64)
        for row, values in enumerate(texts):
            lengths[row] = self._add(row, values)
        filled = np.count_nonzero(lengths)
        self.documents = int(filled)
        mean = np.float32(lengths.sum() / filled) if filled else np.float32(1)
        kept = np.array([stored_length(int(n)) for n in lengths], np.float32)
        self._norms: Float32 = np.float32(1) / (
            np.float32(K1) * ((1 - B) + B * kept / mean)
        ).astype(np.float32)

    def _add(self, row: int, values: Sequence[str]) -> int:
        """Index the values of one document; returns how many words they have."""
        count, position = 0, -GAP
        for value in values:
            position += GAP
            for word in analyse(value):
                self._positions.setdefault(word, {}).setdefault(row, []).append(position)
                position += 1
                count += 1
        return count

    def find(self, word: str) -> Rows:
        """Return the rows that have a word, (n,)."""
        return np.fromiter(self._positions.get(word, ()), np.int64)

    def score(self, word: str, boost: float) -> Float32:
        """Return the score of each document for one word, (N,); 0 where it is not."""
        tf = np.zeros(self.rows, np.float32)
        for row, positions in self._positions.get(word, {}).items():
            tf[row] = len(positions)
        return self._score(tf, boost * self._idf(word))

    def score_phrase(self, words: Sequence[str], boost: float) -> Float32:
        """Return the score of each document for words in a row, (N,): the sum of their idfs counts."""
        tf = np.zeros(self.rows, np.float32)
        first, *others = (self._positions.get(word, {}) for word in words)
        for row in set(first).intersection(*others):
            after = [set(found[row]) for found in others]
            starts = (
                all(start + n in at for n, at in enumerate(after, start=1)) for start in first[row]
            )
            tf[row] = sum(starts)
        return self._score(tf, boost * sum(map(self._idf, words)))

    def _idf(self, word: str) -> float:
        df = len(self._positions.get(word, ()))
        return float(np.log1p((self.documents - df + 0.5) / (df + 0.5)))

    def _score(self, tf: Float32, weight: float) -> Float32:
        scaled = np.float32(weight)
        scores: Float32 = scaled - scaled / (np.float32(1) + tf * self._norms)
        return scores


def stored_length(length: int) -> int:
    """Return the length of a field as Lucene's byte gives it back.

    >>> [stored_length(n) for n in (39, 40, 41, 57, 100)]
    [39, 40, 40, 56, 96]
    """
    rest = length - _EXACT_LENGTHS
    shift = max(rest.bit_length() - _LENGTH_BITS, 0) if rest > 0 else 0
    return length if not shift else _EXACT_LENGTHS + ((rest >> shift) << shift)
