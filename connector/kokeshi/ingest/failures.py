"""Dead letters: what could not be indexed, one JSON line each with its reason, to be sent again.

A line is `{"line", "row", "id", "reason", "document"}`, of changes with `change` in place of `document`, so
that the one is never taken for the other. Where a later document of the same id was indexed after all, a line
without a document follows and names the line of that one.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import orjson

from kokeshi.encoders import NO_ROW, Record
from kokeshi.errors import InputError
from kokeshi.files import flush_to_disk
from kokeshi.ingest.actions import Failure
from kokeshi.ingest.ids import IdSet
from kokeshi.ingest.shards import WHOLE, Shard
from kokeshi.ingest.sources import BadLine
from kokeshi.types import Json

SUFFIX = ".failures.jsonl"

Kind = Literal["document", "change"]
"""What a log holds; also the key that holds it."""


class FailureLog:
    """A JSON-lines file that exists only where something failed; each run replaces the last one's.

    keep: the line of the source up to which an interrupted run got; what it wrote of the lines until
    there stays. kind: what fails. Raises InputError where the file cannot be written.
    """

    def __init__(self, path: Path, *, keep: int = 0, kind: Kind = "document") -> None:
        self.path = path
        self._kind = kind
        self.count = 0
        self.first: str | None = None
        self._first_line = sys.maxsize
        self._failed = IdSet()
        self._file: IO[bytes] | None = None
        self._unsynced = False
        with self._written():
            if keep and path.exists():
                self._keep(keep)
            else:
                path.unlink(missing_ok=True)

    def __enter__(self) -> FailureLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def sync(self) -> None:
        """See that what was written outlives this process, and the machine."""
        if self._file and self._unsynced:
            with self._written():
                flush_to_disk(self._file)
            self._unsynced = False

    def write(self, failure: Failure) -> None:
        """Add one failure."""
        self._count(failure)
        self._write(
            {
                "line": failure.line,
                "row": failure.row,
                "id": failure.id,
                "reason": failure.reason,
                self._kind: failure.document,
            }
        )

    def replace(self, ids: Sequence[tuple[str, int]]) -> None:
        """Note that documents, id and line, were indexed: an earlier one of the same id is outdated."""
        if not self.count:
            return
        found = self._failed.find([id_ for id_, _ in ids])
        for (id_, line), failed in zip(ids, found, strict=True):
            if failed:
                reason = f"replaced by the {self._kind} of line {line}"
                self._write({"line": line, "id": id_, "reason": reason, self._kind: None})

    def _keep(self, last: int) -> None:
        """Drop what the source holds after a line, as it is read again, and count the rest."""
        fresh = self.path.with_name(self.path.name + ".tmp")
        with fresh.open("wb") as file:
            for entry in read_entries(self.path, self._kind):
                if entry["line"] <= last:
                    file.write(_dump(entry))
                    if entry[self._kind] is not None:
                        self._count(Failure(entry["line"], entry["reason"], None, entry["id"]))
            flush_to_disk(file)  # what it replaces was there
        fresh.replace(self.path)
        if not self.count:
            self.path.unlink()

    def _count(self, failure: Failure) -> None:
        self.count += 1
        if failure.id is not None:
            self._failed.add([failure.id])
        if failure.line < self._first_line:  # batches answer later than bad lines are seen
            self._first_line = failure.line
            self.first = f"line {failure.line}: {failure.reason}"

    def _write(self, entry: Json) -> None:
        with self._written():
            self._open().write(_dump(entry))
        self._unsynced = True

    def _open(self) -> IO[bytes]:
        if self._file is None:
            self._file = self.path.open("ab")
        return self._file

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be written ({(error.strerror or 'no reason given').lower()}), "
                "but documents that fail are kept there; run in another folder"
            ) from None


class DeadLetters:
    """The documents of a failure log, to be read as a source.

    One that a later document of its id replaced is left out, as sending it would bring it back;
    `replaced` counts them. kind: what the log holds. Raises InputError where the file is missing or no such
    log.
    """

    def __init__(self, path: str | Path, kind: Kind = "document") -> None:
        self.path = Path(path)
        self.kind = kind
        self.size = None
        self.position = 0
        self.replaced = 0
        if not self.path.is_file():
            raise InputError(
                f"{path}: no such file; `kokeshi ingest` names where failures are kept"
            )

    def __iter__(self) -> Iterator[Record | BadLine]:
        """Yield each document in the order of its source, with the line and the row that it had there.

        The log has them as they failed, of one id too: an engine answers later than a field is checked. One
        whose row is not known gets one that no file of vectors has, rather than another's vector.
        """
        kind = self.kind
        newer: dict[str, int] = {}
        lines, places = array("q"), array("q")  # there can be millions
        for place, entry in _read_places(self.path, kind):
            id_, line = entry["id"], entry["line"]
            if entry[kind] is None:
                newer[id_] = max(line, newer.get(id_, 0))
            else:
                lines.append(line)
                places.append(place)
        in_order = np.argsort(np.asarray(lines), kind="stable")
        for entry in _read_at(self.path, (places[at] for at in in_order)):
            document, line = entry[kind], entry["line"]
            if isinstance(document, dict) and line >= newer.get(entry["id"], 0):
                row = entry.get("row")
                yield Record(NO_ROW if row is None else row, line, document)
            elif isinstance(document, dict):
                self.replaced += 1
            else:
                yield BadLine(line, entry["reason"], str(document), entry.get("row"))


@contextmanager
def replacing(letters: DeadLetters) -> Iterator[FailureLog]:
    """Yield a log of what fails again, which takes the place of letters at the end.

    Without a failure nothing does. An error, or an interruption, leaves the letters as they were.
    """
    fresh = letters.path.with_name(letters.path.name + ".tmp")
    with FailureLog(fresh, kind=letters.kind) as failures:
        yield failures
        failures.sync()
    if failures.count:
        fresh.replace(letters.path)
    else:
        letters.path.unlink()


def read_entries(path: Path, kind: Kind) -> Iterator[Json]:
    """Yield the lines of a failure log; the last one can be cut short."""
    return (entry for _, entry in _read_places(path, kind))


def _read_at(path: Path, places: Iterable[int]) -> Iterator[Json]:
    """Yield the lines of a failure log that begin at places in it."""
    with path.open("rb") as file:
        for place in places:
            file.seek(place)
            yield orjson.loads(file.readline())


def _read_places(path: Path, kind: Kind) -> Iterator[tuple[int, Json]]:
    """Yield the lines of a failure log, each with its place in it, in bytes."""
    place = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                entry = orjson.loads(line)
                _ = entry["line"], entry["id"], entry["reason"], entry[kind]
            except (orjson.JSONDecodeError, KeyError, TypeError):
                raise InputError(
                    f"{path}: line {number} is no dead letter, which has line, id, reason and {kind}"
                ) from None
            yield place, entry
            place += len(line)


def _dump(entry: Json) -> bytes:
    option = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(entry, default=_describe, option=option)


def _describe(value: Any) -> Any:  # noqa: ANN401
    """Return what stands for a value that JSON has not: numbers of a view of an array, else its text."""
    return value.tolist() if hasattr(value, "tolist") else repr(value)


def failures_path(source: str, shard: Shard = WHOLE) -> Path:
    """Return where the failures of a source are kept: in the working directory, by its name and shard.

    >>> failures_path("data/products.jsonl.gz").name
    'products.failures.jsonl'
    """
    return Path(base_name(source) + shard.suffix + SUFFIX)


def base_name(source: str) -> str:
    """Return the name of a source without its folder and endings; `stdin` for standard input."""
    name = "stdin" if source == "-" else Path(source).name.removesuffix(".gz")
    return Path(name).stem
