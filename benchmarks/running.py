"""One data set on one engine: sweep, choose, measure, cell after cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from benchmarks.asking import Ask, ask_kokeshi, ask_prepared, ask_setting, ask_unseen
from benchmarks.cells import Cell, build_cells
from benchmarks.contenders import DEFAULT, PREPARED, UNSEEN, Contender, Setting, build_contenders
from benchmarks.datasets import Dataset
from benchmarks.indices import ACORN, Indices
from benchmarks.measuring import TARGET, Timing, fastest_setting, measure, throughput
from benchmarks.rows import describe_machine, today
from benchmarks.storage import weigh
from kokeshi.types import Json

OURS = (DEFAULT, PREPARED, UNSEEN)
"""What is not swept."""


@dataclass(frozen=True)
class Effort:
    """queries: in each cell; swept: of them, for the sweep; passes: how often each is timed.

    quick: only the cells of 1% and 50%.
    """

    queries: int
    swept: int
    passes: int
    quick: bool = False

    def cells(self, dataset: Dataset) -> Iterator[Cell]:
        """Yield the cells to measure."""
        for cell in build_cells(dataset, self.queries):
            if not self.quick or cell.share in (1.0, 0.5, 0.01):
                yield cell


def run_cells(
    dataset: Dataset, indices: Indices, effort: Effort, console: Console
) -> Iterator[Json]:
    """Yield a row for each index, then one for each contender of each cell."""
    run = {
        "engine": str(indices.engine.capabilities),
        "dataset": dataset.name,
        "documents": len(dataset.base),
        "dimension": dataset.dimension,
        "machine": describe_machine(),
        "date": today(),
    }
    for variant in indices.by_variant:
        if not variant.endswith(ACORN):  # the same files
            weight = weigh(indices, variant)
            yield {
                "row": "index",
                **run,
                "variant": variant,
                "segments": weight.segments,
                "hot_bytes": round(weight.hot, 1),
                "total_bytes": round(weight.total, 1),
            }
    contenders = build_contenders(indices.engine.capabilities.dialect)
    for cell in effort.cells(dataset):
        console.print(f"  {cell.name}")
        about = {"kind": cell.kind, "share": cell.share, "kept": cell.kept}
        for row in run_cell(indices, cell, contenders, effort):
            yield {"row": "search", **run, **about, **row}


def run_cell(
    indices: Indices, cell: Cell, contenders: tuple[Contender, ...], effort: Effort
) -> Iterator[Json]:
    """Yield what is known of each contender in a cell."""
    chosen, reached = choose_settings(indices, cell, contenders, effort.swept)
    numbers = range(len(cell.queries))
    asks = {
        name: ask_setting(indices, cell, setting, len(numbers))
        for name, setting in chosen.items()
        if setting
    }
    asks |= {DEFAULT: ask_kokeshi(indices, cell), PREPARED: ask_prepared(indices, cell)}
    if cell.kind != "all":
        asks[UNSEEN] = ask_unseen(indices, cell)
    measure(cell, asks, numbers[: effort.swept])  # warms up
    timings = measure(cell, asks, [*numbers] * effort.passes)
    fastest = min(timing.p50_ms for name, timing in timings.items() if _competes(name, timing))
    for name, timing in timings.items():
        setting = chosen.get(name)
        yield {
            "contender": name,
            "setting": setting.knobs if setting else {},
            "queries": len(numbers),
            "recall_at_10": round(timing.recall, 4),
            "p50_ms": round(timing.p50_ms, 3),
            "p95_ms": round(timing.p95_ms, 3),
            "ratio": round(timing.p50_ms / fastest, 3),
            "queries_per_s_1": round(throughput(asks[name], len(numbers), 1), 1),
            "queries_per_s_4": round(throughput(asks[name], len(numbers), 4), 1),
        }
    for name in (name for name, setting in chosen.items() if setting is None):
        yield {"contender": name, "setting": None, "reached": round(reached[name], 4)}


def _competes(name: str, timing: Timing) -> bool:
    """Whether ratios may be taken to it: everybody sends prepared bytes without a client."""
    return name not in (DEFAULT, UNSEEN) and timing.recall >= TARGET


def choose_settings(
    indices: Indices, cell: Cell, contenders: tuple[Contender, ...], queries: int
) -> tuple[dict[str, Setting | None], dict[str, float]]:
    """Return each contender's fastest setting that keeps the recall, None where none does.

    And the highest recall that any of its settings reached in the sweep.
    """
    settings = {
        (contender.name, number): setting
        for contender in contenders
        for number, setting in enumerate(contender.settings)
        if setting.variant in indices.by_variant
    }
    asks = {key: ask_setting(indices, cell, settings[key], queries) for key in settings}
    measure(cell, asks, range(min(3, queries)))  # warms up
    swept = measure(cell, asks, range(queries))

    def prepare(key: tuple[str, int]) -> Ask:
        return ask_setting(indices, cell, settings[key], len(cell.queries))

    chosen: dict[str, Setting | None] = {}
    reached = {}
    for contender in contenders:
        of_this = {key: timing for key, timing in swept.items() if key[0] == contender.name}
        reached[contender.name] = max(timing.recall for timing in of_this.values())
        key = fastest_setting(cell, of_this, prepare)
        chosen[contender.name] = None if key is None else settings[key]
    return chosen, reached
