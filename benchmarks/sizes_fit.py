"""Makes the coefficients of `kokeshi size` from measured sizes, and says how far off they are.

Fitted on indices of up to 20,000 documents: sizes.jsonl, search.jsonl and codes.jsonl. Those of 100,000 are
only compared with the estimate, as are those of the generated catalogue, whose few words no shop has.

    python -m benchmarks.sizes_fit     # writes connector/kokeshi/sizing/coefficients.json
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import orjson

from benchmarks.cache import RESULTS as CACHE_RESULTS
from benchmarks.rows import read_rows
from benchmarks.sizes import QUANTIZATIONS
from benchmarks.sizes_rows import Measured, rank_size, read_measured
from kokeshi.sizing.coefficients import (
    Bytes,
    Coefficients,
    EngineCoefficients,
    Errors,
    Processor,
    Rules,
    SizedEngine,
)
from kokeshi.sizing.estimate import BITS, find_parts, graph_dims, processor_us

TARGET = Path(__file__).parents[1] / "connector/kokeshi/sizing/coefficients.json"
FITTED = 20_000
"""Larger indices are compared only."""

REAL = ("icecat", "fashion")
RULES = Rules(shard_bytes=50 * 10**9, shard_documents=200_000_000, heap_of_graph=350, deleted=0.2)


def fit_engine(rows: Sequence[Measured]) -> EngineCoefficients:
    """Return the coefficients of an engine, fitted on its smaller indices, with their errors on all."""
    small = [row for row in rows if row.documents <= FITTED]
    found = EngineCoefficients(
        version=rows[0].engine.split()[1],
        bytes=fit_bytes(small),
        processor=fit_processor(rows),
        errors=Errors(documents=0, vectors=0, hot=0, processor=0),
    )
    return found.model_copy(update={"errors": find_errors(rows, found)})


def fit_bytes(rows: Sequence[Measured]) -> Bytes:
    """Return what each part of a document weighs."""
    engine = rows[0].engine.split()[0].lower()
    graph, quantized = fit_graphs(rows, QUANTIZATIONS[engine])
    ranks = _mean(row.total - 4 * row.vector.dimension for row in _flat(rows) if row.vector)
    metadata = {kind: fit_metadata(rows, kind) for kind in _kinds(rows)}
    document, source = fit_stored(rows, ranks - 3 * metadata["float"])
    cold = _mean(
        row.total - 4 * row.vector.dimension - ranks - row.hot + _shared(row)
        for row in rows
        if row.hot and row.vector and row.vector.graph
    )
    coded = {bool(row.vector.codes.cells): row for row in rows if row.vector and row.vector.codes}
    beside = {cells: _beside_codes(row, ranks) for cells, row in coded.items()}
    return Bytes(
        document=document,
        source=source,
        text=fit_text(rows),
        metadata=metadata,
        graph=graph,
        graph_cold=cold,
        quantized=quantized,
        codes=beside[False],
        cell=beside[True] - beside[False],
    )


def fit_graphs(rows: Sequence[Measured], kinds: Iterable[str]) -> tuple[float, dict[str, float]]:
    """Return the bytes of a graph's edges, and of each quantisation beside its dimensions."""
    beside = {
        kind: _mean(
            row.hot - _compared(row)
            for row in rows
            if row.hot and row.vector and row.vector.quantization == kind and not row.vector.codes
        )
        for kind in kinds
    }
    return beside["none"], {kind: round(beside[kind] - beside["none"], 2) for kind in kinds}


def fit_metadata(rows: Sequence[Measured], kind: str) -> float:
    """Return what a field of a type adds to the catalogues that have one; of real ones where they do."""
    added: dict[bool, list[float]] = {True: [], False: []}
    for row in rows:
        if row.variant == kind and not row.spec.vectors:
            stored = _variant(rows, row.dataset, "stored")
            each = (row.total - stored.total) / len(row.spec.metadata)
            added[row.dataset in REAL].append(each)
    return _mean(added[True] or added[False])


