"""Vectors that exist already: a column of the file, or the rows of a .npy in the file's order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from kokeshi.encoders.base import NO_ROW, Record
from kokeshi.encoders.options import parse_options
from kokeshi.errors import EncoderError, InputError
from kokeshi.schema.base import Model
from kokeshi.types import Float32

ELSEWHERE: Final = (
    "has no row in the .npy file, which is for the documents of one source; give vectors in a column "
    "(option column), or an encoder that makes them"
)


class PrecomputedEncoder:
    """Reads each document's vector; it cannot encode a query, which must bring its own vector."""

    def __init__(self, dimension: int, column: str | None, rows: Float32 | None) -> None:
        self.column = column
        self._dim = dimension
        self._rows = rows

    @property
    def name(self) -> str:
        """`precomputed`: where vectors come from is for the user to know."""
        return "precomputed"

    @property
    def dim(self) -> int:
        """The dimension that the spec gives."""
        return self._dim

    def encode(self, batch: Sequence[str]) -> Float32:
        """Raise EncoderError: there is no model."""
        raise EncoderError(
            f"encoder precomputed cannot encode the text {batch[0]!r}; give the query's vector"
        )

    def encode_records(self, records: Sequence[Record]) -> tuple[Float32, dict[int, str]]:
        """Return (N, dim) float32, and position -> reason where a vector is missing or misshapen."""
        with np.errstate(over="ignore"):  # infinity is refused with its document
            if self._rows is None:
                return self._read_column(records)
            return self._read_file(records, self._rows)

    def _read_file(
        self, records: Sequence[Record], rows: Float32
    ) -> tuple[Float32, dict[int, str]]:
        places = np.array([record.row for record in records], np.int64)
        there = (places >= 0) & (places < len(rows))
        if len(places) and there.all() and (np.diff(places) == 1).all():  # usual: no copy is made
            return np.ascontiguousarray(rows[places[0] : places[-1] + 1], np.float32), {}
        vectors = self._unknown(len(records))
        vectors[there] = rows[places[there]]
        ends = f"has no row in the .npy file, which ends after {len(rows)} documents"
        return vectors, {
            int(position): ELSEWHERE if places[position] == NO_ROW else ends
            for position in np.flatnonzero(~there)
        }

    def _unknown(self, count: int) -> Float32:
        return np.full((count, self._dim), np.nan, np.float32)

    def _read_column(self, records: Sequence[Record]) -> tuple[Float32, dict[int, str]]:
        vectors = self._unknown(len(records))
        reasons = {}
        for position, record in enumerate(records):
            vector = self._from_column(record.fields.get(str(self.column)))
            if isinstance(vector, str):
                reasons[position] = vector
            else:
                vectors[position] = vector
        return vectors, reasons

    def _from_column(self, value: object) -> Float32 | str:
        try:
            vector = np.asarray(value, dtype=np.float32)
        except (TypeError, ValueError, OverflowError):
            return f"is not a list of numbers in column '{self.column}': {value!r:.40}"
        if vector.shape == (self._dim,):
            return vector
        found = len(value) if isinstance(value, list) else repr(value)[:40]
        return f"needs {self._dim} numbers in column '{self.column}', found {found}"


class Options(Model):
    """Exactly one of `column` (a list of numbers in each document) and `file` (.npy)."""

    column: str | None = None
    file: str | None = None


def build(*, dimension: int, **options: object) -> PrecomputedEncoder:
    """Build from the `Options`."""
    given = parse_options(Options, "precomputed", options)
    if (given.column is None) == (given.file is None):
        raise EncoderError("encoder precomputed takes one of the options column and file")
    rows = None if given.file is None else _open(given.file, dimension)
    return PrecomputedEncoder(dimension, given.column, rows)


def _open(file: str, dimension: int) -> Any:  # noqa: ANN401
    try:
        rows = np.load(Path(file), mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file (encoder precomputed, option file)") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: not a .npy file of numbers: {error}") from None
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fiu":
        kind = rows.dtype if isinstance(rows, np.ndarray) else "an archive"
        raise InputError(f"{file}: not a .npy file of numbers: it holds {kind}")
    if rows.ndim != 2 or rows.shape[1] != dimension:
        raise InputError(
            f"{file}: rows of {dimension} numbers are expected, its shape is {rows.shape}"
        )
    return np.asarray(rows)  # still the file, without what memmap does at each access
