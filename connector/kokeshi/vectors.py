"""The vectors of a file, as they would be indexed: encoded from its documents, or read from a .npy file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from kokeshi.codes import normalise
from kokeshi.encoders import Encoder, Record, embed_records, load_encoder
from kokeshi.errors import InputError
from kokeshi.ingest.sources import BadLine, Source, SourceFormat
from kokeshi.schema import EncoderSpec, VectorSpec
from kokeshi.types import Float32

BATCH = 512
"""Documents encoded at once."""


@dataclass(frozen=True)
class Documents:
    """The documents of a file, and what makes their vectors."""

    records: Iterable[Record | BadLine]
    maker: Encoder


@dataclass(frozen=True)
class Batch:
    """Documents that have a vector, and the vectors (N, D), of length 1 where the space is cosine.

    left_out: line -> why that document has none.
    """

    records: list[Record]
    vectors: Float32
    left_out: dict[int, str]


def open_documents(
    path: Path, vector: VectorSpec, encoder: Encoder, format_: SourceFormat | None = None
) -> Documents:
    """Return the documents of a file; those of a .npy file, (N, D), are only their vectors.

    encoder: that of the spec, which must have made the vectors of a .npy file. Raises InputError where
    the file is missing or of another shape.
    """
    if path.suffix != ".npy":
        return Documents(Source(path, format_), encoder)
    reader = EncoderSpec.model_validate({"name": "precomputed", "file": str(path)})
    maker = load_encoder(vector.model_copy(update={"encoder": reader}))
    count = len(np.load(path, mmap_mode="r", allow_pickle=False))
    if not count:
        raise InputError(f"{path}: the file has no rows")
    rows = (Record(row, row + 1, {}) for row in range(count))
    return Documents(rows, maker)


def sample_records(
    records: Iterable[Record | BadLine], size: int, rng: np.random.Generator
) -> tuple[list[Record], int]:
    """Return at most `size` documents, each as likely as any other, in order; and how many there are.

    Holds no more than the sample (algorithm R; Vitter 1985).
    """
    sample: list[Record] = []
    count = 0
    for record in records:
        if isinstance(record, BadLine):
            continue
        if count < size:
            sample.append(record)
        elif (place := int(rng.integers(count + 1))) < size:
            sample[place] = record
        count += 1
    return sorted(sample, key=lambda record: record.row), count


def embed_documents(
    maker: Encoder, vector: VectorSpec, records: Iterable[Record | BadLine]
) -> Iterator[Batch]:
    """Yield the vectors of documents, as many at once as encoders like."""
    rest = iter(records)
    while chunk := list(islice(rest, BATCH)):
        bad = {line.line: line.reason for line in chunk if isinstance(line, BadLine)}
        yield _embed(maker, vector, [r for r in chunk if isinstance(r, Record)], bad)


def _embed(maker: Encoder, vector: VectorSpec, records: list[Record], bad: dict[int, str]) -> Batch:
    if not records:
        return Batch([], np.empty((0, vector.dimension), np.float32), bad)
    found = embed_records(maker, vector, records)
    reasons = {row: f"its vector {why}" for row, why in found.unusable.items()}
    reasons |= dict.fromkeys(found.absent, "it has no text to embed")
    rows = [row for row in range(len(records)) if row not in reasons]
    vectors = found.vectors[rows]
    return Batch(
        [records[row] for row in rows],
        normalise(vectors) if vector.space == "cosine" else vectors,
        bad | {records[row].line: why for row, why in reasons.items()},
    )
