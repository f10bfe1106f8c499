"""Text files read line by line, and written whole or not at all."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Final, cast

from kokeshi.errors import InputError
from kokeshi.files import write_whole

_GZIP: Final = b"\x1f\x8b"


@contextmanager
def open_text(path: str | Path) -> Iterator[IO[str]]:
    """Open UTF-8 text, plain or gzip, with line ends as they are (CSV cells may hold some).

    Raises InputError where the file cannot be read, here or while its lines are read.
    """
    try:
        with Path(path).open("rb") as raw:
            zipped = raw.read(2) == _GZIP
            raw.seek(0)
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if zipped else raw
            with TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
                yield text
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: the gzip file is damaged or cut short: {error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error.reason}") from None
    except OSError as error:
        raise InputError(f"{path}: {_why(error, 'cannot be read')}") from None


def check_output(path: str | Path, *, force: bool = False) -> Path:
    """Return the path of a file to write; raises InputError where it cannot be one.

    That is where there is one already, unless `force`, where its folder is missing, or it is one.
    """
    target = Path(path)
    if target.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file (--output)")
    if not target.parent.is_dir():
        raise InputError(f"{path}: no such folder '{target.parent}'; make it first (--output)")
    if target.exists() and not force:
        raise InputError(
            f"{path}: exists already; give --force to overwrite it, or another --output"
        )
    return target


def write_text(path: str | Path, text: str, *, force: bool = False) -> None:
    """Write text as UTF-8, as gzip where its name ends in .gz; see `write_bytes`."""
    content = text.encode()
    if Path(path).suffix.lower() == ".gz":
        content = gzip.compress(content, mtime=0)  # the same bytes for the same text
    write_bytes(path, content, force=force)


def write_bytes(path: str | Path, content: bytes, *, force: bool = False) -> None:
    """Write a file as a whole: a reader sees what was there before, or all of it.

    Raises InputError where it exists, unless `force`, and where it cannot be written.
    """
    try:
        write_whole(check_output(path, force=force), content)
    except OSError as error:
        raise InputError(f"{path}: {_why(error, 'cannot be written')} (--output)") from None


def _why(error: OSError, otherwise: str) -> str:
    return (error.strerror or otherwise).lower()