def fit_stored(rows: Sequence[Measured], ranks: float) -> tuple[float, float]:
    """Return the bytes of a document by itself, and for each byte of its JSON.

    ranks: bytes of a document of `benchmarks.datasets`, without its vector and metadata.
    """
    points = [
        (r.size.document, r.total) for r in rows if r.variant == "stored" and r.dataset in REAL
    ]
    points.append((rank_size(FITTED).document, ranks))
    slope, base = np.polyfit(*zip(*points, strict=True), 1)
    return float(base), float(slope)


def fit_text(rows: Sequence[Measured]) -> float:
    """Return the bytes that a byte of text adds when it is searched by its words."""
    texts = [row for row in rows if row.variant == "text" and row.dataset in REAL]
    added = [row.total - _variant(rows, row.dataset, "stored").total for row in texts]
    return float(sum(added) / sum(row.size.text for row in texts))


def fit_processor(rows: Sequence[Measured]) -> Processor:
    """Return the processor's time, by least squares of relative errors on the smaller indices."""
    timed = [row for row in rows if row.cpu and row.documents >= FITTED * 0.9]
    small = [row for row in timed if row.documents <= FITTED]
    features = np.array([_work(row) for row in small])
    times = np.array([row.cpu for row in small])
    found = _nonnegative(features / times[:, None])
    document, text, dimension, graph, graph_dimension = (float(value) for value in found)
    flat = Processor(
        document=document,
        text=text,
        dimension=dimension,
        graph=graph,
        graph_dimension=graph_dimension,
        growth=1.0,
        measured_documents=FITTED,
    )
    return flat.model_copy(update={"growth": _growth(timed, flat)})


def _work(row: Measured) -> list[float]:
    dims = graph_dims(row.vector) if row.vector else ()
    sent = sum(d for _, d in row.spec.vector_fields().values())
    return [1.0, row.size.text, sent, len(dims), sum(dims)]


def _nonnegative(scaled: np.ndarray) -> np.ndarray:
    """Return x >= 0 that brings `scaled @ x` nearest to 1: least squares, negative ones left out in turn."""
    left = list(range(scaled.shape[1]))
    while True:
        found, *_ = np.linalg.lstsq(scaled[:, left], np.ones(len(scaled)), rcond=None)
        if (found >= 0).all():
            whole = np.zeros(scaled.shape[1])
            whole[left] = found
            return whole
        left.pop(int(np.argmin(found)))


def _growth(rows: Sequence[Measured], flat: Processor) -> float:
    """Return how often more a graph costs for tenfold documents, from the larger index and its like."""
    large = next(row for row in rows if row.documents > FITTED)
    like = next(r for r in rows if r.documents <= FITTED and r.spec.vectors == large.spec.vectors)
    if not large.cpu or not like.cpu:
        raise SystemExit("the time of both sizes of the default layout is needed")
    rest = processor_us(large.spec, FITTED, large.size, flat)
    vector = large.vector
    dims = graph_dims(vector) if vector else ()
    graphs = flat.graph * len(dims) + flat.graph_dimension * sum(dims)
    ratio = 1 + (large.cpu - like.cpu) / (graphs + like.cpu - rest)
    return float(max(ratio, 1.0) ** (1 / math.log10(large.documents / FITTED)))


def find_errors(rows: Sequence[Measured], found: EngineCoefficients) -> Errors:
    """Return the largest relative errors over every index, those included that nothing was fitted on."""
    bare = [row for row in rows if not row.spec.vectors and row.dataset != "generated"]
    documents = [_off(_disk(row, found, vectors=False), row.total) for row in bare]
    vectors = []
    for row in rows:
        if row.spec.vectors:
            own = _document_bytes(rows, row)
            vectors.append(_off(_disk(row, found, vectors=True), row.total - own))
    hot = [_off(_hot(row, found), row.hot) for row in rows if row.hot]
    cpu = [
        _off(processor_us(row.spec, row.documents, row.size, found.processor), row.cpu)
        for row in rows
        if row.cpu and row.documents >= FITTED * 0.9 and row.spec.vectors
    ]
    worst = [math.ceil(100 * max(each)) / 100 for each in (documents, vectors, hot, cpu)]
    return Errors(documents=worst[0], vectors=worst[1], hot=worst[2], processor=worst[3])


