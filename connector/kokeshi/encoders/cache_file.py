"""The file of the embedding cache: vectors by key in SQLite, shared by processes, limited in size.

Each vector is kept with a checksum over its key and bytes (CRC-32), so that a damaged row is a missing one,
never a wrong vector. What is used is noted by the day: reading the same catalogue again today writes nothing,
and what was used today is not given up for what comes after it. A catalogue larger than the cache would
otherwise push out each vector just before it is asked for again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from kokeshi.encoders.cache_database import (
    NotOursError,
    Transaction,
    connect,
    current_day,
    is_cache,
    remove_cache,
    used_bytes,
)
from kokeshi.errors import InputError
from kokeshi.types import Float32

LOGGER = logging.getLogger("kokeshi.cache")

_MOST_PARAMETERS = 900
"""Keys in one query; SQLite before 3.32 takes 999."""

_ROW_BYTES = 130
"""What a row takes beside its vector: the key twice, the day twice, headers, half-full pages of the index."""


class CacheFile:
    """Vectors of float32 by key. It is opened, and made where it is missing, at first use.

    limit_bytes: the file grows no larger. required: whether a file that cannot be opened raises InputError;
    otherwise it is said once in the log, and nothing is kept. A file that is damaged is made anew, and one
    that cannot be used later on, such as on a full disk, is left alone; the log says either once.
    """

    def __init__(
        self,
        path: Path,
        limit_bytes: int,
        *,
        required: bool = True,
        today: Callable[[], int] = current_day,
    ) -> None:
        self.path = path
        self._limit = limit_bytes
        self._required = required
        self._today = today
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._reads = self._writes = True
        self._damages = 0
        self._told: set[str] = set()

    def get(self, keys: Sequence[bytes], dim: int) -> dict[bytes, Float32]:
        """Return the vectors (dim,) of those keys that are there. Raises InputError, see the class."""
        with self._lock:
            try:
                database = self._open()
                return self._read(database, keys, dim) if database else {}
            except sqlite3.DatabaseError as error:
                self._reads = self._recover(error)
                return {}

    def put(self, vectors: Mapping[bytes, Float32]) -> None:
        """Keep vectors by their keys, as far as there is room. Raises InputError, see the class."""
        with self._lock:
            try:
                database = self._open() if vectors and self._writes else None
                if database:
                    self._write(database, vectors)
            except sqlite3.DatabaseError as error:
                self._writes = self._recover(error)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            self._close()

    def _read(
        self, database: sqlite3.Connection, keys: Sequence[bytes], dim: int
    ) -> dict[bytes, Float32]:
        found, stale, today = {}, [], self._today()
        for start in range(0, len(keys), _MOST_PARAMETERS):
            some = keys[start : start + _MOST_PARAMETERS]
            places = ",".join("?" * len(some))
            rows = database.execute(
                f"SELECT rowid, key, vector, day FROM vectors WHERE key IN ({places})",  # noqa: S608
                some,
            )
            for row, key, blob, day in rows:
                vector = _unpack(key, blob, dim)
                if vector is None:
                    self._tell("damaged", f"{self.path}: damaged vectors are passed over")
                    continue
                found[key] = vector
                if day < today:
                    stale.append((today, row))
        if stale and self._writes:
            self._note_use(database, stale)
        return found

    def _note_use(self, database: sqlite3.Connection, rows: list[tuple[int, int]]) -> None:
        """Write the day of rows; where that cannot be, they can still be read."""
        try:
            with Transaction(database):
                database.executemany("UPDATE vectors SET day = ? WHERE rowid = ?", rows)
        except sqlite3.OperationalError as error:
            self._writes = False
            self._tell(
                "off", f"{self.path}: the embedding cache is only read from here on: {error}"
            )

    def _write(self, database: sqlite3.Connection, vectors: Mapping[bytes, Float32]) -> None:
        today = self._today()
        rows = [(key, _pack(key, vector), today) for key, vector in vectors.items()]
        with Transaction(database):
            each = len(rows[0][1]) + _ROW_BYTES
            room = max(self._room(database) // each, 0)
            victims = self._victims(database, len(rows) - room)
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows[:room])
            database.executemany(
                "UPDATE OR REPLACE vectors SET key = ?, vector = ?, day = ? WHERE rowid = ?",
                [(*row, victim) for row, (victim,) in zip(rows[room:], victims, strict=False)],
            )
            # the limit was lowered, or longer vectors came; not all at once, as others wait meanwhile
            surplus = min(-self._room(database) // each, 10 * len(rows))
            database.executemany(
                "DELETE FROM vectors WHERE rowid = ?", self._victims(database, surplus)
            )
        if room + len(victims) < len(rows):
            self._tell(
                "full",
                f"{self.path}: the embedding cache is full with {self._limit / 1e9:g} GB used today; "
                "what else there is will be encoded again the next time; give it more with limit_gb",
            )

    def _victims(self, database: sqlite3.Connection, count: int) -> list[tuple[int]]:
        """Return the rows, at most so many, that were used longest ago, none of them today.

        A new vector takes the place of one: pages keep no holes, and the file does not grow.
        """
        query = "SELECT rowid FROM vectors WHERE day < ? ORDER BY day, rowid LIMIT ?"
        return database.execute(query, (self._today(), max(count, 0))).fetchall()

    def _room(self, database: sqlite3.Connection) -> int:
        return self._limit - used_bytes(database)

    def _open(self) -> sqlite3.Connection | None:
        """Return the open file; None where it cannot be used and need not."""
        if self._connection is None and self._reads:
            try:
                self._connection = connect(self.path)
                self._required = False  # what goes wrong from here on costs time, no document
            except sqlite3.OperationalError as error:
                self._refuse(f"{self.path}: the embedding cache cannot be used: {error}")
            except NotOursError:
                self._refuse(f"{self.path} is no embedding cache")
        return self._connection

    def _refuse(self, reason: str) -> None:
        remedy = "name another file, or write cache: false"
        if self._required:
            raise InputError(f"{reason}; {remedy}")
        self._reads = self._writes = False
        self._tell("refused", f"{reason}; every text is encoded ({remedy})")

    def _recover(self, error: sqlite3.DatabaseError) -> bool:
        """Start afresh where the file is damaged; returns whether it can be used."""
        damaged = not isinstance(error, sqlite3.OperationalError)
        self._close()
        self._damages += damaged
        if damaged and self._damages == 1 and is_cache(self.path):
            remove_cache(self.path)
            self._tell("anew", f"{self.path}: the embedding cache is damaged ({error}); made anew")
            return True
        self._tell("off", f"{self.path}: the embedding cache is left alone from here on: {error}")
        return False

    def _tell(self, what: str, message: str) -> None:
        if what not in self._told:
            self._told.add(what)
            LOGGER.warning("%s", message)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _pack(key: bytes, vector: Float32) -> bytes:
    """Return the bytes of a vector, little-endian, with their checksum behind."""
    content = np.ascontiguousarray(vector, "<f4").tobytes()
    return content + _checksum(key, content)


def _unpack(key: bytes, blob: bytes, dim: int) -> Float32 | None:
    """Return the vector (dim,), None where it is not what was kept."""
    content = blob[:-4]
    if len(content) != 4 * dim or _checksum(key, content) != blob[-4:]:
        return None
    return np.frombuffer(content, "<f4")


def _checksum(key: bytes, content: bytes) -> bytes:
    return zlib.crc32(content, zlib.crc32(key)).to_bytes(4, "little")
