"""How large documents are before any engine: from a sample of the user's own, or as catalogues are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from kokeshi.encoders import Record
from kokeshi.errors import InputError
from kokeshi.ingest.sources import Source
from kokeshi.schema import IndexSpec
from kokeshi.sizing.coefficients import Coefficients
from kokeshi.types import Json

SAMPLE = 10_000
"""Documents that are read."""


@dataclass(frozen=True)
class DocumentSize:
    """Mean bytes of a document without its vectors. text: of its fields that are searched by words.

    sampled: how many documents it is the mean of; 0 where it is a guess.
    """

    document: float
    text: float
    sampled: int = 0


def guess_document(spec: IndexSpec, coefficients: Coefficients) -> DocumentSize:
    """Return the size of a document of the catalogues that were measured."""
    typical = coefficients.typical
    return DocumentSize(typical["document"], typical["text"] if spec.text else 0.0)


def measure_documents(path: Path, spec: IndexSpec) -> DocumentSize:
    """Return the mean size of the first documents of a file.

    Raises InputError where it cannot be read or has none.
    """
    records = (one for one in Source(path) if isinstance(one, Record))
    sample = [record.fields for record in islice(records, SAMPLE)]
    if not sample:
        raise InputError(f"{path}: no document to measure (--sample)")
    return mean_size(sample, spec)


def mean_size(documents: Iterable[Json], spec: IndexSpec) -> DocumentSize:
    """Return the mean size of documents, one at least."""
    made = _find_made(spec)
    count = whole = text = 0
    for fields in documents:
        kept = {name: value for name, value in fields.items() if name not in made}
        count += 1
        whole += len(orjson.dumps(kept, default=str))
        text += sum(len(str(kept[name]).encode()) for name in spec.text if kept.get(name))
    return DocumentSize(whole / count, text / count, count)


def _find_made(spec: IndexSpec) -> set[str]:
    """Return the fields that an ingest makes itself, and the columns that it takes vectors from."""
    given = {
        vector.encoder.options.get("column")
        for vector in spec.vectors.values()
        if vector.encoder.name == "precomputed"
    }
    return {*spec.vector_fields(), *spec.code_fields(), *(name for name in given if name)}
