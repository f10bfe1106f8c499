"""The page of the soak benchmark, from its rows: was memory flat, were the counts right?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from kokeshi.types import Json

RESULTS = Path(__file__).parent / "results" / "soak.jsonl"
PAGE = Path(__file__).parent / "soak.md"

MOST_MB = 1.0
"""Growth in ten minutes, at the upper end of its interval, of a memory that is called flat."""

MOST_SHARE = 0.05
"""Of the memory itself, that it grows by from the middle to the end."""

INTRODUCTION = """\
# Half an hour of changes and searches, measured

`MALLOC_ARENA_MAX=1 python -m benchmarks.soak --engine opensearch` (and `elasticsearch`) measures, and writes
this page from `benchmarks/results/soak.jsonl`.

One process and one `Index`: a writer that every five seconds ingests 200 documents (new versions, and some
that had been deleted), changes the price alone of 200 and deletes 20; two threads that each send four
filtered two-stage searches a second, by text. The catalogue is *generated*, its vectors are by wordllama (256
dimensions, prefixes of 64 and 128). A search is wrong where a hit does not pass its filter, or there are
fewer than ten. At the end every document's price is compared with what the writer knows, and the vectors of
some 200 with their text, encoded anew. The engine, client and other work share two cores: where these are
busy, rounds come late and searches wait.

Memory is resident memory of the client's process, every ten seconds. Its slope is fitted over the means of
each minute of the second half, with its 95% interval (Student's t, as though the minutes were independent).
*Flat*: the upper end is below 1 MB in ten minutes, and the last minute holds less than 5% more than the
middle one. The heap of the engine goes up and down with its collections: shown is the least of each third.

Where `MALLOC_ARENA_MAX` is unset, resident memory climbs a few MB in ten minutes. It is not held by
Kokeshi: each ingest starts threads, glibc gives them arenas (up to eight for each core), and each arena
keeps what it once needed. Of 250 ingests after one another, without an engine, Python's allocated blocks
grew by 0.5% in the first 50 and by 105 blocks in the next 200, what malloc had handed out from 37.4 to
37.7 MB, resident memory by 19 MB; with one arena resident memory was 234.4 MB after the first and after
the last. A process that ingests again and again is best started with `MALLOC_ARENA_MAX=1`; Python's
threads hardly allocate at once.
"""


@dataclass(frozen=True)
class Slope:
    """Growth of a memory over the second half, in MB in ten minutes. half: half of its 95% interval."""

    per_ten_minutes: float
    half: float
    growth: float

    @property
    def is_flat(self) -> bool:
        """Whether it may be called flat."""
        return self.per_ten_minutes + self.half < MOST_MB and self.growth < MOST_SHARE


def fit_slope(values: Sequence[float], every_s: float) -> Slope:
    """Fit a line to the second half of a series, by the means of its minutes.

    >>> fit_slope([100.0] * 60 + [100.0 + n / 6 for n in range(60)], 10).per_ten_minutes
    10.0
    """
    half = np.asarray(values[len(values) // 2 :])
    a_minute = round(60 / every_s)
    minutes = half[: len(half) // a_minute * a_minute].reshape(-1, a_minute).mean(axis=1)
    times = np.arange(len(minutes)) - (len(minutes) - 1) / 2
    spread, free = float(times @ times), len(minutes) - 2
    slope = float(times @ minutes) / spread
    left = minutes - minutes.mean() - slope * times
    wide = stats.t.ppf(0.975, free) * math.sqrt(float(left @ left) / free / spread)
    growth = float(minutes[-1] / minutes[0] - 1)
    return Slope(round(10 * slope, 2), round(10 * float(wide), 2), growth)


def build_page(rows: Sequence[Json]) -> str:
    """Return the page of all rows.

    >>> print(build_page([])[:14])
    # Half an hour
    """
    return "\n".join([INTRODUCTION, *map(_build_section, rows)])


def _build_section(row: Json) -> str:
    """Return what one engine came to."""
    slope = fit_slope(row["rss_mb"], row["sample_s"])
    verdict = "flat" if slope.is_flat else "**not flat**"
    right = row["found"] == row["expected"] == row["with_vector"] and not row["different"]
    lines = [
        f"## {row['engine']}, {row['dataset']}, {row['minutes']:g} minutes, {row['date']}",
        "",
        f"{row['documents']:,} documents; {row['machine']}; the client took "
        f"{row['cpu_share']:.0%} of a core.",
        "",
        "| | |",
        "|---|---|",
        f"| ingested, repriced, deleted | {row['ingested']:,}, {row['repriced']:,}, {row['deleted']:,} |",
        f"| searches; wrong ones; errors of any kind | {row['searches']:,}; {row['wrong_searches']}; "
        f"{row['errors']} |",
        f"| search p50, p95, p99, longest | {row['p50_ms']}, {row['p95_ms']}, {row['p99_ms']}, "
        f"{row['max_ms']} ms |",
        f"| client memory: first, middle, last sample | {_three(row['rss_mb'])} MB |",
        f"| its slope over the second half | {slope.per_ten_minutes:+.2f} ± {slope.half:.2f} MB in ten "
        f"minutes, {slope.growth:+.1%} in all: {verdict} |",
        f"| heap of the engine, least of each third | {_floors(row['heap_mb'])} MB |",
    ]
    if "blocks" in row:
        lines.append(f"| blocks that Python holds: first, middle, last | {_three(row['blocks'])} |")
    lines += [
        f"| documents at the end: expected, found, with a vector | {row['expected']:,}, {row['found']:,}, "
        f"{row['with_vector']:,} |",
        f"| of another price, missing or too many | {row['different']}: "
        f"{'all right' if right else '**wrong**'} |",
        f"| vectors compared with their text, equal | {row['vectors_compared']}, {row['vectors_kept']} |",
        "",
    ]
    return "\n".join(lines)


def _three(values: Sequence[float]) -> str:
    return ", ".join(f"{values[n]:,.0f}" for n in (0, len(values) // 2, -1))


def _floors(values: Sequence[float]) -> str:
    return ", ".join(f"{min(part):.0f}" for part in np.array_split(np.asarray(values), 3))
