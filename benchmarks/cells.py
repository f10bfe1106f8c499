"""Cells: a filter that keeps a share of the documents, its queries and their exact answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.datasets import KINDS, Dataset
from kokeshi import F
from kokeshi.filters import Filter
from kokeshi.types import Float32

SHARES = (0.001, 0.01, 0.1, 0.5)
TOP = 10
TIE = 1e-5
"""Similarities this near are equal: sums of 768 float32 products in two orders differ by 1e-6."""


@dataclass(frozen=True)
class Cell:
    """What is asked of every contender. queries: (Q, D); cutoffs: (Q,) similarity of the last true hit.

    kind: how the filter relates to the vectors, "all" without one; share: of the documents, kept.
    """

    dataset: Dataset
    kind: str
    share: float
    queries: Float32
    cutoffs: Float32

    @property
    def kept(self) -> int:
        """How many documents the filter leaves."""
        return round(len(self.dataset.base) * self.share)

    @property
    def name(self) -> str:
        """Such as `1% correlated`."""
        return "all" if self.kind == "all" else f"{self.share:g} {self.kind}"

    def filter(self, twist: int = 0) -> Filter | None:
        """Return the filter. twist: another number writes it in another way; it keeps the same."""
        if self.kind == "all":
            return None
        kept: Filter = getattr(F, self.kind) < self.kept - 0.5 + twist * 1e-6
        return kept

    def recall(self, number: int, ids: Sequence[str]) -> float:
        """Return the share of a query's true hits found; equal similarities stand for each other."""
        rows = np.array(ids, dtype=np.int64)
        if self.kind != "all":
            rows = rows[self.dataset.ranks[self.kind][rows] < self.kept]
        similarities = self.dataset.base[rows] @ self.queries[number]
        found = int((similarities >= self.cutoffs[number] - TIE).sum())
        return min(found / min(TOP, self.kept), 1.0)


def build_cells(dataset: Dataset, queries: int) -> Iterator[Cell]:
    """Yield a cell without a filter, then those of each kind and share."""
    yield _build(dataset, "all", 1.0, queries)
    for kind in KINDS:
        for share in SHARES:
            yield _build(dataset, kind, share, queries)


def _build(dataset: Dataset, kind: str, share: float, count: int) -> Cell:
    queries = dataset.queries_for(kind, count)
    kept = round(len(dataset.base) * share)
    base = dataset.base if kind == "all" else dataset.base[dataset.ranks[kind] < kept]
    top = min(TOP, kept)
    cutoffs = np.sort(queries @ base.T, axis=1)[:, -top]
    return Cell(dataset, kind, share, queries, cutoffs)
