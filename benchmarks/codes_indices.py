"""The indices of the benchmark of codes: one with codes, one without anything beside the vector.

What a document weighs is what the engine reports of one merged segment. What codes, or a graph, add is
the difference to the index that has neither: their part of `_source` and their digest are in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.datasets import VECTOR, Dataset
from benchmarks.indices import Indices, build_indices
from benchmarks.raw import RawClient
from benchmarks.storage import weigh
from kokeshi import Index
from kokeshi.codes.codebook import Codebook, load_codebook
from kokeshi.codes.training import TrainingOptions, train_codebook
from kokeshi.encoders import load_encoder
from kokeshi.engines import Engine
from kokeshi.errors import CodebookError, SpecError
from kokeshi.schema import CodesSpec
from kokeshi.types import Json

CODES, PLAIN = "codes", "plain"
GRAPHS = ("kokeshi", "float", "int8", "bbq")
"""Those of `benchmarks.indices` that are compared with."""

TRAINING = TrainingOptions(subvectors=96, rotation="opq", cells=256, sample=20_000)
_SETTINGS = {"refresh_interval": "-1", "compound_format": False}


def train(dataset: Dataset) -> Codebook:
    """Return the codebook of a data set, trained on a sample of it unless an earlier run did."""
    path = dataset.folder / f"{VECTOR}.codebook"
    try:
        codebook = load_codebook(path)
        if codebook.trained.get("options") == asdict(TRAINING):
            return codebook
    except CodebookError:  # of no run yet, or of an earlier version
        pass
    (vector,) = dataset.spec("any", {}).vectors.values()
    trained = train_codebook(
        dataset.base,
        TRAINING,
        space=vector.space,
        encoder=load_encoder(vector).name,
        source={"options": asdict(TRAINING)},
    )
    trained.codebook.save(path)
    return trained.codebook


def build_coded(dataset: Dataset, engine: Engine, raw: RawClient) -> Indices:
    """Make what is missing, and return the indices with codes, without, and with graphs."""
    train(dataset)
    options = {k: value for k, value in asdict(TRAINING).items() if k in CodesSpec.model_fields}
    codes = CodesSpec(codebook=str(dataset.folder / f"{VECTOR}.codebook"), **options)
    found = {
        CODES: _build(dataset, CODES, {"codes": codes}, engine, raw),
        PLAIN: _build(dataset, PLAIN, {}, engine, raw),
    }
    graphs = build_indices(dataset, engine, raw, GRAPHS)
    return Indices(engine, raw, {**found, **graphs.by_variant})


def _build(
    dataset: Dataset, variant: str, options: Mapping[str, Any], engine: Engine, raw: RawClient
) -> Index:
    name = f"bench-{dataset.folder.name}-{variant}"
    index = Index(dataset.spec(name, _SETTINGS, **options), engine)
    try:
        index.create()
    except SpecError:  # of another codebook, or an earlier version of this benchmark
        index.create(recreate=True)
    if index.count() != len(dataset.base):
        index.ingest(dataset.write(), recreate=True)
    raw.ask("POST", f"/{name}/_forcemerge?max_num_segments=1")
    raw.ask("POST", f"/{name}/_flush")
    raw.ask("POST", f"/{name}/_refresh")
    return index


def weigh_all(indices: Indices) -> list[Json]:
    """Return what a document weighs in each index: in all, and of that hot, read by every search."""
    plain = _store(indices, PLAIN)
    rows = [
        {"variant": PLAIN, "total_bytes": plain["total"], "hot_bytes": None, "added_bytes": 0.0}
    ]
    codes = _store(indices, CODES)
    hot = codes["doc_values"] - plain["doc_values"]
    rows.append({"variant": CODES, "total_bytes": codes["total"], "hot_bytes": hot})
    for variant in (name for name in GRAPHS if name in indices.by_variant):
        weight = weigh(indices, variant)
        rows.append({"variant": variant, "total_bytes": weight.total, "hot_bytes": weight.hot})
    for row in rows:
        row["added_bytes"] = row["total_bytes"] - plain["total"]
    return [{key: _rounded(value) for key, value in row.items()} for row in rows]


def _rounded(value: object) -> object:
    return round(value, 1) if isinstance(value, float) else value


def _store(indices: Indices, variant: str) -> dict[str, float]:
    """Return bytes a document: of every file, and of doc values alone."""
    path = (
        f"/{indices[variant].spec.index}/_stats/docs,store,segments?include_segment_file_sizes=true"
    )
    stats: Json = indices.raw.ask("GET", path)["_all"]["primaries"]
    count = stats["docs"]["count"]
    files = stats["segments"]["file_sizes"]
    values = sum(files.get(key, {}).get("size_in_bytes", 0) for key in ("dvd", "dvm"))
    return {"total": stats["store"]["size_in_bytes"] / count, "doc_values": values / count}
