"""`Codebook`: all that decides the codes of a vector, as one artifact with a digest.

Codes of two codebooks do not compare. So every document carries the digest of the one that made its
codes, and a query only scores those of its own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from kokeshi.codes.cells import CellIds, Cells
from kokeshi.codes.checks import check_vectors
from kokeshi.codes.codebook_file import (
    raw_bytes,
    read_bytes,
    read_file,
    reading,
    write_bytes,
    write_file,
)
from kokeshi.codes.packing import Codes, code_bytes, pack, unpack
from kokeshi.codes.product import ProductQuantizer
from kokeshi.codes.rotation import OpqRotation, PcaRotation, Rotation
from kokeshi.codes.score_aware import ScoreAwareQuantizer
from kokeshi.codes.spaces import SPACES
from kokeshi.errors import CodebookError
from kokeshi.types import Float32, Json


@dataclass(frozen=True, eq=False)
class Encoded:
    """Codes of N vectors as they are kept: codes (N, B) uint8, packed; cells (N,) int32, if there are."""

    codes: Codes
    cells: CellIds | None = None

    @property
    def texts(self) -> list[str]:
        """The codes of each vector as base64, which is how a binary field takes them."""
        return [base64.b64encode(row.tobytes()).decode() for row in self.codes]


@dataclass(frozen=True, eq=False)
class QueryTable:
    """What scores codes for one query: table (M, Ks) float32; biases (nlist,) float32 where residual.

    The similarity of a document is the sum of the table at its codes, and the bias of its cell.
    """

    table: Float32
    biases: Float32 | None = None


@dataclass(frozen=True, eq=False)
class Codebook:
    """A fitted quantizer, with its cells where there are.

    residual: codes are of a vector minus the centroid of its cell, so that a similarity is
    `q · centroid + q · rest` (Jégou et al. 2011, IVFADC); not for l2. space: of the vectors; for cosine
    all that are given have length 1. encoder: identity of the model that made them. trained: how
    (rows, source, seed, quality, …); it decides nothing.

    Raises CodebookError where the parts do not fit each other.
    """

    quantizer: ProductQuantizer
    cells: Cells | None
    residual: bool
    space: str
    encoder: str
    trained: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise CodebookError(f"space '{self.space}' is not one of {', '.join(SPACES)}")
        if self.residual and (self.cells is None or self.space == "l2"):
            raise CodebookError("residual: only with cells, and for the spaces cosine and dot")
        if wrong := [name for name, a in self.arrays.items() if not np.isfinite(a).all()]:
            raise CodebookError(f"codebook: its {wrong[0]} have NaN or infinite components")
        for name in ("rotation", "centroids"):
            if name in self.arrays and (found := self.arrays[name].shape[1]) != self.dimension:
                raise CodebookError(
                    f"codebook: its {name} have {found} dimensions, its codewords {self.dimension}"
                )

    @property
    def dimension(self) -> int:
        """D of the vectors."""
        return self.quantizer.dimension

    @property
    def code_bytes(self) -> int:
        """B: bytes of codes that a document takes, without its cell."""
        return code_bytes(self.quantizer.num_subvectors, self.quantizer.codebook_size)

    @cached_property
    def arrays(self) -> dict[str, Float32]:
        """Everything learned, by name: codewords (M, Ks, Ds), and rotation and centroids if any."""
        found = {"codewords": self.quantizer.codewords}
        rotation = self.quantizer.rotation
        if rotation is not None and rotation.matrix is not None:
            found["rotation"] = rotation.matrix
        if self.cells is not None:
            found["centroids"] = self.cells.centroids
        return found

    @property
    def parameters(self) -> Json:
        """Everything chosen, named as in the section `codes:` of a spec."""
        quantizer = self.quantizer
        threshold = quantizer.threshold if isinstance(quantizer, ScoreAwareQuantizer) else None
        return {
            "encoder": self.encoder,
            "dimension": self.dimension,
            "space": self.space,
            "subvectors": quantizer.num_subvectors,
            "codebook_size": quantizer.codebook_size,
            "loss": "plain" if threshold is None else "score-aware",
            "threshold": threshold,
            "rotation": _rotation_name(quantizer.rotation),
            "cells": self.cells.nlist if self.cells else 0,
            "residual": self.residual,
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, over the parameters and every learned number: 64 characters."""
        shapes = {name: array.shape for name, array in self.arrays.items()}
        found = hashlib.sha256(orjson.dumps([self.parameters, shapes], option=orjson.OPT_SORT_KEYS))
        for array in self.arrays.values():
            found.update(raw_bytes(array))
        return found.hexdigest()

    def encode(self, vectors: Float32) -> Encoded:
        """Return the codes of vectors (N, D); raises CodebookError where they do not fit."""
        vectors = check_vectors(vectors, self.dimension)
        cells = self.cells.assign(vectors) if self.cells else None
        if self.cells and self.residual:
            vectors = vectors - self.cells.centroids[cells]
        return Encoded(pack(self.quantizer.encode(vectors), self.quantizer.codebook_size), cells)

    def decode(self, encoded: Encoded) -> Float32:
        """Return the vectors (N, D) that codes stand for."""
        vectors = self.quantizer.decode(self._unpacked(encoded))
        if self.cells and self.residual:
            vectors = vectors + self.cells.centroids[encoded.cells]
        return vectors

    def query(self, vector: Float32) -> QueryTable:
        """Return what scores codes for a query (D,)."""
        table = self.quantizer.lookup_table(vector, space=self.space)
        return QueryTable(
            table, self.cells.biases(vector) if self.cells and self.residual else None
        )

    def scores(self, query: QueryTable, encoded: Encoded) -> Float32:
        """Return the similarity s of codes to a query, (N,), before the map of `kokeshi.codes.spaces`."""
        sums = self.quantizer.adc_scores(query.table, self._unpacked(encoded))
        return sums if query.biases is None else sums + query.biases[encoded.cells]

    def nearest_cells(self, vector: Float32, nprobe: int) -> CellIds:
        """Return the ids of the nprobe cells nearest to a query (D,), the best first.

        Raises CodebookError where the codebook has no cells.
        """
        if self.cells is None:
            raise CodebookError("the codebook has no cells; train one with codes.cells in the spec")
        return self.cells.nearest(vector, nprobe, space=self.space)

    def to_bytes(self) -> bytes:
        """Return the content of its file."""
        about = {"parameters": self.parameters, "trained": dict(self.trained)}
        return write_bytes(about, self.arrays)

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> Codebook:
        """Return the codebook of a file's content. name: where it is from, for messages.

        Raises CodebookError where it is none, cut short or altered.
        """
        about, arrays = read_bytes(data, name)
        with reading(name):
            return _build(about["parameters"], arrays, about["trained"])

    def save(self, path: str | Path) -> None:
        """Write the file whole or not at all; raises CodebookError where that cannot be."""
        write_file(path, self.to_bytes())

    def _unpacked(self, encoded: Encoded) -> Codes:
        return unpack(encoded.codes, self.quantizer.num_subvectors, self.quantizer.codebook_size)


