"""Estimates: pure functions from a spec, a number of documents and the measured coefficients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from kokeshi.errors import InputError
from kokeshi.schema import IndexSpec, VectorSpec
from kokeshi.sizing.coefficients import Bytes, EngineCoefficients, Processor, Rules, SizedEngine
from kokeshi.sizing.documents import DocumentSize
from kokeshi.types import Json

BITS: Final = {"none": 32, "int8": 8, "on_disk": 8, "int4": 4, "binary": 1}
"""Quantisation -> bits of a dimension that a graph compares."""


@dataclass(frozen=True)
class Part:
    """One part of a document, in bytes. hot: what searches walk through again and again."""

    name: str
    disk: float
    hot: float = 0.0
    vectors: bool = True


@dataclass(frozen=True)
class Estimate:
    """An index on one engine; bytes are of all its copies, unless they are said to be of a document.

    parts: of a document, once. disk_error, hot_error: bytes that it may be off by, as on what was measured.
    heap_bytes: that building the graphs of one shard takes, merged to one segment.
    core_hours: of the engine's processor, merges included; core_hours_error: how far off those were.
    """

    engine: SizedEngine
    version: str
    documents: int
    copies: int
    parts: tuple[Part, ...]
    disk_bytes: float
    disk_error: float
    hot_bytes: float
    hot_error: float
    shards: int
    shard_bytes: float
    heap_bytes: float
    core_hours: float
    core_hours_error: float

    def to_json(self) -> Json:
        """Return what `--json` prints."""
        return asdict(self)


def estimate(
    spec: IndexSpec,
    documents: int,
    size: DocumentSize,
    engine: SizedEngine,
    coefficients: EngineCoefficients,
    rules: Rules,
) -> Estimate:
    """Return what an index with so many documents of a size takes.

    Raises InputError for a quantisation that was not measured on the engine.
    """
    parts = tuple(find_parts(spec, size, coefficients.bytes))
    copies = 1 + spec.replicas
    total = documents * copies
    errors = coefficients.errors
    disk, hot = sum(part.disk for part in parts), sum(part.hot for part in parts)
    off = sum(part.disk * (errors.vectors if part.vectors else errors.documents) for part in parts)
    shards = find_shards(documents, disk * documents, rules)
    hours = total * processor_us(spec, documents / shards, size, coefficients.processor) / 3.6e9
    return Estimate(
        engine=engine,
        version=coefficients.version,
        documents=documents,
        copies=copies,
        parts=parts,
        disk_bytes=disk * total,
        disk_error=off * total,
        hot_bytes=hot * total,
        hot_error=hot * total * errors.hot,
        shards=shards,
        shard_bytes=disk * documents / shards,
        heap_bytes=rules.heap_of_graph * documents / shards if count_graphs(spec) else 0.0,
        core_hours=hours,
        core_hours_error=hours * errors.processor,
    )


def find_shards(documents: int, primary_bytes: float, rules: Rules) -> int:
    """Return the fewest shards that stay within both limits of a shard."""
    by_bytes = math.ceil(primary_bytes / rules.shard_bytes)
    return max(by_bytes, math.ceil(documents / rules.shard_documents), 1)


def find_parts(spec: IndexSpec, size: DocumentSize, measured: Bytes) -> Iterator[Part]:
    """Yield what a document consists of: itself, its vectors, their graphs and codes."""
    metadata = sum(measured.metadata[kind] for kind in spec.metadata.values())
    whole = measured.document + measured.source * size.document + measured.text * size.text
    yield Part("document, text and metadata", whole + metadata, vectors=False)
    for name, vector in spec.vectors.items():
        yield Part(f"{name}: float32, {vector.dimension}", 4.0 * vector.dimension)
        yield from _graphs(name, vector, measured)
        yield from _codes(name, vector, measured)


def _graphs(name: str, vector: VectorSpec, measured: Bytes) -> Iterator[Part]:
    kind = vector.quantization
    if kind not in measured.quantized:
        known = ", ".join(measured.quantized)
        raise InputError(
            f"vectors.{name}.quantization: {kind} was not measured on this engine, only {known}"
        )
    for dims in graph_dims(vector):
        compared = math.ceil(dims * BITS[kind] / 8)
        hot = compared + measured.quantized[kind] + measured.graph
        # the whole vector is there already; a prefix keeps its own float32 beside what is quantised
        beside = 4 * dims if dims < vector.dimension else 0
        disk = hot + beside + measured.graph_cold - (compared if kind == "none" else 0)
        yield Part(f"{name}: graph of {dims}, {kind}", disk, hot)


def _codes(name: str, vector: VectorSpec, measured: Bytes) -> Iterator[Part]:
    """Yield the codes: as doc values, and as base64 in the stored document."""
    if vector.codes is None:
        return
    size = math.ceil(vector.codes.subvectors * math.log2(vector.codes.codebook_size) / 8)
    cell = measured.cell if vector.codes.cells else 0.0
    disk = size + 4 * math.ceil(size / 3) + measured.codes + cell
    yield Part(f"{name}: codes of {size} bytes", disk, size + (3.0 if vector.codes.cells else 0.0))


def graph_dims(vector: VectorSpec) -> tuple[int, ...]:
    """Return the dimensions that have a graph."""
    return (*vector.prefixes, *((vector.dimension,) if vector.graph else ()))


def count_graphs(spec: IndexSpec) -> int:
    """Return how many graphs a document is in."""
    return sum(len(graph_dims(vector)) for vector in spec.vectors.values())


def processor_us(
    spec: IndexSpec, documents: float, size: DocumentSize, measured: Processor
) -> float:
    """Return the microseconds that one copy of a document costs the engine, merges included.

    documents: in each shard, whose graphs cost more the more they hold.
    """
    dims = [d for vector in spec.vectors.values() for d in graph_dims(vector)]
    sent = sum(d for _, d in spec.vector_fields().values())
    graphs = measured.graph * len(dims) + measured.graph_dimension * sum(dims)
    tenfold = max(math.log10(documents / measured.measured_documents), 0.0)
    return (
        measured.document
        + measured.text * size.text
        + measured.dimension * sent
        + graphs * math.pow(measured.growth, tenfold)
    )


def encode_hours(
    spec: IndexSpec, documents: int, rates: Mapping[str, float]
) -> dict[str, float | None]:
    """Return vector -> hours of one core to encode every document; None where the rate is not known.

    rates: encoder -> texts a second. Vectors that are given with the documents take none.
    """
    found: dict[str, float | None] = {}
    for name, vector in spec.vectors.items():
        rate = rates.get(vector.encoder.name)
        if vector.encoder.name != "precomputed":
            found[name] = documents / rate / 3600 if rate else None
    return found
