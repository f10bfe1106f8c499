"""The indices of the benchmark of codes: one with codes, one without anything beside the vector.

What a document weighs is what the engine reports of one merged segment. What codes, or a graph, add is
the difference to the index that has neither: their part of `_source` and their digest are in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.datasets import VECTOR, Dataset
from benchmarks.indices import SETTINGS, Indices, build_indices, fill_index
from benchmarks.raw import RawClient
from benchmarks.storage import weigh
from kokeshi import Index
from kokeshi.codes.codebook import Codebook, load_codebook
from kokeshi.codes.training import TrainingOptions, train_codebook
from kokeshi.encoders import load_encoder
from kokeshi.engines import Engine
from kokeshi.errors import CodebookError
from kokeshi.schema import CodesSpec
from kokeshi.types import Json

CODES, PLAIN = "codes", "plain"
GRAPHS = ("kokeshi", "float", "int8", "bbq")
"""Those of `benchmarks.indices` that are compared with."""

TRAINING = TrainingOptions(subvectors=96, rotation="opq", cells=256, sample=20_000)


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
    documents = dataset.write()
    train(dataset)
    options = {k: value for k, value in asdict(TRAINING).items() if k in CodesSpec.model_fields}
    codes = CodesSpec(codebook=str(dataset.folder / f"{VECTOR}.codebook"), **options)
    found = {
        CODES: _build(dataset, documents, {"codes": codes}, engine, raw),
        PLAIN: _build(dataset, documents, {}, engine, raw),
    }
    graphs = build_indices(dataset, engine, raw, GRAPHS)
    return Indices(engine, raw, {**found, **graphs.by_variant})


def _build(
    dataset: Dataset, documents: Path, options: Mapping[str, Any], engine: Engine, raw: RawClient
) -> Index:
    name = f"bench-{dataset.folder.name}-{CODES if options else PLAIN}"
    index = Index(dataset.spec(name, SETTINGS, **options), engine)
    fill_index(index, documents, len(dataset.base), raw)
    return index


def weigh_all(indices: Indices) -> list[Json]:
    """Return what a document weighs in each index: in all, and of that hot, read by every search."""
    plain = _total(indices, PLAIN)
    rows: list[Json] = [
        {"variant": PLAIN, "total_bytes": plain, "hot_bytes": None},
        {"variant": CODES, "total_bytes": _total(indices, CODES), "hot_bytes": _hot(indices)},
    ]
    for variant in (name for name in GRAPHS if name in indices.by_variant):
        weight = weigh(indices, variant)
        rows.append({"variant": variant, "total_bytes": weight.total, "hot_bytes": weight.hot})
    for row in rows:
        row["added_bytes"] = row["total_bytes"] - plain
    return [{key: _rounded(value) for key, value in row.items()} for row in rows]


def _rounded(value: object) -> object:
    return round(value, 1) if isinstance(value, float) else value


def _total(indices: Indices, variant: str) -> float:
    """Return the bytes of a document in every file of an index."""
    stats = _stats(indices, variant)
    found: float = stats["store"]["size_in_bytes"] / stats["docs"]["count"]
    return found


def _hot(indices: Indices) -> float:
    """Return the bytes of a document's doc values that codes and cells take.

    Elasticsearch tells them by field; of OpenSearch it is what the files of all doc values grow by.
    """
    index = indices[CODES]
    if indices.engine.capabilities.dialect == "elasticsearch":
        path = f"/{index.spec.index}/_disk_usage?run_expensive_tasks=true"
        fields = indices.raw.ask("POST", path)[index.spec.index]["fields"]
        names = [name for name in index.spec.code_fields() if name in fields]
        return float(sum(fields[name]["doc_values_in_bytes"] for name in names)) / index.count()
    return _doc_values(indices, CODES) - _doc_values(indices, PLAIN)


def _doc_values(indices: Indices, variant: str) -> float:
    stats = _stats(indices, variant)
    files = stats["segments"]["file_sizes"]
    return float(files["dvd"]["size_in_bytes"]) / int(stats["docs"]["count"])


def _stats(indices: Indices, variant: str) -> Json:
    path = (
        f"/{indices[variant].spec.index}/_stats/docs,store,segments?include_segment_file_sizes=true"
    )
    found: Json = indices.raw.ask("GET", path)["_all"]["primaries"]
    return found
