"""Train a codebook on the documents of a file, and encode a file with one. No engine is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kokeshi.codebooks import check_codebook
from kokeshi.codes.codebook import Codebook, Encoded
from kokeshi.codes.faiss_library import load_faiss
from kokeshi.codes.training import OnProgress, Trained, TrainingOptions, train_codebook
from kokeshi.encoders import Encoder, close_encoders, load_encoder
from kokeshi.errors import CodebookError, SpecError
from kokeshi.ingest.documents import document_id
from kokeshi.ingest.sources import SourceFormat
from kokeshi.schema import CodesSpec, IndexSpec, VectorSpec
from kokeshi.vectors import embed_documents, open_documents, sample_records

_TRAINING = 0.5
"""The share of the work that is done when the sample is encoded; a guess, as encoders differ."""


@dataclass(frozen=True)
class CodedVector:
    """A vector of a spec that has codes."""

    name: str
    vector: VectorSpec
    codes: CodesSpec


@dataclass(frozen=True)
class EncodedBatch:
    """Codes of some documents. ids: as in the index, row numbers for a .npy file.

    left_out: line -> why that document has none.
    """

    ids: list[str]
    encoded: Encoded
    left_out: dict[int, str]


def find_coded(spec: IndexSpec, name: str | None) -> CodedVector:
    """Return the vector that has codes, or that of the name; raises SpecError where it is not clear."""
    coded = {n: CodedVector(n, v, v.codes) for n, v in spec.vectors.items() if v.codes}
    if name is None and len(coded) == 1:
        return next(iter(coded.values()))
    if name in coded:
        return coded[name]
    if not coded:
        raise SpecError("no vector of the spec has codes; add 'codes: {subvectors: …}' to one")
    asked = "several vectors have codes" if name is None else f"the vector '{name}' has no codes"
    raise SpecError(f"{asked}; name one with --vector: {', '.join(coded)}")


def train_file(
    spec: IndexSpec,
    coded: CodedVector,
    path: Path,
    *,
    sample: int,
    seed: int,
    format_: SourceFormat | None = None,
    on_progress: OnProgress = lambda _stage, _done: None,
) -> Trained:
    """Train the codebook that a spec asks for on at most `sample` documents of a file.

    Raises CodebookError where they are too few or degenerate, InputError where the file cannot be read,
    MissingExtraError without faiss.
    """
    load_faiss()  # that it is missing should not be found out after minutes of encoding
    chosen = coded.codes.model_dump(exclude={"codebook"})
    options = TrainingOptions(**chosen, sample=sample, seed=seed)
    with _encoder(coded.vector) as encoder:
        documents = open_documents(path, coded.vector, encoder, format_)
        on_progress("Reading", 0.0)
        rng = np.random.default_rng(seed)
        records, rows = sample_records(documents.records, sample + options.held_out, rng)
        batches = []
        for batch in embed_documents(documents.maker, coded.vector, records):
            batches.append(batch.vectors)
            on_progress("Encoding", _TRAINING * sum(map(len, batches)) / len(records))
        if not sum(map(len, batches)):
            raise CodebookError(
                f"{path}: no document has a vector for '{coded.name}'; check its source in the spec"
            )
        return train_codebook(
            np.concatenate(batches),
            options,
            space=coded.vector.space,
            encoder=encoder.name,
            source={"rows": rows, "source": path.name, "index": spec.index, "vector": coded.name},
            on_progress=lambda stage, done: on_progress(stage, _TRAINING + (1 - _TRAINING) * done),
        )


def encode_file(
    spec: IndexSpec,
    coded: CodedVector,
    path: Path,
    codebook: Codebook,
    *,
    format_: SourceFormat | None = None,
) -> Iterator[EncodedBatch]:
    """Yield the codes of a file's documents; raises CodebookError where spec and codebook differ."""
    with _encoder(coded.vector) as encoder:
        check_codebook(coded.name, coded.vector, encoder.name, codebook)
        documents = open_documents(path, coded.vector, encoder, format_)
        for batch in embed_documents(documents.maker, coded.vector, documents.records):
            ids = [document_id(r, spec) if r.fields else str(r.row) for r in batch.records]
            yield EncodedBatch(ids, codebook.encode(batch.vectors), batch.left_out)


@contextmanager
def _encoder(vector: VectorSpec) -> Iterator[Encoder]:
    encoder = load_encoder(vector)
    try:
        yield encoder
    finally:
        close_encoders([encoder])
