"""Read documents one at a time from JSONL, CSV or TSV, plain or gzip, from a file or standard input."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast, get_args

import orjson

from kokeshi.encoders import Record
from kokeshi.errors import InputError

SourceFormat = Literal["jsonl", "csv", "tsv"]
_SUFFIXES: dict[str, SourceFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
}


@dataclass(frozen=True)
class BadLine:
    """A line that is no document."""

    line: int
    reason: str
    text: str


class Source:
    """The documents of one file; iterating reads it from its beginning and holds one line at a time.

    path: a file name, or `-` for standard input. format: `jsonl`, `csv`, `tsv`, or None to go by
    the name. Raises InputError where the file is missing, empty, or of an unknown format.
    """

    def __init__(self, path: str | Path, format: SourceFormat | None = None) -> None:  # noqa: A002
        self.path = str(path)
        self.format = format or _guess_format(self.path)
        if self.format not in get_args(SourceFormat):
            raise InputError(f"format '{format}' is not one of jsonl, csv, tsv")
        self.size = _size(self.path)
        self._raw: IO[bytes] | None = None

    @property
    def position(self) -> int:
        """Bytes read of the file so far, as stored: compressed where it is compressed."""
        return self._raw.tell() if self._raw and not self._raw.closed and self.size else 0

    def __iter__(self) -> Iterator[Record | BadLine]:
        """Yield each document, or the line that is none; raises InputError where there is no line."""
        with self._open() as stream:
            read = _read_json if self.format == "jsonl" else _read_table
            empty = True
            for item in _readable(read(stream, self.format), self.path):
                empty = False
                yield item
        if empty:
            raise InputError(f"{self.path}: the file has no documents")

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


def _read_json(stream: IO[bytes], _: SourceFormat) -> Iterator[Record | BadLine]:
    row = 0
    for number, line in enumerate(stream, start=1):
        text = line.strip().removeprefix(b"\xef\xbb\xbf")
        if not text:
            continue
        item = _parse_line(text, row, number)
        row += 1  # a bad line is a document too: rows of a .npy file stay aligned
        yield item


def _parse_line(text: bytes, row: int, number: int) -> Record | BadLine:
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} (column {error.colno})"
        return BadLine(number, reason, text[:1000].decode(errors="replace"))
    if not isinstance(fields, dict):
        kind = type(fields).__name__
        return BadLine(
            number, f"not a JSON object but {kind}", text[:1000].decode(errors="replace")
        )
    return Record(row, number, fields)


def _read_table(stream: IO[bytes], format_: SourceFormat) -> Iterator[Record | BadLine]:
    csv.field_size_limit(1 << 30)
    with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, dialect="excel-tab" if format_ == "tsv" else "excel", strict=True)
        header = _read_header(reader, format_)
        row = 0
        while True:
            number = reader.line_num + 1  # where a document begins, should it have line breaks
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadLine(number, f"not {format_.upper()}: {error}", "")
                row += 1
                continue
            if cells:
                yield _parse_cells(header, cells, row, number)
                row += 1


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
        return BadLine(number, reason, ",".join(cells)[:1000])
    fields: dict[str, Any] = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    return Record(row, number, fields)
