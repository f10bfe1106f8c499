"""The indices that contenders search: made by Kokeshi, each variant of its own, one segment each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.datasets import PREFIX, Dataset
from benchmarks.raw import RawClient
from kokeshi import Index
from kokeshi.engines import Engine
from kokeshi.errors import SpecError

KOKESHI = "kokeshi"

VARIANTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "opensearch": {
        KOKESHI: {"prefixes": (PREFIX,)},
        "float": {"graph": True, "quantization": "none"},
        "int8": {"graph": True, "quantization": "int8"},
    },
    "elasticsearch": {
        KOKESHI: {"prefixes": (PREFIX,)},
        "float": {"graph": True, "quantization": "none"},
        "int8": {"graph": True, "quantization": "int8"},
        "bbq": {"graph": True, "quantization": "binary"},
    },
}
"""Engine -> variant -> options of the vector in the spec."""

ACORN = "-acorn"
"""Ends the name of a variant's twin, whose graph is walked in the other way under a filter."""

SETTINGS = {"refresh_interval": "-1", "compound_format": False}
"""Visible when all is there; a file for each part of a segment, so that it can be weighed."""


@dataclass(frozen=True)
class Indices:
    """The indices of one data set on one engine, by variant."""

    engine: Engine
    raw: RawClient
    by_variant: Mapping[str, Index]

    def __getitem__(self, variant: str) -> Index:
        return self.by_variant[variant]


def build_indices(
    dataset: Dataset, engine: Engine, raw: RawClient, variants: tuple[str, ...] = ()
) -> Indices:
    """Make what is missing and return all; what an earlier run left is used as it is."""
    dialect = engine.capabilities.dialect
    wanted = VARIANTS[dialect]
    found = {}
    documents = dataset.write()
    for variant, options in wanted.items():
        if variants and variant not in variants:
            continue
        index = Index(dataset.spec(_name(dataset, variant), SETTINGS, **options), engine)
        fill_index(index, documents, len(dataset.base), raw)
        found[variant] = index
        if engine.capabilities.filter_heuristic:
            found[variant + ACORN] = _twin(dataset, variant, options, engine, raw)
    return Indices(engine, raw, found)


def _name(dataset: Dataset, variant: str) -> str:
    return f"bench-{dataset.folder.name}-{variant}"


def fill_index(index: Index, documents: Path, count: int, raw: RawClient) -> None:
    """Fill an index unless an earlier run did, and merge it to one segment."""
    name = index.spec.index
    try:
        index.create()
    except SpecError:  # of an earlier version of this benchmark
        index.create(recreate=True)
    if index.count() != count:
        index.ingest(documents, recreate=True)
    raw.ask("POST", f"/{name}/_forcemerge?max_num_segments=1")
    raw.ask("POST", f"/{name}/_flush")
    raw.ask("POST", f"/{name}/_refresh")


def _twin(
    dataset: Dataset, variant: str, options: Mapping[str, Any], engine: Engine, raw: RawClient
) -> Index:
    """Return the same files under Elasticsearch's own default for filtered graph searches."""
    source, name = _name(dataset, variant), _name(dataset, variant + ACORN)
    heuristic: Mapping[str, Any] = {"dense_vector.hnsw_filter_heuristic": "acorn"}
    index = Index(dataset.spec(name, {**SETTINGS, **heuristic}, **options), engine)
    engine.delete_index(name)
    raw.ask("PUT", f"/{source}/_settings", {"index.blocks.write": True})
    settings = {f"index.{key}": value for key, value in heuristic.items()}
    settings |= {"index.number_of_replicas": 0}
    raw.ask("POST", f"/{source}/_clone/{name}?wait_for_active_shards=1", {"settings": settings})
    raw.ask("GET", f"/_cluster/health/{name}?wait_for_status=green&timeout=60s")
    return index
