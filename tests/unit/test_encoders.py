from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kokeshi.codes import normalise, prefix
from kokeshi.encoders import Record, check_query, embed_query, embed_records, load_encoder
from kokeshi.encoders.registry import encoder_names
from kokeshi.errors import EncoderError, InputError
from kokeshi.ingest.documents import serialise_column
from kokeshi.schema import VectorSpec

INCLUDED = ["http", "onnx-text", "precomputed", "sentence-transformers", "wordllama"]
TEXTS = ["black waterproof jacket", "red summer dress", "日本の浴衣", "🦊"]


def precomputed(dimension: int = 2, space: str = "cosine", prefixes=(), **options) -> VectorSpec:
    encoder = {"name": "precomputed", **options}
    return VectorSpec(encoder=encoder, dimension=dimension, space=space, prefixes=prefixes)


def embed(spec: VectorSpec, *documents: dict):
    records = [Record(row, row + 1, fields) for row, fields in enumerate(documents)]
    return embed_records(load_encoder(spec), spec, records)


WORDLLAMA = VectorSpec(encoder="wordllama", source="{title}", dimension=256, prefixes=(64, 128))


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(WORDLLAMA)


class TestWordLlama:
    def test_texts_become_rows(self, encoder):
        vectors = encoder.encode(TEXTS)
        assert (vectors.shape, vectors.dtype, encoder.dim) == ((4, 256), np.float32, 256)

    def test_no_texts_are_no_rows(self, encoder):
        assert encoder.encode([]).shape == (0, 256)

    @pytest.mark.parametrize("text", ["", " ", "\n\t"])
    def test_an_empty_text_is_a_zero_vector(self, encoder, text):
        vectors = encoder.encode(["jacket", text, "dress"])
        assert vectors.any(axis=1).tolist() == [True, False, True]

    def test_a_text_has_one_vector_whatever_is_beside_it(self, encoder):
        alone = np.vstack([encoder.encode([text]) for text in TEXTS])
        np.testing.assert_allclose(encoder.encode(TEXTS * 30)[-4:], alone, atol=1e-6)

    def test_encoding_twice_gives_the_same(self, encoder):
        np.testing.assert_array_equal(encoder.encode(TEXTS), encoder.encode(TEXTS))

    def test_the_name_carries_the_version(self, encoder):
        assert encoder.name.startswith("wordllama-0.")

    @pytest.mark.parametrize("dims", [64, 128])
    def test_a_prefix_is_what_the_truncated_model_makes(self, encoder, dims):
        wordllama = pytest.importorskip("wordllama")  # imported by the encoder before
        folder = Path(wordllama.__file__).parent
        load = wordllama.WordLlama.load
        truncated = load(cache_dir=folder, trunc_dim=dims, disable_download=True)
        found = prefix(encoder.encode(TEXTS), dims, space="cosine")
        np.testing.assert_allclose(found, truncated.embed(TEXTS, norm=True), atol=1e-6)

    def test_another_dimension_is_refused(self):
        with pytest.raises(
            EncoderError, match="makes 256 dimensions, not 128; write dimension: 256"
        ):
            load_encoder(VectorSpec(encoder="wordllama", source="{t}", dimension=128))

    def test_an_unknown_option_is_refused(self):
        encoder = {"name": "wordllama", "size": "big"}
        with pytest.raises(
            EncoderError, match="the option 'size' is not known; it takes no options"
        ):
            load_encoder(VectorSpec(encoder=encoder, source="{t}", dimension=256))

    def test_the_logging_of_the_application_is_left_alone(self):
        code = (
            "import logging; from kokeshi.encoders import load_encoder;"
            "from kokeshi.schema import VectorSpec; root = logging.getLogger();"
            "load_encoder(VectorSpec(encoder='wordllama', source='{t}', dimension=256));"
            "print(root.handlers, root.level)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert (done.stdout.strip(), done.stderr) == (f"[] {logging.WARNING}", "")

    @pytest.mark.parametrize("title", ["", "  ", "...", None])
    def test_a_document_without_words_has_no_vector(self, title):
        found = embed(WORDLLAMA, {"title": "jacket"}, {"title": title})
        assert (found.absent, found.unusable) == ({1}, {})

    def test_a_query_is_checked(self, encoder):
        with pytest.raises(EncoderError, match="query ' ': it has no words"):
            embed_query(encoder, WORDLLAMA, " ")
        with pytest.raises(EncoderError, match="not valid Unicode"):
            embed_query(encoder, WORDLLAMA, "\udcff")

    def test_a_template_is_needed(self):
        spec = WORDLLAMA.model_copy(update={"source": None})
        with pytest.raises(EncoderError, match="encoder wordllama needs a source template"):
            embed(spec, {"title": "jacket"})


class TestColumn:
    @pytest.mark.parametrize(
        ("document", "reason"),
        [
            ({}, "needs 2 numbers in column 'v', found None"),
            ({"v": None}, "needs 2 numbers in column 'v', found None"),
            ({"v": [1]}, "needs 2 numbers in column 'v', found 1"),
            ({"v": [1, 2, 3]}, "needs 2 numbers in column 'v', found 3"),
            ({"v": []}, "needs 2 numbers in column 'v', found 0"),
            ({"v": [[1, 2]]}, "needs 2 numbers in column 'v', found 1"),
            ({"v": 7}, "needs 2 numbers in column 'v', found 7"),
            ({"v": "[1, 2]"}, "is not a list of numbers in column 'v'"),
            ({"v": [1, "x"]}, "is not a list of numbers in column 'v'"),
            ({"v": [[1], [2, 3]]}, "is not a list of numbers in column 'v'"),
            ({"v": {"a": 1}}, "is not a list of numbers in column 'v'"),
            ({"v": [10**400, 1]}, "is not a list of numbers in column 'v'"),
            ({"v": [1, None]}, "has NaN or infinite components"),
            ({"v": [1, float("nan")]}, "has NaN or infinite components"),
            ({"v": [1, 1e39]}, "has NaN or infinite components"),
            ({"v": [0, 0]}, "has only zeros in its first 2 dimensions"),
        ],
    )
    def test_a_vector_that_cannot_be_stored_says_why(self, document, reason):
        found = embed(precomputed(column="v"), {"v": [1, 2]}, document)
        assert list(found.unusable) == [1]
        assert found.unusable[1].startswith(reason)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"column": 5},
                "encoder precomputed: option column: 5 is not accepted: a valid string",
            ),
            ({"colunm": "v"}, "the option 'colunm' is not known; it takes column, file"),
        ],
    )
    def test_options_are_checked(self, options, message):
        with pytest.raises(EncoderError, match=message):
            load_encoder(precomputed(**options))

    def test_good_vectors_come_back(self):
        found = embed(precomputed(column="v"), {"v": [1, 2]}, {"v": [3.5, -4]})
        assert found.vectors.tolist() == [[1, 2], [3.5, -4]]
        assert found.unusable == {}

    def test_the_shortest_prefix_must_not_be_zero(self):
        spec = precomputed(4, column="v", prefixes=(2, 3))
        found = embed(spec, {"v": [0, 0, 1, 1]}, {"v": [0, 1e-45, 1, 1]})
        assert found.unusable == {0: "has only zeros in its first 2 dimensions, so no direction"}

    @pytest.mark.parametrize("space", ["dot", "l2"])
    def test_zeros_are_a_vector_where_lengths_count(self, space):
        assert embed(precomputed(space=space, column="v"), {"v": [0, 0]}).unusable == {}

    def test_a_text_cannot_be_encoded(self):
        spec = precomputed(column="v")
        with pytest.raises(
            EncoderError, match="cannot encode the text 'shoe'; give the query's vector"
        ):
            embed_query(load_encoder(spec), spec, "shoe")

    @pytest.mark.parametrize("options", [{}, {"column": "v", "file": "v.npy"}])
    def test_vectors_come_from_a_column_or_a_file(self, options):
        with pytest.raises(EncoderError, match="takes one of the options column and file"):
            load_encoder(precomputed(**options))


