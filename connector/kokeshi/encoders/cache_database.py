"""The SQLite database of the embedding cache: how it is opened, made, recognised and removed."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from kokeshi.errors import InputError

APPLICATION_ID = 0x6B6F6B65
"""In the header of the file, as SQLite has it for files of an application: `koke`."""

_APPLICATION_ID_AT = 68
"""Where the header of a file of SQLite keeps it (SQLite, Database File Format, 1.3)."""

_PAGE_BYTES = 16_384
"""Of a new file: few vectors leave much of such a page empty, and the index is written in small parts."""

_BUSY_S = 30.0

_SCHEMA = (
    "CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, day INTEGER NOT NULL)",
    "CREATE INDEX vectors_by_day ON vectors (day)",
)


@dataclass(frozen=True)
class CacheInfo:
    """What a cache holds. bytes: of its file that are in use; days: since the oldest was used."""

    path: str
    vectors: int
    bytes: int
    days: int | None


def current_day() -> int:
    """Days since 1970, in UTC."""
    return int(time.time() // 86_400)


def read_info(path: Path, today: Callable[[], int] = current_day) -> CacheInfo:
    """Return what a cache holds; raises InputError where the file is no cache or damaged."""
    if not path.exists():
        return CacheInfo(str(path), 0, 0, None)
    if not is_cache(path):
        raise InputError(f"{path} is no embedding cache; name another file")
    try:
        with closing(connect(path)) as database:
            count, oldest = database.execute("SELECT count(*), min(day) FROM vectors").fetchone()
            used = used_bytes(database)
    except (sqlite3.DatabaseError, NotOursError) as error:
        raise InputError(f"{path}: {error}; remove it with: kokeshi cache clear") from None
    return CacheInfo(str(path), count, used, None if oldest is None else today() - oldest)


def is_cache(path: Path) -> bool:
    """Whether a file says in its first bytes that it is an embedding cache."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError:
        return False
    found = header[_APPLICATION_ID_AT : _APPLICATION_ID_AT + 4]
    return found == APPLICATION_ID.to_bytes(4, "big")


def remove_cache(path: Path) -> None:
    """Remove a cache with what SQLite keeps beside it; a process that has it open goes on with its own.

    Raises InputError where the file is something else, or may not be removed.
    """
    if path.exists() and not is_cache(path):
        raise InputError(f"{path} is no embedding cache, so it stays; name another file")
    try:
        for name in (f"{path.name}-wal", f"{path.name}-shm", path.name):
            path.with_name(name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be removed: {error.strerror}") from None


class NotOursError(Exception):
    """The file is a database, or something else, that is no cache."""


class Transaction:
    """Takes the lock for writing at once, so that two processes wait instead of colliding."""

    def __init__(self, database: sqlite3.Connection, kind: str = "IMMEDIATE") -> None:
        self._database = database
        self._kind = kind

    def __enter__(self) -> None:
        self._database.execute(f"BEGIN {self._kind}")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._database.in_transaction:
            self._database.execute("ROLLBACK" if kind else "COMMIT")


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, or make it; raises OperationalError where neither can be, NotOursError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise sqlite3.OperationalError(f"{path.parent}: {error.strerror}".lower()) from error
    database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    try:
        # in one transaction, before the log is written ahead: no other process sees half of a new file
        with Transaction(database, "EXCLUSIVE"):
            (found,) = database.execute("PRAGMA application_id").fetchone()
            (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if found != APPLICATION_ID and (found or tables):
                raise NotOursError
            if not tables:
                database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                for statement in _SCHEMA:
                    database.execute(statement)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        if is_cache(path):
            raise
        raise NotOursError from error
    database.execute("PRAGMA journal_mode = WAL")
    # a crash of the machine can lose the last vectors, which are encoded again; it damages none
    database.execute("PRAGMA synchronous = NORMAL")


def used_bytes(database: sqlite3.Connection) -> int:
    """Return the bytes of the pages that hold something."""
    pages, free, size = (
        int(database.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size
