"""The encoder of sentence-transformers, on a model of random weights that is made here.

Slow, and not on CI: the package needs PyTorch, which is larger than everything else together.
"""

from __future__ import annotations

import numpy as np
import pytest

from kokeshi.codes import prefix
from kokeshi.encoders import embed_query
from kokeshi.encoders.sentence_transformers import build
from kokeshi.errors import EncoderError
from kokeshi.schema import VectorSpec

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # of its many dependencies
]

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "red",
    "black",
    "dress",
    "shoe",
    "query",
    ":",
]
TEXTS = ["red dress", "black shoe red", "dress"]
DIMENSION = 16


def save_model(folder, *, seed: int = 0, prompts: dict[str, str] | None = None) -> str:
    """Save a BERT of two layers with mean pooling, as the package saves its own."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    package = pytest.importorskip("sentence_transformers")
    from sentence_transformers import models

    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=DIMENSION,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    transformers.BertModel(config).save_pretrained(folder / "bert")
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    bert = models.Transformer(str(folder / "bert"))
    whole = package.SentenceTransformer(
        modules=[bert, models.Pooling(DIMENSION)], prompts=prompts, device="cpu"
    )
    whole.save(str(folder / "model"))
    return str(folder / "model")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return save_model(tmp_path_factory.mktemp("models") / "plain")


@pytest.fixture(scope="module")
def prompted(tmp_path_factory) -> str:
    prompts = {"query": "query : ", "document": ""}
    return save_model(tmp_path_factory.mktemp("models") / "prompted", prompts=prompts)


def load(model: str, **options):
    return build(dimension=DIMENSION, model=model, device="cpu", **options)


def test_vectors_are_those_of_the_package(model):
    package = pytest.importorskip("sentence_transformers")
    expected = package.SentenceTransformer(model, device="cpu").encode(TEXTS)
    found = load(model, batch=2).encode(TEXTS)
    assert (found.shape, found.dtype) == ((3, DIMENSION), np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_no_texts_are_no_rows(model):
    assert load(model).encode([]).shape == (0, DIMENSION)


def test_a_prefix_is_cut_from_the_whole(model):
    encoder = load(model)
    assert encoder.dim == DIMENSION
    assert prefix(encoder.encode(TEXTS), 4, space="dot").shape == (3, 4)


def test_the_models_own_prompt_is_for_queries(prompted):
    encoder = load(prompted)
    spec = VectorSpec(encoder="sentence-transformers", source="{t}", dimension=DIMENSION)
    query = embed_query(encoder, spec, "red dress")
    np.testing.assert_allclose(query, encoder.encode(["query : red dress"])[0], atol=1e-6)
    assert np.abs(query - encoder.encode(["red dress"])[0]).max() > 1e-3


def test_prefixes_replace_the_models_own(prompted):
    encoder = load(prompted, query_prefix="black ", document_prefix="shoe ")
    plain = load(prompted, query_prefix="")
    expected = plain.encode_queries(["black red", "shoe red"])
    np.testing.assert_allclose(encoder.encode_queries(["red"])[0], expected[0], atol=1e-6)
    np.testing.assert_allclose(encoder.encode(["red"])[0], expected[1], atol=1e-6)


def test_the_weights_are_the_identity(model, prompted, tmp_path):
    name = load(model).name
    assert name.startswith("sentence-transformers-")
    assert load(prompted).name == name  # the same weights elsewhere, the same prompt of documents
    assert load(save_model(tmp_path / "other", seed=1)).name != name
    assert load(model, document_prefix="shoe ").name != name
    assert load(model, query_prefix="shoe ").name == name


def test_a_model_that_cannot_be_loaded_is_named(tmp_path, monkeypatch):
    pytest.importorskip("sentence_transformers")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match=f"option model: '{tmp_path}' cannot be loaded: "):
        load(str(tmp_path))


def test_a_device_that_is_none_is_named(model):
    with pytest.raises(EncoderError, match="cannot be loaded: .*device"):
        build(dimension=DIMENSION, model=model, device="abacus")