class TestFile:
    @pytest.fixture
    def file(self, tmp_path):
        def save(rows) -> str:
            np.save(tmp_path / "rows.npy", np.asarray(rows))
            return str(tmp_path / "rows.npy")

        return save

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f4", np.float64, np.int64])
    @pytest.mark.parametrize("rows", [(2, 0), (1, 2), (1, 1), (0,), ()])
    def test_each_document_takes_the_row_of_its_number(self, file, dtype, rows):
        numbers = [[1, 2], [3, 4], [5, 6]]
        spec = precomputed(file=file(np.array(numbers, dtype)))
        records = [Record(row, row + 1, {}) for row in rows]
        found = embed_records(load_encoder(spec), spec, records)
        assert found.vectors.tolist() == [numbers[row] for row in rows]
        assert (found.vectors.dtype, found.vectors.shape) == (np.float32, (len(rows), 2))

    def test_rows_are_serialised_however_they_lie_in_the_file(self, file):
        spec = precomputed(file=file(np.asfortranarray([[1, 2], [3, 4]], np.float32)))
        records = [Record(row, row + 1, {}) for row in (0, 1)]
        found = embed_records(load_encoder(spec), spec, records)
        assert serialise_column("v", found.vectors) == [b'"v":[1.0,2.0]', b'"v":[3.0,4.0]']

    def test_a_document_without_a_row_says_so(self, file):
        found = embed(precomputed(file=file([[1.0, 2.0]])), {}, {})
        reason = "has no row in the .npy file, which ends after 1 documents"
        assert found.unusable == {1: reason}

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
    def test_a_row_that_is_not_finite_is_refused(self, file, bad):
        found = embed(precomputed(file=file([[1.0, 2.0], [bad, 1.0]])), {}, {})
        assert found.unusable == {1: "has NaN or infinite components"}

    @pytest.mark.parametrize("rows", [[[1.0, 2.0, 3.0]], [1.0, 2.0], [[[1.0, 2.0]]]])
    def test_rows_have_the_dimension(self, file, rows):
        with pytest.raises(
            InputError, match=r"rows.npy: rows of 2 numbers are expected, its shape is"
        ):
            load_encoder(precomputed(file=file(rows)))

    @pytest.mark.parametrize("rows", [[["a", "b"]], [[1j, 2j]], [[True, False]]])
    def test_rows_are_numbers(self, file, rows):
        with pytest.raises(InputError, match=r"rows.npy: not a .npy file of numbers: it holds"):
            load_encoder(precomputed(file=file(rows)))

    @pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01"])
    def test_a_file_that_holds_no_array_is_refused(self, tmp_path, content):
        (tmp_path / "rows.npy").write_bytes(content)
        with pytest.raises(InputError, match=r"rows.npy: not a .npy file of numbers"):
            load_encoder(precomputed(file=str(tmp_path / "rows.npy")))

    def test_an_archive_is_refused(self, tmp_path):
        np.savez(tmp_path / "rows.npz", rows=np.ones((1, 2)))
        with pytest.raises(InputError, match="it holds an archive"):
            load_encoder(precomputed(file=str(tmp_path / "rows.npz")))

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(InputError, match=r"absent.npy: no such file"):
            load_encoder(precomputed(file=str(tmp_path / "absent.npy")))


