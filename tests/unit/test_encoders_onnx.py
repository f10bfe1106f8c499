"""The encoder of ONNX models, on models of one look-up whose vectors are known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from kokeshi.encoders import embed_query
from kokeshi.encoders.onnx_text import Options, build, pool
from kokeshi.errors import EncoderError
from kokeshi.schema import VectorSpec

VOCABULARY = {"[PAD]": 0, "[CLS]": 1, "red": 2, "black": 3, "dress": 4, "query:": 5, "text:": 6}
TABLE = np.array([[900, -900], [1, 2], [3, 5], [7, 11], [13, 17], [19, 23], [29, 31]], np.float32)
TYPES = np.array([[0.25, 0.5], [100, 100]], np.float32)
FLOAT, INT32, INT64 = 1, 6, 7


def field(number: int, value: int | bytes | str) -> bytes:
    """One field of a protocol buffer: a varint, or bytes with their length before them."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    more = b""
    while value > 127:
        more += bytes([value & 127 | 128])
        value >>= 7
    return more + bytes([value])


def value_info(name: str, kind: int, axes: int) -> bytes:
    shape = b"".join(field(1, field(2, f"axis{axis}")) for axis in range(axes))
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def node(operator: str, *inputs: str, output: str) -> bytes:
    names = b"".join(field(1, name) for name in inputs)
    return field(1, names + field(2, output) + field(4, operator))


