"""The stages that look at codes, made definite for one query by the codebook that made them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kokeshi.codes import prefix
from kokeshi.errors import CodebookError, SpecError
from kokeshi.schema import VectorSpec
from kokeshi.schema.codes import code_field
from kokeshi.schema.plan import Cells, Scan
from kokeshi.types import Float32, Json

if TYPE_CHECKING:
    from kokeshi.codes.codebook import Codebook, QueryTable


@dataclass(frozen=True)
class Coded:
    """The codes of a vector by one codebook. name: of the vector. digest: of the codebook."""

    name: str
    digest: str

    @property
    def codes_field(self) -> str:
        """Where a document keeps its packed codes."""
        return code_field(self.name, "codes")

    @property
    def digest_field(self) -> str:
        """Where a document says which codebook made its codes."""
        return code_field(self.name, "codebook")

    @property
    def cell_field(self) -> str:
        """Where a document says in which cell it lies."""
        return code_field(self.name, "cell")


@dataclass(frozen=True)
class CellStage(Coded):
    """The cells that are looked into: the first `nprobe` of ids, which are all, the nearest first."""

    ids: tuple[int, ...]
    nprobe: int

    @property
    def probed(self) -> list[int]:
        """The ids of the cells that are looked into."""
        return list(self.ids[: self.nprobe])


@dataclass(frozen=True)
class CodeStage(Coded):
    """What scores codes for a query. k: how many of the best are rescored, of each shard."""

    space: str
    query: QueryTable
    k: int

    @property
    def params(self) -> Json:
        """What `scripts/painless/adc.painless` takes.

        Numbers as base64 of float32: a fourth of their text, and read by the engine at once.
        """
        params: Json = {
            "field": self.codes_field,
            "space": self.space,
            "codebook_size": self.query.table.shape[1],
            "table": encode_floats(_even(self.query.table)),
        }
        if self.query.biases is not None:
            params |= {"cell": self.cell_field, "biases": encode_floats(self.query.biases)}
        return params


@dataclass(frozen=True)
class CodedQuery:
    """A query's vector (D,), of length 1 for cosine, and the codebook of the codes it is compared with."""

    vector: Float32
    codebook: Codebook


def encode_floats(numbers: Float32) -> str:
    """Return numbers as base64 of little-endian float32."""
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()


def _even(table: Float32) -> Float32:
    """Return a table (M, Ks) with a row of zeros after an odd number of 16 codewords, as codes are packed."""
    odd = table.shape[1] == 16 and len(table) % 2
    return np.vstack([table, np.zeros_like(table[:1])]) if odd else table


def cell_stage(cells: Cells, name: str, vector: VectorSpec, query: CodedQuery) -> CellStage:
    """Return the cells in the order of a query; raises SpecError where there are not so many."""
    count = vector.codes.cells if vector.codes else 0
    if cells.nprobe > count:
        raise SpecError(
            f"cells.nprobe of the plan is {cells.nprobe}, but '{name}' has {count or 'no'} cells "
            "(codes.cells in the spec)"
        )
    ids = query.codebook.nearest_cells(query.vector, count).tolist()
    return CellStage(name, query.codebook.digest, tuple(ids), cells.nprobe)


def code_stage(scan: Scan, name: str, query: CodedQuery, hits: int) -> CodeStage:
    """Return what scores the codes of a vector; k grows to the number of hits asked for."""
    codebook = query.codebook
    table = codebook.query(query.vector)
    return CodeStage(name, codebook.digest, codebook.space, table, max(scan.k, hits))


def coded_query(
    name: str, spec: VectorSpec, query: Float32 | None, codebooks: Mapping[str, Codebook]
) -> CodedQuery:
    """Return a query of a vector's codes. query: (D,), codebooks: by the name of their vector.

    Raises SpecError where the vector has no codes or the query no vector, CodebookError where the
    codebook is not given.
    """
    if spec.codes is None:
        raise SpecError(
            f"this plan looks at codes, but '{name}' has none; add codes to the vector in the spec, "
            "train a codebook (kokeshi codes train FILE), and ingest anew"
        )
    if query is None:
        raise SpecError(f"this plan compares '{name}': give the query a text or a vector")
    if name not in codebooks:
        raise CodebookError(f"this plan looks at codes of '{name}': give the query its codebook")
    return CodedQuery(prefix(query[None], spec.dimension, space=spec.space)[0], codebooks[name])
