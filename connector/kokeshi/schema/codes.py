"""The section `codes:` of a vector: how it is cut into short codes of its own codebook."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from kokeshi.schema.base import Model

Loss = Literal["plain", "score-aware"]
RotationKind = Literal["none", "opq"]
CodeField = Literal["codes", "codebook", "cell"]
CODE_FIELDS: tuple[CodeField, ...] = get_args(CodeField)
"""What codes are kept as, each in a field of its own; see `code_field`."""


def code_field(name: str, kind: CodeField) -> str:
    """Return the field in the engine that holds this of the codes of a vector.

    `codes`: packed, binary; `codebook`: the digest of the codebook that made them; `cell`: the coarse
    cell, where there are any.
    """
    return f"{name}_{kind}"


class CodesSpec(Model):
    """Product-quantised codes of a vector, which the plan stages `scan` and `cells` search.

    codebook: path of the file that `kokeshi codes train` writes; `INDEX-VECTOR.codebook` if not given.
    subvectors: into how many parts a vector is cut; each becomes one code. codebook_size: codewords
    of each part, 16 (half a byte a code) or 256 (a byte). loss: what training and encoding minimise:
    `plain`, the squared error; or `score-aware`, which weighs the error along the vector above the
    rest, for cosine and dot. threshold: of score-aware, the cosine from which a score counts.
    rotation: `opq` learns one before the vector is cut. cells: coarse cells of the stage `cells`; 0
    is none. residual: codes of what the centre of the cell leaves, for cosine and dot.
    """

    codebook: str | None = None
    subvectors: Annotated[int, Field(ge=1)]
    codebook_size: Literal[16, 256] = 16
    loss: Loss = "score-aware"
    threshold: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.2
    rotation: RotationKind = "none"
    cells: Annotated[int, Field(ge=0, le=65_536)] = 0
    residual: bool = False

    @model_validator(mode="after")
    def _residual_of_a_cell(self) -> CodesSpec:
        if self.residual and not self.cells:
            raise ValueError("residual needs cells, whose centres are taken off")
        return self

    def check_vector(self, dimension: int, space: str) -> None:
        """Raise ValueError where a vector of that dimension and space has no such codes.

        A vector is padded with zeros to parts of equal length, none of which may be zeros alone.
        """
        length = -(-dimension // self.subvectors)
        if (whole := -(-dimension // length)) < self.subvectors:
            raise ValueError(
                f"codes.subvectors: {self.subvectors} parts of {dimension} dimensions would leave "
                f"some without any; take {whole}, or a number that divides {dimension}"
            )
        if self.rotation == "opq" and dimension % self.subvectors:
            raise ValueError(
                f"codes.rotation: opq needs subvectors that divide {dimension}, "
                f"found {self.subvectors}; take none"
            )
        if space == "l2" and self.loss == "score-aware":
            raise ValueError("codes.loss: score-aware is for cosine and dot; take plain for l2")
        if space == "l2" and self.residual:
            raise ValueError("codes.residual: only for cosine and dot; take false for l2")