def tensor(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(field(1, size) for size in values.shape)
    return field(5, dims + field(2, FLOAT) + field(8, name) + field(9, values.tobytes()))


def onnx_model(inputs=("input_ids", "attention_mask"), kind=INT64, types=False, axes=3) -> bytes:
    """A model (onnx.proto, IR version 8) whose token vectors are rows of TABLE, plus of TYPES."""
    output = "tokens" if axes == 3 else "scores"
    graph = tensor("table", TABLE) + tensor("types", TYPES)
    if types:
        graph += node("Gather", "table", "input_ids", output="words")
        graph += node("Gather", "types", "token_type_ids", output="kinds")
        graph += node("Add", "words", "kinds", output="tokens")
    else:
        graph += node("Gather", "table", "input_ids", output="tokens")
    graph += node("ReduceSum", "tokens", output="scores")
    graph += b"".join(field(11, value_info(name, kind, 2)) for name in inputs)
    graph += field(12, value_info(output, FLOAT, axes)) + field(2, "lookup")
    return field(1, 8) + field(8, field(1, "") + field(2, 13)) + field(7, graph)


def tokenizer(**fixed) -> str:
    made = Tokenizer(models.WordLevel(VOCABULARY, "[PAD]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing("[CLS] $A", None, [("[CLS]", 1)])
    if fixed:
        made.enable_padding(length=fixed["length"], direction="left")
        made.enable_truncation(fixed["max_length"])
    return made.to_str()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.onnx").write_bytes(onnx_model())
    (tmp_path / "tokenizer.json").write_text(tokenizer())
    return tmp_path


def load(folder, **options):
    return build(dimension=2, folder=str(folder), **options)


def mean_of(*words: str) -> list[float]:
    return np.mean([TABLE[VOCABULARY[word]] for word in words], axis=0).tolist()


def test_mean_pooling_leaves_the_padding_out(folder):
    found = load(folder).encode(["red", "black dress red", "dress"])
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found,
        [
            mean_of("[CLS]", "red"),
            mean_of("[CLS]", "black", "dress", "red"),
            mean_of("[CLS]", "dress"),
        ],
        rtol=1e-6,
    )


def test_cls_pooling_takes_the_first_token(folder):
    found = load(folder, pooling="cls").encode(["red", "black dress"])
    assert found.tolist() == [TABLE[1].tolist()] * 2


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_rows_keep_the_order_of_the_texts_whatever_their_length(folder, batch):
    texts = ["red dress black", "red", "dress dress", "", "black", "black red dress red"]
    found = load(folder, batch=batch).encode(texts)
    expected = [mean_of("[CLS]", *text.split()) for text in texts]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_no_texts_are_no_rows(folder):
    assert load(folder).encode([]).shape == (0, 2)


def test_token_types_are_given_where_the_model_takes_them(folder):
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    (folder / "model.onnx").write_bytes(onnx_model(inputs, types=True))
    expected = np.array(mean_of("[CLS]", "red")) + TYPES[0]
    np.testing.assert_allclose(load(folder).encode(["red", "red dress"])[0], expected, rtol=1e-6)


def test_a_model_may_take_numbers_of_32_bits(folder):
    (folder / "model.onnx").write_bytes(onnx_model(kind=INT32))
    assert load(folder).encode(["red"]).tolist() == [mean_of("[CLS]", "red")]


def test_a_long_text_is_cut(folder):
    found = load(folder, max_tokens=3).encode(["red dress black black", "black"])
    assert found.tolist() == [mean_of("[CLS]", "red", "dress"), mean_of("[CLS]", "black")]


def test_the_tokenizer_says_where_to_cut_and_its_padding_is_not_used(folder):
    (folder / "tokenizer.json").write_text(tokenizer(length=16, max_length=2))
    assert load(folder).encode(["red dress"]).tolist() == [mean_of("[CLS]", "red")]
    assert load(folder, pooling="cls").encode(["red"]).tolist() == [TABLE[1].tolist()]


def test_queries_and_documents_have_their_own_prefix(folder):
    encoder = load(folder, query_prefix="query: ", document_prefix="text: ")
    spec = VectorSpec(encoder="onnx-text", source="{t}", dimension=2)
    query = embed_query(encoder, spec, "red")
    np.testing.assert_allclose(query, mean_of("[CLS]", "query:", "red"), rtol=1e-6)
    (document,) = encoder.encode(["red"])
    np.testing.assert_allclose(document, mean_of("[CLS]", "text:", "red"), rtol=1e-6)


def test_without_prefixes_a_query_is_like_a_document(folder):
    encoder = load(folder)
    assert encoder.encode_queries(["red"]).tolist() == encoder.encode(["red"]).tolist()


class TestIdentity:
    def test_the_same_files_have_one_name_wherever_they_lie(self, folder, tmp_path):
        other = tmp_path / "elsewhere"
        other.mkdir()
        for name in ("model.onnx", "tokenizer.json"):
            (other / name).write_bytes((folder / name).read_bytes())
        assert load(other).name == load(folder, batch=1, query_prefix="query: ").name

    def test_another_model_has_another_name(self, folder):
        before = load(folder).name
        (folder / "model.onnx").write_bytes(onnx_model() + field(2, "another producer"))
        assert load(folder).name != before

    def test_weights_beside_the_model_count(self, folder):
        before = load(folder).name
        (folder / "model.onnx_data").write_bytes(b"weights")
        assert load(folder).name != before

    def test_another_tokenizer_has_another_name(self, folder):
        before = load(folder).name
        (folder / "tokenizer.json").write_text(tokenizer(length=4, max_length=8))
        assert load(folder).name != before

    @pytest.mark.parametrize("options", [{"pooling": "cls"}, {"document_prefix": "text: "}])
    def test_what_changes_a_documents_vector_changes_the_name(self, folder, options):
        assert load(folder, **options).name != load(folder).name

    def test_it_says_the_pooling(self, folder):
        assert load(folder, pooling="cls").name.startswith("onnx-text-cls-")


class TestRefusals:
    def test_a_folder_that_is_none(self, tmp_path):
        with pytest.raises(EncoderError, match="option folder: '.*absent' is no folder"):
            load(tmp_path / "absent")

    def test_a_file_that_is_missing_lists_what_is_there(self, folder):
        with pytest.raises(
            EncoderError, match="option model: .* no file 'm.onnx', it holds model.onnx, tokenizer"
        ):
            load(folder, model="m.onnx")
        with pytest.raises(EncoderError, match="option tokenizer: .* has no file 't.json'"):
            load(folder, tokenizer="t.json")

    def test_other_names_are_taken(self, folder):
        (folder / "onnx").mkdir()
        (folder / "model.onnx").rename(folder / "onnx" / "m.onnx")
        (folder / "tokenizer.json").rename(folder / "t.json")
        assert load(folder, model="onnx/m.onnx", tokenizer="t.json").dim == 2

    def test_a_file_that_is_no_model(self, folder):
        (folder / "model.onnx").write_bytes(b"no model")
        with pytest.raises(EncoderError, match="model.onnx is not a model that can be run: .*"):
            load(folder)

    def test_a_file_that_is_no_tokenizer(self, folder):
        (folder / "tokenizer.json").write_text("{}")
        with pytest.raises(EncoderError, match="tokenizer.json is not a tokenizer: "):
            load(folder)

    def test_a_model_of_something_else(self, folder):
        (folder / "model.onnx").write_bytes(onnx_model(("input_ids", "pixel_values")))
        with pytest.raises(EncoderError, match="wants the input 'pixel_values'; .* input_ids, "):
            load(folder)

    def test_a_model_without_token_vectors(self, folder):
        (folder / "model.onnx").write_bytes(onnx_model(axes=0))
        with pytest.raises(EncoderError, match=r"an output \(texts, tokens, .* has scores \[\]"):
            load(folder)

    def test_an_input_that_the_model_cannot_take(self, folder):
        encoder = load(folder)
        encoder._tokenizer.add_tokens(["outside"])  # a token that the table has no row for
        with pytest.raises(EncoderError, match="the model refuses its input .*max_tokens"):
            encoder.encode(["outside"])


def test_a_text_without_any_token_pools_to_zeros():
    tokens, mask = np.ones((1, 2, 3), np.float32), np.zeros((1, 2), np.float32)
    assert pool(tokens, mask, "mean").tolist() == [[0, 0, 0]]


def test_the_number_of_threads_reaches_the_session(folder):
    encoder = load(folder, threads=1)
    assert encoder._session.get_session_options().intra_op_num_threads == 1
    assert Options(folder=".").threads is None
