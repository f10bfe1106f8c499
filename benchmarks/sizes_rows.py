"""The indices whose sizes were measured, from every file of results that tells one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import orjson

from benchmarks.indices import VARIANTS
from benchmarks.rows import read_rows
from benchmarks.sizes import RESULTS
from kokeshi.schema import CodesSpec, IndexSpec, VectorSpec
from kokeshi.sizing.documents import DocumentSize
from kokeshi.types import Json

RANKS = {"independent": "float", "correlated": "float", "anticorrelated": "float"}
"""The fields of the documents of `benchmarks.datasets`."""


@dataclass(frozen=True)
class Measured:
    """One index as it was measured. total, hot, cpu: of a document; None where it was not looked at."""

    engine: str
    dataset: str
    variant: str
    documents: int
    spec: IndexSpec
    size: DocumentSize
    total: float
    hot: float | None
    cpu: float | None

    @property
    def vector(self) -> VectorSpec | None:
        """The only vector, if there is one."""
        return next(iter(self.spec.vectors.values()), None)


def read_measured() -> list[Measured]:
    """Return every index whose size is kept in benchmarks/results."""
    folder = RESULTS.parent
    found = [_of_sizes(row) for row in read_rows(RESULTS)]
    for name in ("search", "codes"):
        rows = read_rows(folder / f"{name}.jsonl")
        found += [_of_search(row) for row in rows if row["row"] == "index"]
    return found


def _of_sizes(row: Json) -> Measured:
    vectors = {f"v{number}": _vector(each) for number, each in enumerate(row["spec"]["vectors"])}
    about = row["spec"]
    spec = IndexSpec(index="i", text=about["text"], metadata=about["metadata"], vectors=vectors)
    fields = row.get("fields")
    size = rank_size(row["documents"])
    if fields:
        size = DocumentSize(fields["document"], sum(fields[name] for name in about["text"]))
    cpu = row["index_cpu_us"] + row["merge_cpu_us"]
    return Measured(
        row["engine"],
        row["dataset"],
        row["variant"],
        row["documents"],
        spec,
        size,
        row["total_bytes"],
        row["hot_bytes"],
        cpu,
    )


def _of_search(row: Json) -> Measured:
    engine = row["engine"].split()[0].lower()
    options = dict(VARIANTS[engine].get(row["variant"], {}))
    if row["variant"] == "codes":
        book = row["codebook"]
        kept = {key: book[key] for key in ("subvectors", "codebook_size", "cells")}
        options["codes"] = CodesSpec(**kept)
    vector = VectorSpec(encoder="precomputed", dimension=row["dimension"], **options)
    return Measured(
        row["engine"],
        row["dataset"],
        row["variant"],
        row["documents"],
        IndexSpec(index="i", metadata=RANKS, vectors={"v": vector}),
        rank_size(row["documents"]),
        row["total_bytes"],
        row["hot_bytes"],
        None,
    )


def _vector(about: Json) -> VectorSpec:
    options = {key: value for key, value in about.items() if key != "subvectors"}
    codes = CodesSpec(subvectors=about["subvectors"]) if about["subvectors"] else None
    return VectorSpec(encoder="precomputed", codes=codes, **options)


def rank_size(count: int) -> DocumentSize:
    """Return the mean size of the documents of `benchmarks.datasets`: an id and three ranks, all numbers."""
    digits = float(np.mean([len(str(n)) for n in range(count)]))
    frame = len(orjson.dumps({"id": "", **dict.fromkeys(RANKS, 0)})) - len(RANKS)
    return DocumentSize(frame + 4 * digits, 0.0)
