"""Query sets: read, written, and sampled from a log of queries.

Bands part the queries of a log by traffic. Sorted by how often they were asked, the head are those that
begin within the first `head` of all searches, the torso those within the next `torso`, the tail
the rest. Each band is sampled at random, all its queries with the same chance.

The weight of a sampled query is traffic of its band * its count / sum of the counts that are sampled
from the band. A weighted mean over the set then estimates the mean over all searches: the separate ratio
estimator of a stratified sample (Cochran, Sampling Techniques, 1977, section 6.10). Weights have the mean 1.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import orjson

from kokeshi.errors import InputError
from kokeshi_eval.files import write_text
from kokeshi_eval.queries import EvalQuery
from kokeshi_eval.tables import Row, layout_of, read_rows

Band = Literal["head", "torso", "tail"]
BANDS: Final[tuple[Band, ...]] = ("head", "torso", "tail")

HEAD: Final = 0.5
TORSO: Final = 0.3
"""Shares of the searches; the tail has what is left."""

_QUERY: Final = ("query_text", "text", "query")
_ID: Final = ("query_id", "id")
_KNOWN: Final = {*_QUERY, *_ID, "filter", "weight", "count"}
"""Columns that are no attributes. `count`, of a log, is a number of searches: no kind of query."""


@dataclass(frozen=True)
class Logged:
    """A query as it was asked, with its filter, and how often."""

    text: str
    filter: str | None = None
    count: int = 1

    @property
    def id(self) -> str:
        """Its text, with the filter where there is one."""
        return f"{self.text} [{self.filter}]" if self.filter else self.text


@dataclass(frozen=True)
class BandShare:
    """What a band has: different queries and share of the searches, and how many of them are sampled."""

    band: Band
    queries: int
    traffic: float
    sampled: int


@dataclass(frozen=True)
class Sample:
    """Queries drawn from a log, in its order of traffic, and the bands that they come from."""

    queries: tuple[EvalQuery, ...]
    bands: tuple[BandShare, ...]


def load_queries(path: str | Path) -> tuple[EvalQuery, ...]:
    """Read a query set of CSV or JSON lines.

    Its columns are query and, where wanted, id (else the text), filter, weight (else 1); all others are
    attributes, by which results are sliced, except count. Raises InputError, with the line, where an
    id comes twice, a weight is not above 0, or there is no query at all.
    """
    found: dict[str, EvalQuery] = {}
    for row in read_rows(path, (_QUERY,)):
        query = _parse_query(row)
        if query.id in found:
            raise InputError(f"{row.where}: the id '{query.id}' comes twice; give a column id")
        found[query.id] = query
    if not found:
        raise InputError(f"{path}: no queries; give rows with a column query")
    return tuple(found.values())


def write_queries(queries: Sequence[EvalQuery], path: str | Path, *, force: bool = False) -> None:
    """Write a query set that `load_queries` reads; raises InputError where it exists, unless `force`."""
    build = _build_csv if layout_of(path) == "csv" else _build_jsonl
    write_text(path, build(queries), force=force)


def load_log(path: str | Path) -> tuple[Logged, ...]:
    """Read a log of queries: CSV or JSON lines with query, and count and filter where known.

    Returns different queries, most frequent first. Rows of the same query and filter are summed; a row
    without a count is one search. Other columns are passed over. Raises InputError, with the line,
    where a row is unusable.
    """
    counts: dict[tuple[str, str | None], int] = {}
    for row in read_rows(path, (_QUERY,)):
        key = row.text(*_QUERY), _filter(row)
        counts[key] = counts.get(key, 0) + _count(row)
    if not counts:
        raise InputError(f"{path}: no queries; give rows with a column query")
    logged = [Logged(text, filter_, count) for (text, filter_), count in counts.items()]
    return tuple(sorted(logged, key=lambda one: (-one.count, one.id)))


def sample_queries(
    log: Sequence[Logged],
    size: int,
    rng: np.random.Generator,
    *,
    head: float = HEAD,
    torso: float = TORSO,
) -> Sample:
    """Draw `size` queries from a log that is sorted by traffic, as many from each band as it has.

    The attribute `band` names the band of each. Raises InputError where head and torso are no shares,
    or size is below the three bands.
    """
    if not (0 < head < 1 and 0 <= torso <= 1 - head):
        raise InputError(f"head {head} and torso {torso}: give shares that are together at most 1")
    bands = _part(log, head, torso)
    if size < len(bands):
        raise InputError(f"size {size}: at least {len(bands)}, one for each band (--size)")
    sizes = _allot({band: len(found) for band, found in bands.items()}, size)
    total = sum(one.count for one in log)
    queries: list[EvalQuery] = []
    shares = []
    for band, found in bands.items():
        rows = sorted(rng.choice(len(found), sizes[band], replace=False))
        traffic = sum(one.count for one in found) / total
        queries += _weigh([found[row] for row in rows], band, traffic * sum(sizes.values()))
        shares.append(BandShare(band, len(found), traffic, sizes[band]))
    return Sample(tuple(queries), tuple(shares))


def _part(log: Sequence[Logged], head: float, torso: float) -> dict[Band, list[Logged]]:
    """Return the queries of each band that has any; the first is always of the head."""
    total, before = sum(one.count for one in log), 0
    bands: dict[Band, list[Logged]] = {}
    for one in log:
        share = before / total
        band: Band = "head" if share < head else "torso" if share < head + torso else "tail"
        bands.setdefault(band, []).append(one)
        before += one.count
    return bands


def _allot(queries: Mapping[Band, int], size: int) -> dict[Band, int]:
    """Return equal parts of `size`; what a band cannot fill goes to the others, at most all queries."""
    sizes: dict[Band, int] = {}
    left = size
    for place, band in enumerate(sorted(queries, key=lambda band: queries[band])):
        sizes[band] = min(queries[band], left // (len(queries) - place))
        left -= sizes[band]
    return sizes


def _weigh(sampled: Sequence[Logged], band: Band, weight: float) -> Iterator[EvalQuery]:
    """Yield queries whose weights sum up to `weight`, each by its count."""
    counts = sum(one.count for one in sampled)
    for one in sampled:
        share = weight * one.count / counts
        yield EvalQuery(one.id, one.text, one.filter, share, {"band": band})


def _parse_query(row: Row) -> EvalQuery:
    text = row.text(*_QUERY)
    id_ = row.text(*_ID) if row.find(*_ID) not in (None, "") else text
    attributes = {name: _attribute(row, name) for name in row.cells if name not in _KNOWN}
    return EvalQuery(
        id_,
        text,
        _filter(row),
        _weight(row),
        {name: value for name, value in attributes.items() if value},
    )


def _attribute(row: Row, name: str) -> str:
    value = row.cells[name]
    if isinstance(value, dict | list):
        raise InputError(f"{row.where}: the attribute '{name}' must be a text or a number")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _filter(row: Row) -> str | None:
    found = row.find("filter")
    return None if found in (None, "") else row.text("filter")


def _weight(row: Row) -> float:
    value = row.find("weight")
    try:
        weight = 1.0 if value in (None, "") else float(value)
    except (TypeError, ValueError):
        weight = 0.0
    if not 0 < weight < math.inf:
        raise InputError(f"{row.where}: weight '{value}' is not a number above 0")
    return weight


def _count(row: Row) -> int:
    value = row.find("count")
    text = "1" if value in (None, "") else str(value)
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise InputError(f"{row.where}: count '{value}' is not a whole number from 1")
    return int(text)


def _records(queries: Iterable[EvalQuery]) -> list[dict[str, Any]]:
    return [
        {"id": one.id, "query": one.text, "filter": one.filter, "weight": one.weight}
        | dict(one.attributes)
        for one in queries
    ]


def _build_csv(queries: Sequence[EvalQuery]) -> str:
    records = _records(queries)
    text = io.StringIO()
    columns = dict.fromkeys(name for record in records for name in record)
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _build_jsonl(queries: Sequence[EvalQuery]) -> str:
    return b"".join(orjson.dumps(record) + b"\n" for record in _records(queries)).decode()
