"""The table of what benchmarks.pq measured, and what of its aims is missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from kokeshi.types import Json

OURS, PEER, PLAIN = "Kokeshi, score-aware", "ScaNN, score-aware", "faiss"

WITHIN = 0.01
"""Recall1@10 is so near to ScaNN's, or above."""

ABOVE = {"25 × 4": 0.025, "50 × 4": 0.05, "25 × 8": 0.05}
"""By so much it is above faiss's plain codes."""

SLOWEST_TRAINING = 3.0
"""Training takes at most so many times ScaNN's."""

_COLUMNS = ("contender", "Recall1@1", "@10", "lowest, highest", "@100", "training CPU s", "ratio")
_RATES = ("encoded, thousands/s", "ratio", "scanned, millions/s", "ratio")


def print_words(rows: Sequence[Json], console: Console) -> None:
    """Print a table for each setting, who is left out, and what is missed. rows: of one data set."""
    measured = [row for row in rows if row["row"] == "codes"]
    for setting in dict.fromkeys(row["setting"] for row in measured):
        console.print(_table([row for row in measured if row["setting"] == setting]))
    absent = {row["contender"]: row["reason"] for row in rows if row["row"] == "left out"}
    for contender, reason in absent.items():
        console.print(f"left out: {contender}, {reason}")
    misses = list(find_misses(measured))
    console.print("\n".join(f"miss: {miss}" for miss in misses) or "no aim is missed")


def find_misses(rows: Sequence[Json]) -> Iterator[str]:
    """Yield each aim that the means over seeds miss, with the figures."""
    for setting in dict.fromkeys(row["setting"] for row in rows):
        here = [row for row in rows if row["setting"] == setting]
        ours, plain, peer = (_means(here, name) for name in (OURS, PLAIN, PEER))
        if plain and ours["recall_10"] < plain["recall_10"] + ABOVE[setting]:
            yield f"{setting}: {ours['recall_10']:.3f}, faiss {plain['recall_10']:.3f}"
        if peer:
            yield from _misses_of(setting, ours, peer)


def _misses_of(setting: str, ours: dict[str, float], peer: dict[str, float]) -> Iterator[str]:
    if ours["recall_10"] < peer["recall_10"] - WITHIN:
        yield f"{setting}: {ours['recall_10']:.3f}, ScaNN {peer['recall_10']:.3f}"
    if ours["encoded_per_s"] < peer["encoded_per_s"]:
        yield f"{setting}: {ours['encoded_per_s']:.0f} encoded/s, ScaNN {peer['encoded_per_s']:.0f}"
    if ours["training_cpu_s"] > SLOWEST_TRAINING * peer["training_cpu_s"]:
        yield f"{setting}: trains {ours['training_cpu_s']:.1f} s, ScaNN {peer['training_cpu_s']:.1f}"


def _means(rows: Sequence[Json], contender: str) -> dict[str, float]:
    """Return the mean over seeds of each figure; nothing where the contender is left out."""
    found = [row for row in rows if row["contender"] == contender]
    names = [
        name for row in found[:1] for name, value in row.items() if isinstance(value, float | int)
    ]
    return {name: sum(row[name] for row in found) / len(found) for name in names}


def _table(rows: Sequence[Json]) -> Table:
    seeds = len({row["seed"] for row in rows})
    title = (
        f"{rows[0]['dataset']}, {rows[0]['setting']} bits, means of {seeds} seeds; ratios to {PEER}"
    )
    table = Table(title=title, title_justify="left", box=None)
    for name in (*_COLUMNS, *_RATES):
        table.add_column(name, justify="left" if name == "contender" else "right")
    peer = _means(rows, PEER)
    for contender in dict.fromkeys(row["contender"] for row in rows):
        table.add_row(contender, *_cells(rows, contender, peer))
    return table


def _cells(rows: Sequence[Json], contender: str, peer: dict[str, float]) -> Iterator[str]:
    means = _means(rows, contender)
    tens = [row["recall_10"] for row in rows if row["contender"] == contender]
    yield f"{means['recall_1']:.3f}"
    yield f"{means['recall_10']:.3f}"
    yield f"{min(tens):.3f}, {max(tens):.3f}"
    yield f"{means['recall_100']:.3f}"
    for name, unit, digits in (
        ("training_cpu_s", 1, 1),
        ("encoded_per_s", 1e3, 0),
        ("scanned_per_s", 1e6, 1),
    ):
        yield f"{means[name] / unit:.{digits}f}"
        yield f"{means[name] / peer[name]:.2f}" if peer else ""