def _document_bytes(rows: Sequence[Measured], row: Measured) -> float:
    """Return what the document of an index with vectors takes without them, as measured."""
    if row.variant == "whole":
        return _variant(rows, row.dataset, "fields").total
    return _mean(flat.total - 4 * flat.vector.dimension for flat in _flat(rows) if flat.vector)


def _disk(row: Measured, found: EngineCoefficients, *, vectors: bool) -> float:
    parts = find_parts(row.spec, row.size, found.bytes)
    return sum(part.disk for part in parts if part.vectors == vectors)


def _hot(row: Measured, found: EngineCoefficients) -> float:
    return sum(part.hot for part in find_parts(row.spec, row.size, found.bytes))


def _off(predicted: float, measured: float) -> float:
    """Return how far off the measured value is, as a share of the predicted one."""
    return abs(measured / predicted - 1)


def _flat(rows: Iterable[Measured]) -> list[Measured]:
    return [r for r in rows if r.vector and not graph_dims(r.vector) and not r.vector.codes]


def _variant(rows: Iterable[Measured], dataset: str, variant: str) -> Measured:
    return next(row for row in rows if (row.dataset, row.variant) == (dataset, variant))


def _kinds(rows: Iterable[Measured]) -> list[str]:
    return sorted({kind for row in rows for kind in row.spec.metadata.values()})


def _compared(row: Measured) -> float:
    if row.vector is None:
        return 0.0
    (dims,) = graph_dims(row.vector)
    return math.ceil(dims * BITS[row.vector.quantization] / 8)


def _shared(row: Measured) -> float:
    """Return the bytes that are both the vector itself and what its graph compares."""
    return _compared(row) if row.vector and row.vector.quantization == "none" else 0.0


def _beside_codes(row: Measured, ranks: float) -> float:
    if row.vector is None or row.vector.codes is None:
        raise ValueError("an index without codes")
    codes = row.vector.codes
    size = math.ceil(codes.subvectors * math.log2(codes.codebook_size) / 8)
    return row.total - ranks - 4 * row.vector.dimension - size - 4 * math.ceil(size / 3)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean([*values]))


def fit(rows: Sequence[Measured]) -> Coefficients:
    """Return the coefficients of both engines."""
    names: tuple[SizedEngine, ...] = ("elasticsearch", "opensearch")
    icecat = next(row for row in rows if row.dataset == "icecat" and row.variant == "fields")
    return Coefficients(
        engines={
            name: fit_engine([row for row in rows if row.engine.lower().startswith(name)])
            for name in names
        },
        rules=RULES,
        typical={"document": icecat.size.document, "text": icecat.size.text},
        encoders={row["encoder"]: row["without_per_cpu_s"] for row in read_rows(CACHE_RESULTS)},
        provenance=dict(_provenance()),
    )


def _provenance() -> Iterator[tuple[str, str]]:
    yield "bytes", "benchmarks/results/{sizes,search,codes}.jsonl, indices of one merged segment"
    yield "processor", "benchmarks/results/sizes.jsonl, processor time of the engine, one node"
    yield "typical", "icecat, consumer electronics (Open Content License)"
    yield "encoders", "benchmarks/results/cache.jsonl; onnx-text is all-MiniLM-L6-v2 in 8 bits"
    yield "rules", "not measured"


def main() -> None:
    """Write the file."""
    found = fit(read_measured()).model_dump()
    rounded = orjson.loads(
        orjson.dumps(found),
    )
    TARGET.write_bytes(orjson.dumps(_round(rounded), option=orjson.OPT_INDENT_2) + b"\n")


def _round(value: object) -> object:
    if isinstance(value, dict):
        return {key: _round(each) for key, each in value.items()}
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
