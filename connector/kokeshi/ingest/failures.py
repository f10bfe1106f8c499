"""Keep what could not be indexed: one JSON line each, with its reason."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from kokeshi.errors import InputError

SUFFIX = ".failures.jsonl"


class FailureLog:
    """A JSON-lines file that exists only where something failed; each run replaces the last one's.

    Raises InputError where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.first: str | None = None
        self._first_line = sys.maxsize
        self._file: IO[bytes] | None = None
        with self._written():
            path.unlink(missing_ok=True)

    def __enter__(self) -> FailureLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def write(self, line: int, reason: str, document: Any, *, id_: str | None = None) -> None:  # noqa: ANN401
        """Add one failure. line: of the input file, from 1."""
        if self._file is None:
            with self._written():
                self._file = self.path.open("wb")
        self.count += 1
        if line < self._first_line:  # batches answer later than bad lines are seen
            self._first_line, self.first = line, f"line {line}: {reason}"
        entry = {"line": line, "id": id_, "reason": reason, "document": document}
        with self._written():
            self._file.write(orjson.dumps(entry, default=repr) + b"\n")

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be written ({(error.strerror or 'no reason given').lower()}), "
                "but documents that fail are kept there; run in another folder"
            ) from None


def failures_path(source: str) -> Path:
    """Return where the failures of a source are kept: in the working directory, by its name.

    >>> failures_path("data/products.jsonl.gz").name
    'products.failures.jsonl'
    """
    name = "stdin" if source == "-" else Path(source).name.removesuffix(".gz")
    return Path(Path(name).stem + SUFFIX)
