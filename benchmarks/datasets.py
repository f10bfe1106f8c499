"""The vectors that are searched: generated ones of any size, and those of a real catalogue."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from kokeshi.demo.specs import find_catalogues
from kokeshi.embedded.folders import cache_folder, engine_account
from kokeshi.encoders import Record, embed_query, embed_records, load_encoder
from kokeshi.ingest import Source
from kokeshi.schema import EncoderSpec, IndexSpec, VectorSpec
from kokeshi.types import Float32

KINDS = ("independent", "correlated", "anticorrelated")
"""How a filter relates to the vectors; each is a field that holds a document's rank."""

VECTOR = "embedding"
PREFIX = 128
SEED = 5


@dataclass(frozen=True)
class Dataset:
    """Vectors to search and to search by, of unit length. base: (N, D); queries: (Q, D), shuffled."""

    name: str
    folder: Path
    base: Float32
    queries: Float32

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.base.shape[1])

    @cached_property
    def region(self) -> Float32:
        """A direction (D,) that documents lie around: the mean of a document's 300 nearest."""
        near = np.argsort(-(self.base @ self.base[17]))[:300]
        mean: Float32 = self.base[near].mean(axis=0)
        return mean

    @cached_property
    def ranks(self) -> Mapping[str, npt.NDArray[np.int64]]:
        """Of each kind of filter, each document's rank (N,): a filter keeps the first ranks.

        Correlated filters keep what is nearest to the region, anticorrelated ones the farthest.
        """
        count = len(self.base)
        nearest = np.empty(count, np.int64)
        nearest[np.argsort(-(self.base @ self.region), kind="stable")] = np.arange(count)
        shuffled = np.random.default_rng(SEED).permutation(count)
        ranks = (shuffled, nearest, count - 1 - nearest)
        return dict(zip(KINDS, ranks, strict=True))

    def queries_for(self, kind: str, count: int) -> Float32:
        """Return `count` queries (count, D); with a filter that is not independent, the region's."""
        if kind in ("correlated", "anticorrelated"):
            return self.queries[np.argsort(-(self.queries @ self.region))[:count]]
        return self.queries[:count]

    def write(self) -> Path:
        """Write what `Index.ingest` reads: documents with their ranks, vectors beside them."""
        np.save(self.vectors_file, self.base)
        path = self.folder / "documents.jsonl"
        columns = [self.ranks[kind].tolist() for kind in KINDS]
        rows = zip(*columns, strict=True)
        lines = (
            orjson.dumps({"id": str(number), **dict(zip(KINDS, row, strict=True))})
            for number, row in enumerate(rows)
        )
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    @property
    def vectors_file(self) -> Path:
        """Row for row the documents' vectors."""
        return self.folder / "vectors.npy"

    def spec(self, index: str, settings: Mapping[str, Any], **vector: Any) -> IndexSpec:
        """Return the spec of an index of this. vector: options of `VectorSpec` beside the usual."""
        encoder = EncoderSpec(name="precomputed", file=str(self.vectors_file))
        options = {"encoder": encoder, "dimension": self.dimension, **vector}
        return IndexSpec(
            index=index,
            metadata=dict.fromkeys(KINDS, "float"),
            vectors={VECTOR: VectorSpec(**options)},
            settings=dict(settings),
        )


def load_dataset(name: str, data: Path, documents: int) -> Dataset:
    """Return `generated` with so many documents, or `icecat` as it is. data: the shared data's folder."""
    folder = cache_folder(engine_account()) / "benchmarks"
    if name == "icecat":
        return _icecat(folder / "icecat", data)
    return _generated(folder / f"generated-{documents}", data / "mrl_like.py", documents)


def _generated(folder: Path, script: Path, documents: int) -> Dataset:
    if not (folder / "truth.npy").exists():  # the last that the script writes
        command = [sys.executable, str(script), str(folder), "--n", str(documents)]
        subprocess.run(command, check=True)
    base, queries = np.load(folder / "base.npy"), np.load(folder / "queries.npy")
    return Dataset(f"generated {documents:,} × {base.shape[1]}", folder, base, queries)


def _icecat(folder: Path, data: Path) -> Dataset:
    """Documents by wordllama; the judged queries, and titles for want of more of them."""
    catalogue = next(c for c in find_catalogues(data) if c.name == "icecat")
    (vector,) = catalogue.spec.vectors.values()
    encoder = load_encoder(vector)
    records = [item for item in Source(catalogue.products) if isinstance(item, Record)]
    base = _unit(embed_records(encoder, vector, records).vectors)
    with (data / "icecat" / "judgments.csv").open(newline="", encoding="utf-8") as file:
        asked = list(dict.fromkeys(row["query"] for row in csv.DictReader(file)))
    rng = np.random.default_rng(SEED)
    asked += [records[row].fields["title"] for row in rng.choice(len(records), 365, replace=False)]
    rng.shuffle(asked)
    queries = _unit(np.stack([embed_query(encoder, vector, text) for text in asked]))
    folder.mkdir(parents=True, exist_ok=True)
    return Dataset(f"icecat {len(base):,} × {base.shape[1]}", folder, base, queries)


def _unit(vectors: Float32) -> Float32:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Float32 = vectors / lengths
    return scaled
