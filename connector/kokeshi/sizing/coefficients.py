"""The measured coefficients: one file, `coefficients.json`, that `python -m benchmarks.sizes_fit` writes."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

from kokeshi.schema.base import Model

SizedEngine = Literal["opensearch", "elasticsearch"]


class Bytes(Model):
    """Bytes on the disk of a document, in one merged segment.

    document: of each, whatever it holds. source: for each byte of its JSON. text: for each byte of a field
    that is searched by its words. metadata: type -> for each such field. graph: of the edges of a graph, for
    each document. graph_cold: of what a graph has beside these. quantized: quantisation -> beside the
    quantised dimensions. codes, cell: beside the bytes of the codes, and where there are cells.
    """

    document: float
    source: float
    text: float
    metadata: dict[str, float]
    graph: float
    graph_cold: float
    quantized: dict[str, float]
    codes: float
    cell: float


class Processor(Model):
    """Microseconds that one core of the engine works for a document, merges included.

    document: of each. text: for each byte of text. dimension: for each that is sent, of vectors and
    prefixes. graph, graph_dimension: for each graph, and for each of its dimensions. growth: how often more
    graphs cost for each tenfold of a shard's documents over `measured_documents`.
    """

    document: float
    text: float
    dimension: float
    graph: float
    graph_dimension: float
    growth: float
    measured_documents: int


class Errors(Model):
    """The largest relative errors on what was measured, each 0 to 1.

    documents, vectors: of bytes on the disk. hot: of bytes that searches walk through. processor: of time.
    """

    documents: float
    vectors: float
    hot: float
    processor: float


class EngineCoefficients(Model):
    """What one engine, in one version, makes of a document."""

    version: str
    bytes: Bytes
    processor: Processor
    errors: Errors


class Rules(Model):
    """What is a rule and not a measurement.

    shard_bytes, shard_documents: most of a shard. heap_of_graph: bytes of heap for each document of a segment
    whose graph is being built: two arrays of 33 neighbours and scores, with their headers (Lucene's
    OnHeapHnswGraph, M = 16). deleted: share of an index that is deleted documents before merges take them.
    """

    shard_bytes: int
    shard_documents: int
    heap_of_graph: int
    deleted: float


class Coefficients(Model):
    """Everything in the file. typical: bytes of a document and of its text where nobody says them.

    encoders: texts that one core encodes in a second. provenance: where the figures come from.
    """

    engines: dict[SizedEngine, EngineCoefficients]
    rules: Rules
    typical: dict[Literal["document", "text"], float]
    encoders: dict[str, float]
    provenance: dict[str, str]


@cache
def load_coefficients() -> Coefficients:
    """Return the coefficients that this version was published with."""
    content = files("kokeshi.sizing").joinpath("coefficients.json").read_bytes()
    return Coefficients.model_validate_json(content)
