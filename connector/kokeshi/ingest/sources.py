"""Read documents one at a time from JSONL, CSV, TSV or Parquet, from a file or standard input."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal, cast, get_args

import orjson

from kokeshi.encoders import Record
from kokeshi.errors import InputError
from kokeshi.ingest.actions import Failure, Position
from kokeshi.types import Json

SourceFormat = Literal["jsonl", "csv", "tsv", "parquet"]
_SUFFIXES: dict[str, SourceFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_START = Position()
WRITABLE_LEVELS: Final = 254
"""Levels of lists and objects that orjson writes; it reads 1,024."""

MOST_LEVELS: Final = 200
"""Of a document: what is deeper could not be kept as a dead letter."""

ROWS_A_LOOK: Final = 256
"""Rows from one look at the position in the file to the next: it takes as long as to parse a small row."""


@dataclass(frozen=True)
class BadLine:
    """A line that is no document. row: the place that it has all the same; None where unknown."""

    line: int
    reason: str
    text: str
    row: int | None = None

    def fail(self) -> Failure:
        """Return the failure of this line."""
        return Failure(self.line, self.reason, self.text, row=self.row)


class Source:
    """The documents of one file; iterating reads it from its beginning and holds one line at a time.

    path: a file name, or `-` for standard input. format: `jsonl`, `csv`, `tsv`, `parquet`, or None to go
    by the name. position: bytes read of the file so far, as stored: compressed where it is compressed;
    looked at now and then, and at its end.

    Raises InputError where the file is missing, empty, or of an unknown format.
    """

    def __init__(self, path: str | Path, format: SourceFormat | None = None) -> None:  # noqa: A002
        self.path = str(path)
        self.format = format or _guess_format(self.path)
        if self.format not in get_args(SourceFormat):
            raise InputError(f"format '{format}' is not one of {', '.join(get_args(SourceFormat))}")
        self.size = _size(self.path)
        self.position = 0
        self._place = (0, 0, 0)
        self._raw: IO[bytes] | None = None

    def __iter__(self) -> Iterator[Record | BadLine]:
        """Yield each document, or the line that is none; raises InputError where there is no line."""
        return self.read_from(_START)

    @property
    def reached(self) -> Position:
        """Where the document after the last one that was read begins."""
        return Position(*self._place)

    def read_from(self, start: Position) -> Iterator[Record | BadLine]:
        """Yield the documents from a position on, one that `reached` was at."""
        self._place = (start.row, start.line, start.offset)
        with self._open() as stream:
            yield from _readable(self._read(stream, start), self.path)
        self.position = self.size or 0
        if self.reached == _START:
            raise InputError(f"{self.path}: the file has no documents")

    def _read(self, stream: IO[bytes], start: Position) -> Iterator[Record | BadLine]:
        def reach(row: int, line: int, offset: int = 0) -> None:
            self._place = (row, line, offset)
            if row % ROWS_A_LOOK == 1 and self._raw and self.size:
                self.position = self._raw.tell()

        if self.format == "jsonl":
            return _read_json(stream, start, reach)
        if self.format == "parquet":
            from kokeshi.ingest.parquet import read_parquet  # an extra

            return read_parquet(stream, start, reach)
        return _read_table(stream, self.format, start, reach)

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        if self.path == "-":
            yield sys.stdin.buffer
            return
        with _open_binary(self.path) as raw:
            self._raw = raw
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not zipped:
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as unzipped:
                yield cast("IO[bytes]", unzipped)


def _guess_format(path: str) -> SourceFormat:
    if path == "-":
        return "jsonl"
    name = Path(path)
    suffix = Path(name.stem).suffix if name.suffix == ".gz" else name.suffix
    if suffix.lower() not in _SUFFIXES:
        raise InputError(
            f"{path}: its format is not known by its name; accepted are "
            f"{', '.join(_SUFFIXES)}, each also with .gz, or give --format"
        )
    return _SUFFIXES[suffix.lower()]


def _size(path: str) -> int | None:
    if path == "-":
        return None
    try:
        size = Path(path).stat().st_size
    except OSError as error:
        raise InputError(f"{path}: {_why(error)}") from None
    if Path(path).is_dir():
        raise InputError(f"{path}: is a folder, not a file")
    if not Path(path).is_file():
        return None
    if size == 0:
        raise InputError(f"{path}: the file is empty")
    return size


def _open_binary(path: str) -> IO[bytes]:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise InputError(f"{path}: {_why(error)}") from None


def _why(error: OSError) -> str:
    return (error.strerror or "cannot be read").lower()


def _readable(items: Iterable[Record | BadLine], path: str) -> Iterator[Record | BadLine]:
    try:
        yield from items
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: the gzip file is damaged or cut short: {error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error.reason}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


Reach = Callable[..., None]
"""Is told row, line and offset after each document, before it is yielded."""


def _read_json(stream: IO[bytes], start: Position, reach: Reach) -> Iterator[Record | BadLine]:
    if start.offset:
        stream.seek(start.offset)
    row, offset = start.row, start.offset
    for number, line in enumerate(stream, start=start.line + 1):
        offset += len(line)
        text = line.strip().removeprefix(b"\xef\xbb\xbf")
        if not text:
            continue
        item = _parse_line(text, row, number)
        row += 1  # a bad line is a document too: rows of a .npy file stay aligned
        reach(row, number, offset)
        yield item


def _parse_line(text: bytes, row: int, number: int) -> Record | BadLine:
    try:
        return Record(row, number, parse_object(text))
    except InputError as error:
        return BadLine(number, str(error), text.decode(errors="replace"), row)


def parse_object(text: bytes) -> Json:
    """Return the object of a JSON text; raises InputError where it is none, or cannot be written again.

    >>> parse_object(b'{"title": "shoe"}')
    {'title': 'shoe'}
    """
    try:
        fields: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg} (column {error.colno})") from None
    if not isinstance(fields, dict):
        raise InputError(f"not a JSON object but {type(fields).__name__}")
    if text.count(b"[") + text.count(b"{") > MOST_LEVELS:
        _check_levels(fields)
    return fields


def _check_levels(fields: Json) -> None:
    deeper: Any = fields
    for _ in range(WRITABLE_LEVELS - MOST_LEVELS):
        deeper = [deeper]
    try:
        orjson.dumps(deeper)
    except orjson.JSONEncodeError:
        raise InputError(
            f"lists and objects in one another, more than {MOST_LEVELS} levels of them; no engine takes that"
        ) from None


def _read_table(
    stream: IO[bytes], format_: SourceFormat, start: Position, reach: Reach
) -> Iterator[Record | BadLine]:
    """Yield the rows of a table; those before the start are parsed again, as a cell can hold lines."""
    csv.field_size_limit(1 << 30)
    with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, dialect="excel-tab" if format_ == "tsv" else "excel", strict=True)
        header = _read_header(reader, format_)
        row = 0
        for number, cells in _rows(reader):
            if not cells:
                continue
            row += 1
            if row <= start.row:
                continue
            reach(row, reader.line_num)
            if isinstance(cells, csv.Error):
                yield BadLine(number, f"not {format_.upper()}: {cells}", "", row - 1)
            else:
                yield _parse_cells(header, cells, row - 1, number)


def _rows(reader: Any) -> Iterator[tuple[int, list[str] | csv.Error]]:  # noqa: ANN401
    """Yield the line that a row begins at, should it have line breaks, and its cells or why it has none."""
    while True:
        number = reader.line_num + 1
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, error


def _read_header(reader: Iterator[list[str]], format_: SourceFormat) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise InputError(f"line 1: the header is not {format_.upper()}: {error}") from None
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputError(f"line 1: the header names the column '{twice[0]}' twice")
    return header


def _parse_cells(header: list[str], cells: list[str], row: int, number: int) -> Record | BadLine:
    if len(cells) != len(header):
        reason = f"{len(cells)} cells, but the header names {len(header)} columns"
        return BadLine(number, reason, ",".join(cells), row)
    fields: dict[str, Any] = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    return Record(row, number, fields)
