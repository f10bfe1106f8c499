"""The section `codes:` of a vector, and the fields that it takes in the engine."""

from __future__ import annotations

import pytest

from kokeshi.errors import SpecError
from kokeshi.schema import CodesSpec, parse_spec


def parse(codes: str, *, space: str = "cosine", name: str = "v", more: str = ""):
    vector = f"{{encoder: x, dimension: 10, space: {space}, codes: {{{codes}}}}}"
    return parse_spec(
        f"index: shop\n{more}\nvectors: {{{name}: {vector}, w: {{encoder: x, dimension: 3}}}}"
    )


def test_codes_have_defaults():
    codes = parse("subvectors: 5").vectors["v"].codes
    assert codes == CodesSpec(
        subvectors=5, codebook_size=16, loss="score-aware", threshold=0.2, rotation="none", cells=0
    )


def test_a_vector_has_no_codes_unless_asked():
    assert parse("subvectors: 5").vectors["w"].codes is None


@pytest.mark.parametrize(
    ("codes", "kinds"),
    [("", ["codes", "codebook"]), (", cells: 4", ["codes", "codebook", "cell"])],
)
def test_codes_take_fields_beside_those_of_vectors(codes, kinds):
    spec = parse(f"subvectors: 5{codes}")
    assert spec.code_fields() == {f"v_{kind}": ("v", kind) for kind in kinds}
    assert spec.vector_fields() == {"v": ("v", 10), "w": ("w", 3)}


@pytest.mark.parametrize(
    ("codes", "path"), [("", "shop-v.codebook"), (", codebook: my/books/a", "my/books/a")]
)
def test_each_codebook_has_a_file(codes, path):
    assert parse(f"subvectors: 5{codes}").codebook_path("v") == path


@pytest.mark.parametrize("subvectors", [1, 2, 3, 4, 5, 10])
def test_a_vector_may_be_padded(subvectors):
    parse(f"subvectors: {subvectors}")


ERRORS = [
    ("", "cosine", "vectors.v.codes.subvectors: this key is required"),
    ("subvectors: 0", "cosine", "vectors.v.codes.subvectors: 0 .* greater than or equal to 1"),
    (
        "subvectors: 6",
        "cosine",
        "vectors.v: codes.subvectors: 6 parts of 10 .*; take 5, or a number",
    ),
    ("subvectors: 11", "cosine", "vectors.v: codes.subvectors: 11 parts of 10 .*; take 10, or"),
    ("subvectors: 5, codebook_size: 17", "cosine", "codes.codebook_size: 17 .*: 16 or 256"),
    ("subvectors: 5, loss: l1", "cosine", "codes.loss: 'l1' .*: 'plain' or 'score-aware'"),
    ("subvectors: 5, threshold: 1", "cosine", "codes.threshold: 1 is not accepted: less than 1"),
    ("subvectors: 5, threshold: 0", "cosine", "codes.threshold: 0 .* greater than 0"),
    ("subvectors: 5, threshold: .nan", "cosine", "codes.threshold: nan .* a finite number"),
    ("subvectors: 5, rotation: pca", "cosine", "codes.rotation: 'pca' .*: 'none' or 'opq'"),
    ("subvectors: 4, rotation: opq", "cosine", "codes.rotation: opq needs .* divide 10, found 4"),
    ("subvectors: 5, cells: -1", "cosine", "codes.cells: -1 .* greater than or equal to 0"),
    ("subvectors: 5, residual: true", "cosine", "vectors.v.codes: residual needs cells"),
    ("subvectors: 5, nlist: 4", "cosine", "vectors.v.codes.nlist: this key is not known here"),
    ("subvectors: 5", "l2", "codes.loss: score-aware is for cosine and dot; take plain for l2"),
    (
        "subvectors: 5, loss: plain, cells: 4, residual: true",
        "l2",
        "codes.residual: only for cosine and dot; take false for l2",
    ),
]


@pytest.mark.parametrize(("codes", "space", "message"), ERRORS)
def test_an_error_names_path_value_and_what_is_accepted(codes, space, message):
    with pytest.raises(SpecError, match=f"^kokeshi.yaml: .*{message}"):
        parse(codes, space=space)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ("id: v_codes", "v_codes"),
        ("text: [v_codebook]", "v_codebook"),
        ("metadata: {v_cell: integer}", "v_cell"),
    ],
)
def test_a_field_of_codes_is_no_other_field(more, field):
    with pytest.raises(
        SpecError, match=f"the field of codes '{field}' is another field too; rename"
    ):
        parse("subvectors: 5, cells: 4", more=more)


def test_a_field_of_codes_is_no_other_vector():
    with pytest.raises(SpecError, match="the field of codes 'v_codes' is another field too"):
        parse_spec(
            "index: a\nvectors: {v: {encoder: x, dimension: 4, codes: {subvectors: 2}}, "
            "v_codes: {encoder: x, dimension: 4}}"
        )


def test_only_codes_with_cells_take_the_field_of_cells():
    parse("subvectors: 5", more="metadata: {v_cell: integer}")