def load_codebook(path: str | Path) -> Codebook:
    """Read a codebook file; raises CodebookError where it is missing, none, cut short or altered."""
    return Codebook.from_bytes(read_file(path), str(path))


_ROTATIONS: Final[Mapping[str, type[Rotation]]] = {"opq": OpqRotation, "pca": PcaRotation}


def _rotation_name(rotation: Rotation | None) -> str:
    if rotation is None:
        return "none"
    for name, kind in _ROTATIONS.items():
        if isinstance(rotation, kind):
            return name
    raise CodebookError(
        f"a codebook cannot keep a {type(rotation).__name__}: use OpqRotation or PcaRotation"
    )


def _build(parameters: Json, arrays: Mapping[str, Float32], trained: Json) -> Codebook:
    """Return the codebook of what `Codebook.parameters` and `Codebook.arrays` gave."""
    given = dict(parameters)
    size = (given["subvectors"], given["codebook_size"], _build_rotation(given, arrays))
    quantizer = (
        ProductQuantizer(*size)
        if given["loss"] == "plain"
        else ScoreAwareQuantizer(*size, threshold=given["threshold"])
    )
    quantizer.restore(arrays["codewords"], given["dimension"])
    cells = Cells(given["cells"]).restore(arrays["centroids"]) if given["cells"] else None
    return Codebook(quantizer, cells, given["residual"], given["space"], given["encoder"], trained)


def _build_rotation(parameters: Json, arrays: Mapping[str, Float32]) -> Rotation | None:
    name = parameters["rotation"]
    if name == "none":
        return None
    rotation = (
        OpqRotation(parameters["subvectors"], parameters["codebook_size"])
        if name == "opq"
        else PcaRotation()
    )
    return rotation.restore(arrays["rotation"])
