"""`kokeshi codes`: train, inspect and encode, without an engine."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kokeshi.cli.codes import app
from kokeshi.codes import normalise
from kokeshi.codes.codebook import load_codebook
from kokeshi.errors import CodebookError, InputError, KokeshiError, SpecError

SPEC = """\
index: shop
id: sku
vectors:
  plain: {encoder: {name: precomputed, column: vec}, dimension: 8}
  v:
    encoder: {name: precomputed, column: vec}
    dimension: 8
    codes: {subvectors: 4CODES}
"""
VECTORS = np.random.default_rng(3).normal(size=(300, 8)).astype(np.float32)


class Shop:
    """A folder with a spec and a catalogue, and the commands run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec()
        self.write("products.jsonl", VECTORS.tolist())
        np.save(folder / "vectors.npy", VECTORS)

    def spec(self, codes: str = "") -> None:
        (self.folder / "kokeshi.yaml").write_text(SPEC.replace("CODES", codes), "utf-8")

    def write(self, name: str, vectors: list) -> None:
        lines = [json.dumps({"sku": f"p{i}", "vec": v}) for i, v in enumerate(vectors)]
        (self.folder / name).write_text("\n".join(lines), "utf-8")

    def run(self, *arguments: str):
        return CliRunner().invoke(app, arguments)

    def ok(self, *arguments: str) -> str:
        ran = self.run(*arguments)
        assert ran.exit_code == 0, ran.exception
        return ran.stdout

    def error(self, *arguments: str) -> KokeshiError:
        ran = self.run(*arguments)
        assert isinstance(ran.exception, KokeshiError), (ran.exception, ran.output)
        return ran.exception


@pytest.fixture
def shop(tmp_path, monkeypatch) -> Shop:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KOKESHI_SPEC", raising=False)
    return Shop(tmp_path)


@pytest.fixture(scope="module")
def codebook(tmp_path_factory) -> bytes:
    """What is trained on the catalogue."""
    folder = tmp_path_factory.mktemp("trained")
    shop = Shop(folder)
    files = [str(folder / name) for name in ("products.jsonl", "kokeshi.yaml", "a")]
    shop.ok("train", files[0], "--spec", files[1], "--output", files[2])
    return (folder / "a").read_bytes()


@pytest.fixture
def trained(shop, codebook) -> Shop:
    """A shop with its codebook."""
    (shop.folder / "shop-v.codebook").write_bytes(codebook)
    return shop


def test_what_is_trained_is_written_where_the_spec_says(shop):
    printed = shop.ok("train", "products.jsonl")
    book = load_codebook("shop-v.codebook")
    assert book.digest in printed
    assert "Wrote shop-v.codebook. Next: kokeshi ingest products.jsonl" in printed
    assert (book.encoder, book.space, book.dimension) == ("precomputed", "cosine", 8)
    assert "Recall1@10" in printed
    assert {"rows": 300, "source": "products.jsonl", "index": "shop", "vector": "v"}.items() <= (
        book.trained.items()
    )


def test_the_file_may_be_named_in_the_spec_and_by_an_option(shop):
    shop.spec(", codebook: a.book")
    shop.ok("train", "products.jsonl")
    shop.ok("train", "products.jsonl", "--output", "b.book")
    assert load_codebook("a.book").digest == load_codebook("b.book").digest


def test_training_prints_json(shop):
    printed = json.loads(shop.ok("train", "products.jsonl", "--json"))
    book = load_codebook("shop-v.codebook")
    assert (printed["file"], printed["digest"]) == ("shop-v.codebook", book.digest)
    assert (printed["code_bytes"], printed["vector_bytes"]) == (2, 32)
    assert printed["parameters"]["subvectors"] == 4
    assert printed["trained"]["quality"]["queries"] == 30


def test_a_poor_sample_is_a_warning(shop):
    ran = shop.run("train", "products.jsonl", "--json")
    assert ran.stderr.startswith("Warning: 270 vectors for 16 centroids are few")
    json.loads(ran.stdout)


