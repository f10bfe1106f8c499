from __future__ import annotations

import hashlib
import re
import struct
import sys
from dataclasses import replace

import numpy as np
import orjson
import pytest

from kokeshi.codes import normalise
from kokeshi.codes.cells import Cells
from kokeshi.codes.codebook import Codebook, Encoded, load_codebook
from kokeshi.codes.codebook_file import write_bytes
from kokeshi.codes.product import ProductQuantizer
from kokeshi.codes.rotation import PcaRotation, Rotation
from kokeshi.codes.training import TrainingOptions, train_codebook
from kokeshi.errors import CodebookError

RNG = np.random.default_rng(7)
VECTORS = normalise(RNG.normal(size=(900, 16)).astype(np.float32))
OPTIONS = {
    "plain": TrainingOptions(subvectors=4, loss="plain"),
    "score-aware": TrainingOptions(subvectors=4, threshold=0.3),
    "bytes": TrainingOptions(subvectors=2, codebook_size=256, loss="plain"),
    "odd and padded": TrainingOptions(subvectors=3, loss="plain"),
    "opq": TrainingOptions(subvectors=4, loss="plain", rotation="opq"),
    "cells": TrainingOptions(subvectors=4, loss="plain", cells=6),
    "residual": TrainingOptions(subvectors=4, cells=6, residual=True),
}
EACH = pytest.mark.parametrize("name", OPTIONS)


def train(options: TrainingOptions, space: str = "cosine", **changes) -> Codebook:
    given = {"encoder": "model", "source": {"rows": 900, "source": "shop.jsonl"}} | changes
    return train_codebook(VECTORS, options, space=space, **given).codebook


TRAINED = {name: train(options) for name, options in OPTIONS.items()}


@EACH
def test_a_saved_codebook_is_the_same(name, tmp_path):
    book = TRAINED[name]
    book.save(tmp_path / "a.codebook")
    loaded = load_codebook(tmp_path / "a.codebook")
    assert loaded.digest == book.digest
    assert (loaded.parameters, loaded.trained) == (book.parameters, dict(book.trained))
    ours, theirs = book.encode(VECTORS), loaded.encode(VECTORS)
    np.testing.assert_array_equal(ours.codes, theirs.codes)
    np.testing.assert_array_equal(ours.cells, theirs.cells)
    assert [path.name for path in tmp_path.iterdir()] == ["a.codebook"]


@EACH
def test_scores_are_dot_products_with_what_codes_stand_for(name):
    book = TRAINED[name]
    encoded, query = book.encode(VECTORS), VECTORS[3]
    scores = book.scores(book.query(query), encoded)
    np.testing.assert_allclose(scores, book.decode(encoded) @ query, atol=1e-5)
    for_dot = replace(book, space="dot")
    np.testing.assert_array_equal(for_dot.scores(for_dot.query(query), encoded), scores)


@pytest.mark.parametrize("name", ["plain", "bytes", "odd and padded", "cells", "opq"])
def test_scores_of_l2_are_minus_squared_distances(name):
    book = replace(TRAINED[name], space="l2")
    encoded, query = book.encode(VECTORS), VECTORS[3]
    expected = -np.square(book.decode(encoded) - query).sum(axis=1)
    np.testing.assert_allclose(book.scores(book.query(query), encoded), expected, atol=1e-5)


@EACH
def test_codes_take_the_bytes_that_are_said(name):
    book = TRAINED[name]
    encoded = book.encode(VECTORS)
    assert encoded.codes.shape == (900, book.code_bytes)
    assert encoded.codes.dtype == np.uint8
    assert (encoded.cells is None) == (OPTIONS[name].cells == 0)


def test_only_residual_codes_have_biases():
    assert TRAINED["cells"].query(VECTORS[0]).biases is None
    assert TRAINED["residual"].query(VECTORS[0]).biases.shape == (6,)


def test_the_nearest_cells_come_first():
    book = TRAINED["residual"]
    products = book.cells.centroids @ VECTORS[0]
    assert book.nearest_cells(VECTORS[0], 4).tolist() == np.argsort(-products)[:4].tolist()


def test_a_codebook_without_cells_has_none_to_probe():
    with pytest.raises(CodebookError, match=r"the codebook has no cells; .*codes\.cells"):
        TRAINED["plain"].nearest_cells(VECTORS[0], 1)


def test_no_vectors_have_no_codes():
    encoded = TRAINED["residual"].encode(np.empty((0, 16), np.float32))
    assert (encoded.codes.shape, encoded.cells.shape) == ((0, 2), (0,))
    assert TRAINED["residual"].decode(encoded).shape == (0, 16)


