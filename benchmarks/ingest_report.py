"""The page of the ingest benchmark, made from its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kokeshi.types import Json

RESULTS = Path(__file__).parent / "results" / "ingest.jsonl"
PAGE = Path(__file__).parent / "ingest.md"

INTRODUCTION = """\
# Filling an index, measured

`python -m benchmarks.ingest` measures, and writes this page from `benchmarks/results/ingest.jsonl`.

*flat* and *graph* (HNSW, int8): documents are *generated*: a title, a brand, a price and a vector of 768
floats, of unit length, from a fixed seed. *apart*: as flat, but the client has the last processor core and
the engine the others, as if it were elsewhere. *text*: titles and descriptions of icecat (real products),
which wordllama encodes (256 dimensions) while they are sent. *many*: a million small generated documents
with 16 dimensions.

Every contender reads the same files and fills an index of the same settings and fields on the same engine,
in a process of its own; the order changes with each round. *Ceiling*: bodies of 4 MB that were serialised
before, posted over two connections. Documents/s until every one is searchable, and until the index is merged
to one segment too. *Of the ceiling*: that of the same encoding, in the same run. CPU and memory are those of
the client's process, for the ceiling with all bodies; the vector stores are given lists, as they want them.
Where engine and client share few processor cores, what a client computes is taken from the engine, and the
faster the engine the larger its part: of 768 floats orjson takes 18 to 31 µs, by the machine, and base64
(SIMD) under 1 µs.
"""

WANTED = 0.95
"""Of the ceiling."""

HEADER = (
    "| contender | documents/s | of the ceiling | merged, documents/s | of the ceiling "
    "| client CPU, µs a document | peak MB |\n|---|---|---|---|---|---|---|"
)


def build_page(rows: Sequence[Json]) -> str:
    """Return the page of all rows.

    >>> print(build_page([])[:27])
    # Filling an index, measured
    """
    runs: dict[tuple[str, str], list[Json]] = {}
    for row in rows:
        runs.setdefault((row["engine"], row["dataset"]), []).append(row)
    return "\n".join([INTRODUCTION, *(build_table(*run, found) for run, found in runs.items())])


def build_table(engine: str, data_set: str, rows: Sequence[Json]) -> str:
    """Return the table of one engine and data set, and what it says."""
    measured = {row["contender"]: row for row in rows if "missing" not in row}
    left_out = [row["contender"] for row in rows if "missing" in row]
    first = rows[0]
    lines = [
        f"## {engine}, {data_set}, {first['documents']:,} documents, {first['date']}",
        "",
        f"{first['machine']}; the median of {first['rounds']} rounds for the ceiling "
        f"and Kokeshi, one for the others. {first.get('note', '')}".rstrip(),
        "",
        HEADER,
        *(build_line(name, row, find_ceiling(name, measured)) for name, row in measured.items()),
    ]
    if left_out:
        lines += ["", f"Not installed, so left out: {', '.join(left_out)}."]
    lines += [f"\n{text}" for text in (*describe_missed(measured), *describe_stages(measured))]
    return "\n".join([*lines, ""])


def find_ceiling(name: str, measured: dict[str, Json]) -> Json | None:
    """Return the row of the ceiling of a contender's encoding."""
    encoding = "base64" if "base64" in name else "JSON"
    return measured.get(f"ceiling, {encoding}")


def build_line(name: str, row: Json, top: Json | None) -> str:
    """Return a line of the table; the parts that a contender has not are empty."""
    count, seconds = row["documents"], row["seconds"]
    cpu = f"{row['cpu_seconds'] / count * 1e6:,.0f} | {row['peak_mb']:,.0f} |"
    if "merge_seconds" not in row:
        return f"| {name} | {count / seconds:,.0f} | | | | {cpu}"
    merged = seconds + row["merge_seconds"]
    share = f"{top['seconds'] / seconds:.2f}" if top else ""
    share_merged = f"{(top['seconds'] + top['merge_seconds']) / merged:.2f}" if top else ""
    return (
        f"| {name} | {count / seconds:,.0f} | {share} | {count / merged:,.0f} | {share_merged} "
        f"| {cpu}"
    )


def describe_missed(measured: dict[str, Json]) -> Iterator[str]:
    """Say where Kokeshi stays below what it should reach."""
    for name, row in measured.items():
        top = find_ceiling(name, measured)
        share = top["seconds"] / row["seconds"] if top else 1.0
        if top and name.startswith("kokeshi") and row["dataset"] != "text" and share < WANTED:
            yield f"**Missed**: {name} reaches {share:.2f} of the ceiling; {WANTED} is wanted." + (
                describe_limit(row, top) if row["dataset"] != "apart" else ""
            )


def describe_limit(row: Json, top: Json) -> str:
    """Say what is possible where client and engine share the cores, if the ceiling keeps them busy."""
    cores = int(row["machine"].split()[0])
    more = row["cpu_seconds"] - top["cpu_seconds"]
    engine = cores * top["seconds"]
    allowed = engine * (1 / WANTED - 1) / row["documents"] * 1e6
    return (
        f" Its client computes {more / row['documents'] * 1e6:.0f} µs a document more than that of the "
        f"ceiling, on cores that the ceiling keeps busy: {engine / (engine + more):.2f} is the most that "
        f"leaves, and {WANTED} would leave the client {allowed:.0f} µs."
    )


def describe_stages(measured: dict[str, Json]) -> Iterator[str]:
    """Say which stages overlap, and which one is the bottleneck."""
    for name, row in measured.items():
        if not (found := row.get("stages")):
            continue
        waiting = ", ".join(f"{stage} {share:.0%}" for stage, share in found["waiting"].items())
        hidden = found["both"] / found["sending"]
        yield (
            f"{name}: encoding {found['encoding']:.0%} of the time, requests under way "
            f"{found['sending']:.0%}, both {found['both']:.0%}: {hidden:.0%} of the sending is behind "
            f"encoding. Something waited for {waiting} of the time. "
            f"The bottleneck: **{found['bottleneck']}**."
        )