def test_the_vectors_of_a_npy_file_train_the_same(shop):
    one = json.loads(shop.ok("train", "products.jsonl", "--json"))
    two = json.loads(shop.ok("train", "vectors.npy", "--json"))
    assert one["digest"] == two["digest"]
    assert two["trained"]["source"] == "vectors.npy"


def test_a_sample_is_drawn_by_the_seed(shop):
    def train(seed: str) -> dict:
        options = ("--sample", "50", "--seed", seed, "--json")
        return json.loads(shop.ok("train", "products.jsonl", *options))

    one, again, other = train("1"), train("1"), train("2")
    assert one["digest"] == again["digest"] != other["digest"]
    assert one["trained"]["sampled"] == 50
    assert one["trained"]["rows"] == 300


def test_documents_without_a_vector_are_no_sample(shop):
    shop.write("products.jsonl", [*VECTORS.tolist(), None, [0] * 8, [1, 2]])
    printed = json.loads(shop.ok("train", "products.jsonl", "--json"))
    assert printed["trained"]["rows"] == 303
    assert printed["trained"]["sampled"] + printed["trained"]["quality"]["queries"] == 300


def test_vectors_of_another_length_count_as_their_direction(shop):
    one = json.loads(shop.ok("train", "products.jsonl", "--json"))
    shop.write("long.jsonl", (VECTORS * 4).tolist())
    assert json.loads(shop.ok("train", "long.jsonl", "--json"))["digest"] == one["digest"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("absent.jsonl",), InputError, r"absent\.jsonl: no such file"),
        (("absent.npy",), InputError, r"absent\.npy: no such file"),
        (("few.jsonl",), CodebookError, "a sample of 4 vectors"),
        (("none.jsonl",), CodebookError, r"none\.jsonl: no document has a vector for 'v'"),
        (("short.npy",), InputError, r"short\.npy: rows of 8 numbers are expected"),
        (("empty.npy",), InputError, r"empty\.npy: the file has no rows"),
        (("products.jsonl", "--vector", "plain"), SpecError, "'plain' has no codes; .*: v$"),
        (("products.jsonl", "--vector", "absent"), SpecError, "'absent' has no codes; .*: v$"),
        (("products.jsonl", "-o", "no/a"), CodebookError, "no/a: cannot be written"),
        (("products.txt",), InputError, "its format is not known"),
    ],
)
def test_a_training_that_cannot_be_is_refused(shop, arguments, error, message):
    shop.write("few.jsonl", VECTORS[:5].tolist())
    shop.write("none.jsonl", [None])
    np.save("short.npy", VECTORS[:, :5])
    np.save("empty.npy", VECTORS[:0])
    Path("products.txt").write_text("x", "utf-8")
    with pytest.raises(error, match=message):
        raise shop.error("train", *arguments)
    assert not list(Path().glob("*.codebook"))


def test_a_spec_without_codes_says_what_to_add(shop):
    Path("kokeshi.yaml").write_text(SPEC.rpartition("    codes")[0], "utf-8")
    with pytest.raises(
        SpecError, match=r"no vector of the spec has codes; add 'codes: \{subvectors"
    ):
        raise shop.error("train", "products.jsonl")


def test_of_several_vectors_with_codes_one_is_named(shop):
    text = SPEC.replace("CODES", "").replace(
        "dimension: 8}", "dimension: 8, codes: {subvectors: 2}}"
    )
    Path("kokeshi.yaml").write_text(text, "utf-8")
    with pytest.raises(
        SpecError, match="several vectors have codes; name one with --vector: plain, v"
    ):
        raise shop.error("train", "products.jsonl")
    shop.ok("train", "products.jsonl", "--vector", "plain")
    assert load_codebook("shop-plain.codebook").quantizer.num_subvectors == 2


def test_a_codebook_is_inspected(trained):
    book = load_codebook("shop-v.codebook")
    text = " ".join(trained.ok("inspect", "shop-v.codebook").split())
    for fact in (
        f"digest {book.digest}",
        "encoder precomputed",
        "loss score-aware",
        "residual false",
        "cells 0",
        "bytes 2 of codes a document, 16 times less than its vector",
        "rows 300",
        "source products.jsonl",
        "seed 1",
    ):
        assert fact in text
    assert json.loads(trained.ok("inspect", "shop-v.codebook", "--json"))["digest"] == book.digest


