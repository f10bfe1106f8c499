"""What was shown where and what was clicked, summed by query, document and position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from kokeshi.errors import InputError
from kokeshi_eval.judgments.formats import DOC_ID
from kokeshi_eval.tables import Row, read_rows

Ints = npt.NDArray[np.int64]

_CLICKED: Final[Mapping[object, int]] = {
    "1": 1,
    "0": 0,
    "true": 1,
    "false": 0,
    1: 1,
    0: 0,
}


class Shown(NamedTuple):
    """One document for one query at one position, from 1: how often shown there, how often clicked."""

    query: str
    doc_id: str
    position: int
    impressions: int = 1
    clicks: int = 0


@dataclass(frozen=True)
class ClickLog:
    """Impressions and clicks of P pairs of query and document, in N sums by pair and position.

    pairs: P of (query, doc_id). pair: (N,) rows of pairs. position: (N,), from 1. impressions, clicks: (N,).
    name: what messages call it.
    """

    pairs: Sequence[tuple[str, str]]
    pair: Ints
    position: Ints
    impressions: Ints
    clicks: Ints
    name: str = "clicks"


def load_clicks(path: str | Path) -> ClickLog:
    """Read a log of CSV or JSON lines, plain or .gz.

    Its columns are query, doc_id, position, and either clicked (0 or 1, a row for each document that
    was shown) or impressions and clicks (a row for each sum). Raises InputError, with the line, where a
    row is unusable.
    """
    rows = read_rows(path, (("query",), DOC_ID, ("position",)))
    return count_clicks((_parse(row) for row in rows), str(path))


def count_clicks(shown: Iterable[Shown], name: str = "clicks") -> ClickLog:
    """Return the sums of what was shown; raises InputError where that is nothing or has no click."""
    sums: dict[tuple[str, str, int], list[int]] = {}
    for query, doc_id, position, impressions, clicks in shown:
        entry = sums.setdefault((query, doc_id, position), [0, 0])
        entry[0] += impressions
        entry[1] += clicks
    if not any(clicks for _, clicks in sums.values()):
        raise InputError(f"{name}: no click on anything that was shown, so nothing can be graded")
    rows = {pair: row for row, pair in enumerate(dict.fromkeys(key[:2] for key in sums))}
    return ClickLog(
        list(rows),
        np.array([rows[key[:2]] for key in sums], dtype=np.int64),
        np.array([key[2] for key in sums], dtype=np.int64),
        np.array([impressions for impressions, _ in sums.values()], dtype=np.int64),
        np.array([clicks for _, clicks in sums.values()], dtype=np.int64),
        name,
    )


def _parse(row: Row) -> Shown:
    query, doc_id = row.text("query"), row.text(*DOC_ID)
    position = _number(row, "position", 1)
    if "clicked" in row.cells:
        return Shown(query, doc_id, position, 1, _clicked(row))
    impressions, clicks = _number(row, "impressions", 1), _number(row, "clicks", 0)
    if clicks > impressions:
        raise InputError(f"{row.where}: {clicks} clicks on {impressions} impressions")
    return Shown(query, doc_id, position, impressions, clicks)


def _clicked(row: Row) -> int:
    value = row.cells["clicked"]
    found = _CLICKED.get(value.lower() if isinstance(value, str) else value)
    if found is None:
        raise InputError(f"{row.where}: clicked '{value}' is neither 0 nor 1")
    return found


def _number(row: Row, name: str, least: int) -> int:
    value = row.find(name)
    if value is None:
        raise InputError(f"{row.where}: no {name}; give clicked, or impressions and clicks")
    text = str(value)
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise InputError(f"{row.where}: {name} '{value}' is not a whole number from {least}")
    return int(text)
