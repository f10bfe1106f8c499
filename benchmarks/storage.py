"""What an index weighs for each document.

hot      what a search reads again and again while it walks the graph: the graph, and the vectors
         that it compares on the way, quantised where the index quantises
total    every file of the index

Elasticsearch tells the bytes of each field (`_disk_usage`): hot is what the field with the graph
takes, less the raw float32 copy beside quantised vectors, which is read for rescoring only. From
OpenSearch come the sizes of Lucene's files: the graph is `.vex`, quantised vectors are `.veq`, and
without these 4 bytes for each dimension are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.datasets import VECTOR
from benchmarks.indices import Indices
from kokeshi import Index
from kokeshi.types import Json


@dataclass(frozen=True)
class Weight:
    """Bytes for each document, hot and in all; segments: that the index lies in."""

    hot: float
    total: float
    segments: int


def weigh(indices: Indices, variant: str) -> Weight:
    """Return what a document weighs in an index."""
    index, raw = indices[variant], indices.raw
    stats: Json = raw.ask(
        "GET", f"/{index.spec.index}/_stats/docs,store,segments?include_segment_file_sizes=true"
    )["_all"]["primaries"]
    if indices.engine.capabilities.dialect == "elasticsearch":
        path = f"/{index.spec.index}/_disk_usage?run_expensive_tasks=true"
        hot = _hot_by_field(index, raw.ask("POST", path)[index.spec.index])
    else:
        hot = _hot_by_file(index, stats["segments"]["file_sizes"])
    count = stats["docs"]["count"]
    return Weight(hot / count, stats["store"]["size_in_bytes"] / count, stats["segments"]["count"])


def _graph(index: Index) -> tuple[str, int, bool]:
    """Return the field with the graph, its dimension, and whether its vectors are quantised."""
    vector = index.spec.vectors[VECTOR]
    quantised = vector.quantization != "none"
    if vector.graph:
        return VECTOR, vector.dimension, quantised
    (dims,) = vector.prefixes
    return f"{VECTOR}_{dims}", dims, quantised


def _hot_by_field(index: Index, usage: Json) -> float:
    field, dims, quantised = _graph(index)
    found: float = usage["fields"][field]["knn_vectors_in_bytes"]
    return found - (4 * dims * index.count() if quantised else 0)


def _hot_by_file(index: Index, files: Json) -> float:
    _, dims, quantised = _graph(index)
    graph: float = files["vex"]["size_in_bytes"]
    compared: float = files["veq"]["size_in_bytes"] if quantised else 4 * dims * index.count()
    return graph + compared
