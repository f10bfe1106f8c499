"""Tables of what was measured: one printed after a run, docs/benchmarks.md from all rows that are kept.

python -m benchmarks.report     # writes the document again
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import DEFAULT, PREPARED, UNSEEN
from benchmarks.measuring import TARGET
from benchmarks.rows import RESULTS, find_runs, read_rows, rows_of
from kokeshi.types import Json

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
TEXT = Path(__file__).with_name("document.md")
"""What stands around the tables, with a line `{tables}`."""

SLOWEST = 1.2
"""Kokeshi's median latency is at most so many times that of the fastest contender."""

_KIND_NAMES = {"anticorrelated": "anti-correlated"}


def print_run(rows: Sequence[Json], console: Console) -> None:
    """Print a run: every contender in every cell, and what the indices weigh."""
    for run in find_runs(rows):
        for cell, found in _cells(rows_of(rows, run, "search")):
            console.print(_cell_table(f"{', '.join(run)}: {cell}", found))
        for line in _weights(rows_of(rows, run, "index")):
            console.print(line)
        searches = rows_of(rows, run, "search")
        for line in (*_client(searches), *(f"miss: {miss}" for miss in _misses(searches))):
            console.print(line)


def build_document(rows: Sequence[Json]) -> str:
    """Return docs/benchmarks.md."""
    parts = [line for run in find_runs(rows) for line in _run_section(rows, run)]
    return TEXT.read_text("utf-8").replace("{tables}\n", "\n".join(parts) + "\n")


def _cells(rows: Sequence[Json]) -> Iterator[tuple[str, list[Json]]]:
    """Yield each cell's name and its rows, the fastest first, what failed last."""
    for key in dict.fromkeys((row["share"], row["kind"]) for row in rows):
        found = [row for row in rows if (row["share"], row["kind"]) == key]
        yield _cell_name(*key), sorted(found, key=lambda row: row.get("p50_ms", float("inf")))


def _cell_name(share: float, kind: str) -> str:
    return "all" if kind == "all" else f"{100 * share:g}% {_KIND_NAMES.get(kind, kind)}"


_COLUMNS: dict[str, Callable[[Json], str]] = {
    "contender": lambda row: row["contender"],
    "setting": lambda row: _setting(row),
    "recall@10": lambda row: f"{row['recall_at_10']:.3f}",
    "ratio": lambda row: f"{row['ratio']:.2f}",
    "p50 ms": lambda row: f"{row['p50_ms']:.2f}",
    "p95 ms": lambda row: f"{row['p95_ms']:.2f}",
    "1 client, q/s": lambda row: f"{row['queries_per_s_1']:.0f}",
    "4 clients, q/s": lambda row: f"{row['queries_per_s_4']:.0f}",
}


def _setting(row: Json) -> str:
    knobs = row["setting"]
    return ", ".join(f"{name} {value}" for name, value in knobs.items())


def _cell_table(title: str, rows: Sequence[Json]) -> Table:
    table = Table(title=title, title_justify="left", box=None)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in ("contender", "setting") else "right")
    for row in rows:
        if row["setting"] is None:
            table.add_row(row["contender"], f"no setting keeps {TARGET}", f"{row['reached']:.3f}")
        else:
            table.add_row(*(show(row) for show in _COLUMNS.values()))
    return table


_HEADER = (
    "| filter keeps | fastest contender | p50, p95 ms | recall@10 | request | client "
    "| p50, p95 ms | queries/s, 1 and 4 clients |"
)


def _run_section(rows: Sequence[Json], run: tuple[str, ...]) -> Iterator[str]:
    searches = rows_of(rows, run, "search")
    row = searches[0]
    yield f"### {', '.join(run)}"
    yield ""
    yield f"{row['date']}, {row['machine']}, {row['queries']} queries in each cell."
    yield ""
    yield _HEADER
    yield "|---" * _HEADER.count(" | ") + "|---|"
    for cell, found in _cells(searches):
        yield _line(cell, found)
    yield ""
    yield from _weights(rows_of(rows, run, "index"))
    yield ""
    yield from _client(searches)
    yield ""
    misses = list(_misses(searches))
    yield "Misses:" if misses else "No cell misses."
    yield from (f"- {line}" for line in misses)
    yield ""