@pytest.mark.parametrize("name", ["plain", "residual"])
@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (VECTORS[:, :11], r"vectors of shape \(900, 11\): give \(N, 16\)"),
        (VECTORS[0], r"vectors of shape \(16,\): give \(N, 16\)"),
        (np.where(np.arange(16) == 3, np.nan, VECTORS), "vector 0 holds NaN"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(name, vectors, message):
    with pytest.raises(CodebookError, match=message):
        TRAINED[name].encode(vectors)


@pytest.mark.parametrize("name", ["plain", "residual"])
def test_a_query_that_does_not_fit_is_refused(name):
    with pytest.raises(CodebookError, match=r"shape \(1, 3\): give \(N, 16\)"):
        TRAINED[name].query(VECTORS[0, :3])


def test_codes_that_do_not_fit_are_refused():
    with pytest.raises(CodebookError, match=r"packed codes of shape \(2, 5\)"):
        TRAINED["plain"].decode(Encoded(np.zeros((2, 5), np.uint8)))


@pytest.mark.parametrize("name", ["residual", "opq"])
def test_the_same_vectors_and_seed_train_the_same(name):
    assert train(OPTIONS[name]).digest == TRAINED[name].digest


def test_another_seed_trains_another():
    assert (
        train(TrainingOptions(subvectors=4, loss="plain", seed=2)).digest != TRAINED["plain"].digest
    )


@pytest.mark.parametrize("change", [{"encoder": "other"}, {"space": "dot"}])
def test_the_digest_tells_encoder_and_space(change):
    assert replace(TRAINED["plain"], **change).digest != TRAINED["plain"].digest


def test_the_digest_does_not_depend_on_what_is_told_of_the_training():
    assert replace(TRAINED["plain"], trained={"rows": 5}).digest == TRAINED["plain"].digest


def test_the_training_is_described():
    trained = TRAINED["residual"].trained
    assert (trained["rows"], trained["source"], trained["seed"]) == (900, "shop.jsonl", 1)
    assert (trained["sampled"], trained["quality"]["queries"]) == (810, 90)
    assert 0 < trained["quality"]["recall1_at_10"] <= 1
    assert re.match(r"\d{4}-\d\d-\d\dT", trained["date"])


def test_the_sample_is_no_larger_than_asked():
    options = TrainingOptions(subvectors=4, loss="plain", sample=300, held_out=50)
    quality = train(options).trained["quality"]
    assert (quality["base"], quality["queries"]) == (300, 50)


def test_training_tells_how_far_it_is():
    told = []
    train_codebook(
        VECTORS,
        OPTIONS["residual"],
        space="cosine",
        encoder="e",
        source={},
        on_progress=lambda *stage: told.append(stage),
    )
    stages, shares = zip(*told, strict=True)
    assert stages == ("Checking", "Finding cells", "Learning codewords", "Measuring", "Trained")
    assert list(shares) == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.parametrize(
    ("changes", "space", "message"),
    [
        ({"loss": "other"}, "dot", "loss 'other': write plain or score-aware"),
        ({"rotation": "pca"}, "dot", "rotation 'pca': write none or opq"),
        ({"loss": "score-aware"}, "l2", "loss 'score-aware' is for cosine and dot"),
        ({"residual": True}, "dot", "residual is for cosine and dot, with cells"),
        ({"residual": True, "cells": 2}, "l2", "residual is for cosine and dot, with cells"),
        ({"sample": 0}, "dot", "sample 0: write 1 or more"),
        ({"held_out": 0}, "dot", "held_out 0: write 1 or more"),
        ({"codebook_size": 17}, "dot", "codebook_size 17: write 16 .* or 256"),
        ({"subvectors": 17}, "dot", "num_subvectors 17 for 16 dimensions"),
        ({"subvectors": 7}, "dot", "num_subvectors 7 for 16 dimensions.*padding"),
        ({"sample": 10}, "dot", "a sample of 10 vectors"),
        ({"cells": 1000}, "dot", "a sample of 810 vectors.* for 1000 centroids"),
    ],
)
def test_options_that_do_not_fit_are_refused(changes, space, message):
    options = TrainingOptions(**({"subvectors": 4, "loss": "plain"} | changes))
    with pytest.raises(CodebookError, match=message):
        train(options, space)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.tile(VECTORS[:1], (900, 1)), "1 of them different"),
        (np.where(np.arange(16) < 9, 0.5, VECTORS), "9 of 16 dimensions have one value"),
        (np.full((900, 16), np.nan), "vector 0 holds NaN"),
        (VECTORS[:1], "a sample of 0 vectors"),
        (VECTORS[:0], "a sample of 0 vectors"),
    ],
)
def test_a_degenerate_sample_is_refused(vectors, message):
    with pytest.raises(CodebookError, match=message):
        train_codebook(vectors, OPTIONS["plain"], space="dot", encoder="e", source={})


def test_a_poor_sample_is_told():
    trained = train_codebook(VECTORS[:100], OPTIONS["plain"], space="dot", encoder="e", source={})
    assert "are few" in trained.warnings[0]


def quantizer(**changes) -> ProductQuantizer:
    return ProductQuantizer(2, 16, **changes).restore(np.zeros((2, 16, 3), np.float32), 6)