def test_a_damaged_codebook_is_not_inspected(trained):
    path = Path("shop-v.codebook")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CodebookError, match="shop-v.codebook: it was cut short or altered"):
        raise trained.error("inspect", "shop-v.codebook")


def encoded(book_path: str = "shop-v.codebook"):
    return load_codebook(book_path).encode(normalise(VECTORS))


def test_codes_are_written_as_an_array(trained):
    printed = trained.ok("encode", "products.jsonl", "--output", "codes.npy")
    assert printed == "Encoded 300 documents into codes.npy.\n"
    np.testing.assert_array_equal(np.load("codes.npy"), encoded().codes)
    assert not Path("codes.cells.npy").exists()


@pytest.mark.parametrize("arguments", [(), ("-o", "codes.jsonl")])
def test_codes_are_written_as_lines(trained, arguments):
    printed = trained.ok("encode", "products.jsonl", *arguments)
    text = Path("codes.jsonl").read_text("utf-8") if arguments else printed
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["id"] for line in lines] == [f"p{i}" for i in range(300)]
    assert base64.b64decode(lines[7]["codes"]) == encoded().codes[7].tobytes()
    assert lines[7].keys() == {"id", "codes"}


def test_cells_are_written_too(shop):
    shop.spec(", cells: 3, residual: true")
    shop.ok("train", "products.jsonl")
    shop.ok("encode", "vectors.npy", "-o", "codes.npy")
    expected = encoded()
    np.testing.assert_array_equal(np.load("codes.npy"), expected.codes)
    np.testing.assert_array_equal(np.load("codes.cells.npy"), expected.cells)
    line = json.loads(shop.ok("encode", "vectors.npy").splitlines()[4])
    assert (line["id"], line["cell"]) == ("4", expected.cells[4])


def test_lines_leave_out_what_has_no_vector(trained):
    trained.write("some.jsonl", [VECTORS[0].tolist(), None, VECTORS[1].tolist()])
    with Path("some.jsonl").open("a", encoding="utf-8") as file:
        file.write("\nnot json")
    ran = trained.run("encode", "some.jsonl")
    assert [json.loads(line)["id"] for line in ran.stdout.splitlines()] == ["p0", "p2"]
    assert ran.stderr == "2 documents have no vector and were left out.\n"
    printed = json.loads(trained.ok("encode", "some.jsonl", "-o", "c.jsonl", "--json"))
    assert printed == {"file": "c.jsonl", "encoded": 2, "left_out": 2}


def test_an_array_leaves_out_nothing(trained):
    trained.write("some.jsonl", [VECTORS[0].tolist(), None])
    with pytest.raises(
        InputError, match=r"some\.jsonl: line 2: its vector .*; write a \.jsonl file"
    ):
        raise trained.error("encode", "some.jsonl", "-o", "c.npy")
    assert not Path("c.npy").exists()


def test_a_codebook_of_another_spec_encodes_nothing(trained):
    trained.spec(", cells: 5")
    with pytest.raises(CodebookError, match=r"vectors\.v\.codes\.cells is 5 in the spec, 0 in the"):
        raise trained.error("encode", "products.jsonl")


def test_another_codebook_may_be_named(trained):
    Path("shop-v.codebook").rename("other.codebook")
    trained.ok("encode", "products.jsonl", "--codebook", "other.codebook", "-o", "c.npy")
    np.testing.assert_array_equal(np.load("c.npy"), encoded("other.codebook").codes)
    with pytest.raises(CodebookError, match="shop-v.codebook: no such file; train it with"):
        raise trained.error("encode", "products.jsonl")


def test_codes_that_cannot_be_written_are_an_error(trained):
    with pytest.raises(InputError, match=r"no/c\.npy: no such file or directory \(--output\)"):
        raise trained.error("encode", "products.jsonl", "-o", "no/c.npy")
