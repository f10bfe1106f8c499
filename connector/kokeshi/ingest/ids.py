"""Remember which ids were seen, in eight bytes each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.int64]

MOST_IDS: Final = 20_000_000
"""Ids that are remembered: 160 MB, and as much again for a moment while runs are merged."""


class IdSet:
    """The 64-bit hashes of ids, in sorted runs of growing length (a logarithmic merge).

    It is full after `most` ids: later ones are compared with the earlier ones, but not remembered.
    """

    def __init__(self, most: int = MOST_IDS) -> None:
        self._runs: list[Hashes] = []
        self._most = most
        self.full = False

    def find(self, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return which of N ids were added: (N,) bool."""
        return self._find(_hashes(ids))

    def add(self, ids: Sequence[str]) -> int:
        """Add ids; returns how many were there already, or occur more than once among them."""
        new = np.unique(_hashes(ids))
        new = new[~self._find(new)]
        self._remember(new)
        return len(ids) - len(new)

    def _find(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(hashes), np.bool_)
        for run in self._runs:
            places = np.searchsorted(run, hashes)
            found |= run[np.minimum(places, len(run) - 1)] == hashes
        return found

    def _remember(self, new: Hashes) -> None:
        self.full = self.full or sum(map(len, self._runs)) + len(new) > self._most
        if self.full or not len(new):
            return
        while self._runs and len(self._runs[-1]) <= 2 * len(new):
            new = np.concatenate([self._runs.pop(), new])
            new.sort(kind="stable")  # merges two sorted parts in linear time
        self._runs.append(new)


def _hashes(ids: Sequence[str]) -> Hashes:
    return np.fromiter(map(hash, ids), np.int64, len(ids))
