from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kokeshi.codes.cells import Cells
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.codes.rotation import OpqRotation, PcaRotation
from kokeshi.codes.score_aware import ScoreAwareQuantizer
from kokeshi.errors import CodebookError

PARTS = {
    "subvectors": st.integers(1, 6),
    "length": st.integers(1, 3),
    "codebook_size": st.sampled_from([16, 256]),
    "loss": st.sampled_from(["plain", "score-aware"]),
    "rotation": st.sampled_from(["none", "opq", "pca"]),
    "cells": st.integers(0, 4),
    "residual": st.booleans(),
    "space": st.sampled_from(["cosine", "dot"]),
    "encoder": st.text(st.characters(codec="utf-8"), max_size=9),
    "seed": st.integers(0, 2**32 - 1),
}


def build(parts: dict) -> Codebook:
    """A codebook of random numbers, as none was trained: of what it is made does not matter here."""
    rng = np.random.default_rng(parts["seed"])
    m, size, length = parts["subvectors"], parts["codebook_size"], parts["length"]
    orthogonal, _ = np.linalg.qr(rng.normal(size=(m * length, m * length)))
    rotations = {"none": None, "opq": OpqRotation(m, size), "pca": PcaRotation()}
    rotation = rotations[parts["rotation"]]
    rotation = rotation and rotation.restore(orthogonal.astype(np.float32))
    kind = ProductQuantizer if parts["loss"] == "plain" else ScoreAwareQuantizer
    words = rng.normal(size=(m, size, length)).astype(np.float32)
    cells = None
    if parts["cells"]:
        centroids = rng.normal(size=(parts["cells"], m * length)).astype(np.float32)
        cells = Cells(parts["cells"]).restore(centroids)
    return Codebook(
        kind(m, size, rotation).restore(words, m * length),
        cells,
        bool(parts["residual"] and cells),
        parts["space"],
        parts["encoder"],
        {"rows": 5, "source": "ä.jsonl"},
    )


CODEBOOKS = st.fixed_dictionaries(PARTS).map(build)
CHANGES = st.fixed_dictionaries(PARTS | {"seed": st.just(1)})


@settings(deadline=None, max_examples=60)
@given(book=CODEBOOKS)
def test_a_codebook_survives_its_file(book):
    found = Codebook.from_bytes(book.to_bytes(), "f")
    assert found.digest == book.digest
    assert (found.parameters, found.trained) == (book.parameters, book.trained)
    assert found.arrays.keys() == book.arrays.keys()
    for name, array in book.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)
    assert found.to_bytes() == book.to_bytes()


@settings(deadline=None, max_examples=60)
@given(book=CODEBOOKS, data=st.data())
def test_the_digest_tells_every_number(book, data):
    """The smallest change of any codeword or centroid, or of a rotation's angle, is another codebook."""
    other = Codebook.from_bytes(book.to_bytes(), "f")
    name = data.draw(st.sampled_from(sorted(other.arrays)))
    at = data.draw(st.integers(0, other.arrays[name].size - 1))
    numbers = other.arrays[name].reshape(-1)
    numbers[at] = np.nextafter(numbers[at], np.float32(np.inf))
    assert "digest" not in other.__dict__, "a digest that was kept would tell nothing"
    assert other.digest != book.digest


@settings(deadline=None, max_examples=60)
@given(one=CHANGES, two=CHANGES)
def test_the_digest_tells_every_parameter(one, two):
    """Of the same random numbers: what differs is what was chosen."""
    first, second = build(one), build(two)
    assert (first.digest == second.digest) == (first.parameters == second.parameters)


@settings(deadline=None)
@given(book=CODEBOOKS)
def test_the_digest_does_not_tell_how_it_was_trained(book):
    assert replace(book, trained={}).digest == book.digest


FILE = build(
    {
        "subvectors": 2,
        "length": 1,
        "codebook_size": 16,
        "loss": "score-aware",
        "rotation": "opq",
        "cells": 2,
        "residual": True,
        "space": "dot",
        "encoder": "e",
        "seed": 1,
    }
).to_bytes()


def test_a_file_cut_short_anywhere_is_refused():
    for size in range(len(FILE)):
        with pytest.raises(
            CodebookError, match=r"^codebook f: it (is empty|is not|was cut).* codes"
        ):
            Codebook.from_bytes(FILE[:size], "f")


@settings(deadline=None, max_examples=500)
@given(at=st.integers(0, len(FILE) - 1), flip=st.integers(1, 255))
def test_a_file_altered_anywhere_is_refused(at, flip):
    altered = bytearray(FILE)
    altered[at] ^= flip
    with pytest.raises(CodebookError, match=r"^codebook f: it (is not|was cut).*kokeshi codes"):
        Codebook.from_bytes(bytes(altered), "f")


@settings(deadline=None)
@given(data=st.binary(max_size=200), start=st.sampled_from([b"", FILE[:8], FILE[:16]]))
def test_any_bytes_are_a_codebook_or_refused(data, start):
    with pytest.raises(CodebookError, match="^codebook f: it "):
        Codebook.from_bytes(start + data, "f")
