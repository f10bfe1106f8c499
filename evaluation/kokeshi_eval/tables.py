"""Rows of CSV, TSV and JSON lines, with names of columns that do not depend on how they are spelt."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from kokeshi.errors import InputError
from kokeshi_eval.files import open_text

Layout = Literal["csv", "jsonl"]
"""How rows are written: with a header and cells parted by commas or tabs, or an object a line."""

SUFFIXES: Final[Mapping[str, Layout]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


@dataclass(frozen=True)
class Row:
    """One row. where: file and line. cells: column -> value; texts are stripped."""

    where: str
    cells: Mapping[str, Any]

    def find(self, *names: str) -> Any:  # noqa: ANN401
        """Return the first of these columns that has a value; None where none has."""
        return next((self.cells[name] for name in names if name in self.cells), None)

    def text(self, *names: str) -> str:
        """Return such a value as text, a number too; raises InputError where it is empty."""
        value = self.find(*names)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            state = "empty" if value is None or value == "" else f"{value!r:.40}, not a text"
            raise InputError(f"{self.where}: the {names[-1]} is {state}")
        return str(value)


def suffix_of(path: str | Path) -> str:
    """Return the suffix that says the format, in small letters: `.csv` of `Log.CSV.gz`."""
    name = Path(path)
    return (Path(name.stem).suffix if name.suffix.lower() == ".gz" else name.suffix).lower()


def layout_of(path: str | Path) -> Layout:
    """Return how the rows of a file are written, by its name; raises InputError for another suffix."""
    found = SUFFIXES.get(suffix_of(path))
    if found is None:
        raise InputError(f"{path}: accepted are {', '.join(SUFFIXES)}, each also with .gz")
    return found


def read_rows(path: str | Path, required: Sequence[Sequence[str]] = ()) -> Iterator[Row]:
    """Yield the rows of a file, one line in memory at a time.

    required: as `read_table` has it. Raises InputError, with the line, where one is unusable.
    """
    layout = layout_of(path)
    with open_text(path) as lines:
        if layout == "csv":
            yield from read_table(lines, str(path), required)
        else:
            yield from read_objects(lines, str(path))


def read_table(
    lines: Iterable[str], name: str, required: Sequence[Sequence[str]] = (), *, pad: bool = False
) -> Iterator[Row]:
    """Yield the rows of CSV, or of TSV where the header has tabs; empty ones are passed over.

    name: what messages call the text. required: columns that the header must name, each by one of
    several names, of which messages use the last. pad: rows may end early. A row's line is its
    last, where quotes span several.
    """
    stream = iter(lines)
    first = next(stream, "")
    reader = csv.reader(
        chain([first], stream), delimiter="\t" if "\t" in first else ",", strict=True
    )
    header: list[str] = []
    try:
        for cells in reader:
            where = f"{name}, line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if header:
                padding = [""] * (len(header) - len(cells) if pad else 0)
                yield Row(where, _pair(header, cells + padding, where))
            else:
                header = _read_header(cells, where, required)
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: not CSV: {error}") from None


def read_objects(lines: Iterable[str], name: str) -> Iterator[Row]:
    """Yield the objects of JSON lines; null is no value."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InputError(f"{where}: not JSON: {error.msg}") from None
        if not isinstance(found, dict):
            raise InputError(f"{where}: not a JSON object but {type(found).__name__}")
        yield Row(where, {_spell(key): _strip(v) for key, v in found.items() if v is not None})


def _read_header(cells: list[str], where: str, required: Sequence[Sequence[str]]) -> list[str]:
    names = [_spell(cell) for cell in cells]
    if missing := [accepted[-1] for accepted in required if not {*accepted} & {*names}]:
        raise InputError(
            f"{where}: the header lacks {', '.join(missing)}; it names {', '.join(names)[:200]}"
        )
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise InputError(f"{where}: the header names the column '{twice[0]}' twice")
    return names


def _pair(header: list[str], cells: list[str], where: str) -> dict[str, str]:
    if len(cells) != len(header):
        raise InputError(
            f"{where}: {len(cells)} cells, but the header names {len(header)}; quote commas"
        )
    return {name: cell.strip() for name, cell in zip(header, cells, strict=True)}


def _spell(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _strip(value: Any) -> Any:  # noqa: ANN401
    return value.strip() if isinstance(value, str) else value
