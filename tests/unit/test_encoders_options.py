from __future__ import annotations

import builtins

import pytest

from kokeshi.encoders import close_encoders, embed_query
from kokeshi.encoders.http import build as http
from kokeshi.encoders.onnx_text import build as onnx_text
from kokeshi.encoders.options import needs_extra
from kokeshi.encoders.sentence_transformers import build as sentence_transformers
from kokeshi.errors import EncoderError, MissingExtraError
from kokeshi.schema import VectorSpec

URL = "http://127.0.0.1:1/v1/embeddings"
BUILDERS = {
    "http": (http, {"url": URL, "model": "m", "key_variable": None}),
    "onnx-text": (onnx_text, {"folder": "."}),
    "sentence-transformers": (sentence_transformers, {"model": "m"}),
}


@pytest.mark.parametrize(
    ("encoder", "options", "message"),
    [
        ("http", {"batch": 0}, "option batch: 0 is not accepted: greater than or equal to 1"),
        ("http", {"batch": 4096}, "option batch: 4096 is not accepted: less than or equal to 2048"),
        (
            "http",
            {"concurrency": "many"},
            "option concurrency: 'many' is not accepted: a valid int",
        ),
        ("http", {"timeout": float("inf")}, "option timeout: inf is not accepted: a finite number"),
        ("http", {"retries": -1}, "option retries: -1 is not accepted"),
        ("http", {"model": None}, "option model: None is not accepted: a valid string"),
        ("http", {"send_dimensions": "maybe"}, "option send_dimensions: 'maybe' is not accepted"),
        ("http", {"api": "x"}, "the option 'api' is not known; it takes query_prefix, .*, ca_file"),
        ("onnx-text", {"pooling": "max"}, "option pooling: 'max' is not accepted: 'mean' or 'cls'"),
        ("onnx-text", {"max_tokens": 0}, "option max_tokens: 0 is not accepted"),
        ("onnx-text", {"query_prefix": 1}, "option query_prefix: 1 is not accepted"),
        ("sentence-transformers", {"batch": 1.5}, "option batch: 1.5 is not accepted"),
        ("sentence-transformers", {"pooling": "cls"}, "it takes model, device, batch, "),
    ],
)
def test_a_wrong_option_is_named_with_what_is_accepted(encoder, options, message):
    build, good = BUILDERS[encoder]
    with pytest.raises(EncoderError, match=f"^encoder {encoder}: .*{message}"):
        build(dimension=4, **{**good, **options})


@pytest.mark.parametrize(
    ("encoder", "option"),
    [
        ("http", "url"),
        ("http", "model"),
        ("onnx-text", "folder"),
        ("sentence-transformers", "model"),
    ],
)
def test_what_is_required_is_named(encoder, option):
    build, good = BUILDERS[encoder]
    given = {name: value for name, value in good.items() if name != option}
    with pytest.raises(EncoderError, match=f"encoder {encoder}: option {option}: .* is required"):
        build(dimension=4, **given)


def test_the_value_of_an_unknown_option_stays_unsaid():
    with pytest.raises(EncoderError, match="the option 'key' is not known") as caught:
        http(dimension=2, url=URL, model="m", key="sk-secret")
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("encoder", "extra"),
    [("onnx-text", "onnx"), ("sentence-transformers", "sentence-transformers")],
)
def test_a_missing_package_names_the_extra(encoder, extra, monkeypatch):
    missing = {"onnxruntime", "sentence_transformers"}
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name in missing:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    build, options = BUILDERS[encoder]
    with pytest.raises(MissingExtraError, match=rf"pip install 'kokeshi\[{extra}\]'"):
        build(dimension=4, **options)


def test_a_package_that_is_there_but_broken_is_not_called_missing():
    with pytest.raises(ImportError, match="libgomp") as caught, needs_extra("x", "onnx"):
        raise ImportError("libgomp.so.1: cannot open shared object file")
    assert not isinstance(caught.value, MissingExtraError)


class Prompted:
    name, dim = "prompted", 2

    def __init__(self):
        self.closed = False

    def encode(self, batch):
        return [[1.0, 0.0]]

    def encode_queries(self, batch):
        return [[0.0, 1.0]]

    def close(self):
        self.closed = True


def test_a_query_takes_its_own_way_where_there_is_one():
    spec = VectorSpec(encoder="prompted", source="{t}", dimension=2)
    assert embed_query(Prompted(), spec, "shoe").tolist() == [0, 1]


def test_those_that_can_be_closed_are():
    class Plain:
        name, dim = "plain", 2

        def encode(self, batch):
            return [[1.0, 0.0]]

    encoder = Prompted()
    close_encoders([Plain(), encoder])
    assert encoder.closed
