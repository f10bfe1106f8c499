"""What the contenders of the ingest benchmark read: documents, their vectors, and the spec of the index."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import orjson

from kokeshi.codes import normalise
from kokeshi.encoders import embed_records, load_encoder
from kokeshi.ingest import Source
from kokeshi.schema import load_spec
from kokeshi.types import Float32

INDEX = "bench-ingest"
DIMENSION = 768

SPEC = f"""\
index: {INDEX}
text: [TEXT]
metadata: {{brand: keyword, price: float}}
vectors:
  embedding: {{encoder: ENCODER, dimension: DIMENSION, KEPT}}
"""

KEPT = {"flat": "graph: false", "graph": "graph: true, quantization: int8"}
"""How the vector is kept -> what the spec says. Flat is Kokeshi's own way: graphs are over prefixes."""

WORDS = np.array(["black", "red", "shoe", "jacket", "warm", "light", "wool", "cotton"])
CHUNK = 512


def write_generated(folder: Path, count: int, dimension: int, kept: str) -> None:
    """Write generated documents, their vectors of unit length, and the spec.

    Of unit length, as the index is for cosines and Kokeshi makes them so: every contender sends the same.
    """
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(count, dimension)).astype(np.float32)
    np.save(folder / "vectors.npy", normalise(vectors))
    with (folder / "documents.jsonl").open("wb") as file:
        for row, words in enumerate(rng.integers(len(WORDS), size=(count, 6))):
            title = " ".join(WORDS[words])
            document = {"id": f"p{row}", "title": title, "brand": f"brand {row % 50}"}
            file.write(orjson.dumps(document | {"price": round(row % 977 * 1.1, 2)}) + b"\n")
    precomputed = f"{{name: precomputed, file: {folder / 'vectors.npy'}}}"
    _write_spec(folder, "title", precomputed, dimension, kept)


def write_texts(folder: Path, data: Path) -> None:
    """Write the products of icecat, the spec with wordllama, and the vectors that it makes, for the ceiling.

    data: the folder that has `icecat/`.
    """
    products = gzip.decompress((data / "icecat" / "products.jsonl.gz").read_bytes())
    (folder / "documents.jsonl").write_bytes(products)
    encoder = "wordllama, source: '{title} {description}'"
    _write_spec(folder, "title, description", encoder, 256, "flat")
    np.save(folder / "vectors.npy", normalise(encode_texts(folder)))


def encode_texts(folder: Path) -> Float32:
    """Return the vectors (N, D) of the documents, from the encoder of the spec, and do nothing else."""
    vector = load_spec(folder / "kokeshi.yaml").vectors["embedding"]
    encoder = load_encoder(vector)
    records = list(Source(folder / "documents.jsonl"))
    chunks = [records[at : at + CHUNK] for at in range(0, len(records), CHUNK)]
    return np.concatenate([embed_records(encoder, vector, chunk).vectors for chunk in chunks])


def count_documents(folder: Path) -> int:
    """Return how many documents there are."""
    return (folder / "documents.jsonl").read_bytes().count(b"\n")


def _write_spec(folder: Path, text: str, encoder: str, dimension: int, kept: str) -> None:
    spec = SPEC.replace("DIMENSION", str(dimension)).replace("KEPT", KEPT[kept])
    (folder / "kokeshi.yaml").write_text(spec.replace("TEXT", text).replace("ENCODER", encoder))