class TestQueryVector:
    @pytest.mark.parametrize("vector", [[1.0], [1.0, 2.0, 3.0], 5.0, [[1.0, 2.0]], []])
    def test_it_has_the_dimension_of_the_spec(self, vector):
        with pytest.raises(EncoderError, match="query vector: 2 dimensions are expected"):
            check_query(vector, precomputed(column="v"))

    @pytest.mark.parametrize("vector", [[1.0, np.nan], [1.0, -np.inf]])
    def test_it_is_finite(self, vector):
        with pytest.raises(EncoderError, match="its vector has NaN or infinite components"):
            check_query(vector, precomputed(column="v"))

    def test_it_is_not_zero_where_only_its_direction_counts(self):
        with pytest.raises(EncoderError, match="its vector has only zeros"):
            check_query([0, 0], precomputed(column="v"))

    def test_it_becomes_float32(self):
        assert check_query([1, 2], precomputed(column="v")).dtype == np.float32


class TestThirdParty:
    MODULE = """
import numpy as np

class Letters:
    name = "letters-1"

    def __init__(self, dimension, case="lower"):
        self.dim = 3 if case == "wrong" else dimension
        self.case = case

    def encode(self, batch):
        rows = 1 if self.case == "short" else len(batch)
        return np.full((rows, self.dim), len(batch[0]), np.float32)
"""
    POINTS = (
        "[kokeshi.encoders]\nletters = letters_encoder:Letters\nbroken = no_such_module:build\n"
    )

    @pytest.fixture(autouse=True)
    def _installed(self, tmp_path, monkeypatch):
        """A distribution as pip leaves it, on the path."""
        info = tmp_path / "letters_encoder-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: letters-encoder\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(self.POINTS)
        (tmp_path / "letters_encoder.py").write_text(self.MODULE)
        monkeypatch.syspath_prepend(tmp_path)
        yield
        sys.modules.pop("letters_encoder", None)

    def spec(self, name: str = "letters", **options) -> VectorSpec:
        return VectorSpec(encoder={"name": name, **options}, source="{t}", dimension=2)

    def test_it_is_found_by_its_entry_point(self):
        assert encoder_names() == sorted([*INCLUDED, "broken", "letters"])

    def test_its_options_reach_it(self):
        assert load_encoder(self.spec(case="upper")).case == "upper"

    def test_an_option_that_it_does_not_take_is_named(self):
        with pytest.raises(EncoderError, match=r"options {'size': 'big'}: .*unexpected keyword"):
            load_encoder(self.spec(size="big"))

    def test_it_encodes(self):
        assert embed(self.spec(), {"t": "abc"}).vectors.tolist() == [[3, 3]]

    def test_only_documents_with_words_reach_it(self):
        found = embed(self.spec(), {"t": "..."}, {"t": "abc"}, {"t": ""}, {"t": "de"})
        assert found.absent == {0, 2}
        assert found.vectors[[1, 3]].tolist() == [[3, 3], [3, 3]]

    def test_without_any_words_it_is_not_called(self):
        found = embed(self.spec(case="short"), {"t": "..."}, {"t": " "})
        assert (found.absent, found.vectors.shape) == ({0, 1}, (2, 2))

    def test_its_dimension_must_be_that_of_the_spec(self):
        with pytest.raises(
            EncoderError, match=r"letters makes 3 dimensions, .*; write dimension: 3"
        ):
            load_encoder(self.spec(case="wrong"))

    def test_it_must_give_every_text_a_vector(self):
        with pytest.raises(
            EncoderError, match=r"letters-1: the shape \(2, 2\) is expected, found \(1, 2"
        ):
            embed(self.spec(case="short"), {"t": "a"}, {"t": "b"})

    def test_one_that_cannot_be_imported_says_so(self):
        with pytest.raises(EncoderError, match="broken cannot be loaded: No module named 'no_such"):
            load_encoder(self.spec("broken"))

    def test_an_unknown_one_lists_the_installed(self):
        known = ", ".join(sorted([*INCLUDED, "broken", "letters"]))
        with pytest.raises(EncoderError, match=f"unknown encoder 'bert'; installed are: {known}"):
            load_encoder(self.spec("bert"))


def test_normalised_vectors_of_the_encoder_are_unit_vectors():
    vectors = normalise(load_encoder(WORDLLAMA).encode(TEXTS))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
