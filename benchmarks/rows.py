"""What was measured, as JSON lines: one row for each contender in each cell, one for each index."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson

from kokeshi.types import Json

RESULTS = Path(__file__).parent / "results" / "search.jsonl"

_RUN = ("engine", "dataset")
"""The keys that one run replaces all rows of."""


def read_rows(path: Path) -> list[Json]:
    """Return the rows of a file; none where there is none."""
    if not path.exists():
        return []
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def replace_rows(path: Path, rows: Sequence[Json]) -> list[Json]:
    """Write rows in place of those of the same engine and data set; returns all."""
    again = {_run(row) for row in rows}
    kept = [row for row in read_rows(path) if _run(row) not in again]
    together = sorted([*kept, *rows], key=_run)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in together))
    return together


def _run(row: Json) -> tuple[str, ...]:
    return tuple(row[key] for key in _RUN)


def find_runs(rows: Iterable[Json]) -> list[tuple[str, ...]]:
    """Return each pair of engine and data set that there are rows of, in order."""
    return list(dict.fromkeys(map(_run, rows)))


def rows_of(rows: Iterable[Json], run: tuple[str, ...], kind: str) -> list[Json]:
    """Return the rows of one run. kind: `search` or `index`."""
    return [row for row in rows if _run(row) == run and row["row"] == kind]


def describe_machine() -> str:
    """Such as `2 cores, 24 GiB`."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB"


def today() -> str:
    """The date, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()
