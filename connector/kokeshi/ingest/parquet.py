"""Documents of a Parquet file, a row group at a time. The only module that imports pyarrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import IO, Any

from kokeshi.encoders import Record
from kokeshi.errors import InputError, MissingExtraError
from kokeshi.ingest.actions import Position

ROWS = 512
"""Rows that are made documents at once."""

BUFFER_BYTES = 1 << 20
"""Of each column that are read at once."""


def read_parquet(
    stream: IO[bytes], start: Position, reach: Callable[..., None]
) -> Iterator[Record]:
    """Yield the rows as documents, lists of numbers as lists; a value that is null is left out.

    Row groups before the start are passed over unread. Raises InputError where it is no Parquet file,
    MissingExtraError without pyarrow.
    """
    pyarrow, parquet = _load_pyarrow()
    if not stream.seekable():
        raise InputError("Parquet cannot be read from standard input; name the file")
    try:
        # as pyarrow is by default, it reads the columns of a row group whole, which can be gigabytes
        file = parquet.ParquetFile(stream, pre_buffer=False, buffer_size=BUFFER_BYTES)
        row = 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if row + count > start.row:
                for number, fields in enumerate(_rows(file, group), start=row):
                    if number >= start.row:
                        reach(number + 1, number + 1)
                        yield Record(number, number + 1, fields)
            row += count
    except pyarrow.ArrowException as error:
        raise InputError(f"not a Parquet file, or damaged: {error}") from None


def _rows(file: Any, group: int) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    for batch in file.iter_batches(batch_size=ROWS, row_groups=[group], use_threads=False):
        for row in batch.to_pylist():
            yield plain_fields(row)


def plain_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a row of Arrow as JSON has them, without what is null."""
    return {name: _plain(value) for name, value in row.items() if value is not None}


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value as JSON has it; a decimal is the float next to it, bytes are text."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list) and value and not isinstance(value[0], float):
        return [_plain(item) for item in value]
    return value


def _load_pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("reading Parquet", "parquet") from None
    return pyarrow, parquet