class Mirror(Rotation):
    def _find(self, *_):
        return -np.eye(6)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"space": "angle"}, "space 'angle' is not one of cosine, dot, l2"),
        ({"residual": True}, "residual: only with cells"),
        (
            {"cells": Cells(2).restore(np.zeros((2, 5), np.float32))},
            "its centroids have 5 dimensions, its codewords 6",
        ),
        (
            {"quantizer": quantizer(rotation=PcaRotation().restore(np.eye(5)))},
            "its rotation have 5 dimensions",
        ),
        (
            {"quantizer": quantizer(rotation=Mirror().restore(-np.eye(6)))},
            "cannot keep a Mirror: use OpqRotation or PcaRotation",
        ),
        ({"quantizer": ProductQuantizer(2, 16)}, "is not trained"),
    ],
)
def test_parts_that_do_not_fit_make_no_codebook(parts, message):
    given = {"quantizer": quantizer(), "cells": None, "residual": False, "space": "dot"}
    with pytest.raises(CodebookError, match=message):
        Codebook(**(given | parts), encoder="e").digest  # noqa: B018


def checked(content: bytes) -> bytes:
    """A file of that content with the checksum that belongs to it."""
    return content + hashlib.sha256(content).digest()


FILE = TRAINED["plain"].to_bytes()
ABOUT = {"parameters": TRAINED["plain"].parameters, "trained": {}}
WORDS = {"codewords": TRAINED["plain"].quantizer.codewords}
FILES = {
    "empty": (b"", "it is empty"),
    "a text": (b"index: shop\n" * 9, "is not a codebook file"),
    "a pickle": (b"\x80\x04K\x01.", "is not a codebook file"),
    "cut short": (FILE[:-1], "cut short or altered"),
    "only the beginning": (FILE[:9], "cut short or altered"),
    "longer": (FILE + b"\0", "cut short or altered"),
    "of a newer version": (
        checked(FILE[:8] + struct.pack("<I", 2) + FILE[12:-32]),
        "version 2 of the format is not known here, only 1; install a newer Kokeshi",
    ),
    "no JSON": (checked(FILE[:16] + b"x" + FILE[17:-32]), "its content is not that of a codebook"),
    "no arrays": (write_bytes(ABOUT, {}), "KeyError.*codewords"),
    "no parameters": (write_bytes({}, WORDS), "KeyError.*parameters"),
    "other shapes": (
        write_bytes(ABOUT, {"codewords": np.zeros((4, 16, 2), np.float32)}),
        r"codewords of shape \(4, 16, 2\)",
    ),
    "another list": (
        checked(FILE[:12] + struct.pack("<I", 2) + b"[]"),
        "its content is not that of a codebook",
    ),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_codebook_is_refused_by_name(content, message, tmp_path):
    path = tmp_path / "shop.codebook"
    path.write_bytes(content)
    with pytest.raises(CodebookError, match=rf"^codebook .*shop\.codebook: .*{message}"):
        load_codebook(path)


def test_a_refused_file_says_what_to_do(tmp_path):
    (tmp_path / "a").write_bytes(FILE[:-1])
    with pytest.raises(
        CodebookError, match="fetch it again, or train a new one with: kokeshi codes"
    ):
        load_codebook(tmp_path / "a")


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(
        CodebookError, match="no such file; train it with: kokeshi codes train FILE"
    ):
        load_codebook(tmp_path / "absent.codebook")


def test_a_folder_is_no_codebook(tmp_path):
    with pytest.raises(CodebookError, match="is a directory"):
        load_codebook(tmp_path)


def test_a_codebook_replaces_another_whole(tmp_path):
    path = tmp_path / "a.codebook"
    TRAINED["plain"].save(path)
    TRAINED["opq"].save(path)
    assert load_codebook(path).digest == TRAINED["opq"].digest


def test_a_codebook_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "kept").touch()
    with pytest.raises(CodebookError, match="folder: cannot be written: is a directory"):
        TRAINED["plain"].save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_there_is_no_folder_to_write_into(tmp_path):
    with pytest.raises(CodebookError, match="cannot be written: no such file or directory"):
        TRAINED["plain"].save(tmp_path / "absent" / "a.codebook")


@pytest.mark.skipif(sys.byteorder != "little", reason="reads the numbers as this machine does")
def test_the_file_is_what_its_description_says():
    length = int.from_bytes(FILE[12:16], "little")
    header = orjson.loads(FILE[16 : 16 + length])
    assert FILE[:12] == b"KOKESHI\n" + bytes([1, 0, 0, 0])
    assert header["about"]["parameters"]["subvectors"] == 4
    assert header["arrays"] == {"codewords": [4, 16, 4]}
    words = np.frombuffer(FILE[16 + length : -32], np.float32).reshape(4, 16, 4)
    np.testing.assert_array_equal(words, TRAINED["plain"].quantizer.codewords)
    assert FILE[-32:] == hashlib.sha256(FILE[:-32]).digest()