def _line(cell: str, rows: Sequence[Json]) -> str:
    best, ours, request = _fastest(rows), _find(rows, DEFAULT), _find(rows, PREPARED)
    setting = f" ({_setting(best)})" if best["setting"] else ""
    columns = (
        cell,
        best["contender"] + setting,
        _latency(best),
        _marked(f"{ours['recall_at_10']:.3f}", ours["recall_at_10"] < TARGET),
        _marked(f"{request['ratio']:.2f}", request["ratio"] > SLOWEST),
        f"{ours['ratio']:.2f}",
        _latency(ours),
        _rates(ours),
    )
    return f"| {' | '.join(columns)} |"


def _marked(text: str, missed: bool) -> str:
    return f"**{text}**" if missed else text


def _latency(row: Json) -> str:
    return f"{row['p50_ms']:.2f}, {row['p95_ms']:.2f}"


def _rates(row: Json) -> str:
    return f"{row['queries_per_s_1']:.0f}, {row['queries_per_s_4']:.0f}"


def _find(rows: Sequence[Json], contender: str) -> Json:
    return next(row for row in rows if row["contender"] == contender)


def _fastest(rows: Sequence[Json]) -> Json:
    """Return the row that ratios are taken to."""
    return min(_passing(rows), key=lambda row: row["p50_ms"])


def _passing(rows: Sequence[Json]) -> list[Json]:
    return [
        row
        for row in rows
        if row["contender"] not in (DEFAULT, UNSEEN) and row.get("recall_at_10", 0) >= TARGET
    ]


def _weights(rows: Sequence[Json]) -> Iterator[str]:
    """Yield what indices weigh, in one line for each."""
    plain = next((row["hot_bytes"] for row in rows if row["variant"] == "float"), None)
    for row in rows:
        share = f", {row['hot_bytes'] / plain:.3f} of the float graph's" if plain else ""
        yield (
            f"- {row['variant']}: {row['hot_bytes']:,.0f} hot bytes a document{share}; "
            f"{row['total_bytes']:,.0f} in all"
        )


def overhead(rows: Sequence[Json], contender: str) -> float:
    """Return the median over cells of a contender's p50 to that of raw HTTP with Kokeshi's body."""
    ratios = []
    for _, found in _cells(rows):
        times = {row["contender"]: float(row["p50_ms"]) for row in found if "p50_ms" in row}
        if contender in times:
            ratios.append(times[contender] / times[PREPARED])
    return median(ratios)


def _client(rows: Sequence[Json]) -> Iterator[str]:
    """Yield what the client costs."""
    yield (
        "Kokeshi's median latency to that of raw HTTP with its own prepared body, median of the cells: "
        f"{overhead(rows, DEFAULT):.2f}; where it has not seen the filter before and first counts "
        f"what it leaves: {overhead(rows, UNSEEN):.2f}."
    )


def _misses(rows: Sequence[Json]) -> Iterator[str]:
    """Yield the cells where Kokeshi's default loses too much recall, or its request too much time."""
    for cell, found in _cells(rows):
        recall, ratio = _find(found, DEFAULT)["recall_at_10"], _find(found, PREPARED)["ratio"]
        if recall < TARGET or ratio > SLOWEST:
            best = _fastest(found)["contender"]
            yield f"{cell}: recall {recall:.3f}, {ratio:.2f} times the fastest ({best})"


def main() -> None:
    """Write the document again from the rows that are kept."""
    DOCUMENT.write_text(build_document(read_rows(RESULTS)), "utf-8")


if __name__ == "__main__":
    main()
