"""What do codes cost and keep beside filters, against the engines' own filtered graphs and exact scans?

Filters, independent of the vectors, keep 0.1%, 1%, 10% or 50% of the documents. `scan` and `cells` turn no
knob; the engine's graphs are swept, and their fastest setting that keeps recall@10 of 0.99 is timed,
every query going to each contender in turn, as prepared bytes by plain HTTP.

Rows go to benchmarks/results/codes.jsonl, docs/codes-benchmarks.md is made from them
(`python -m benchmarks.codes_report` writes it again).

    python -m benchmarks.codes [--engine both] [--documents 100000] [--queries 100]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from benchmarks.asking import ask_setting
from benchmarks.cells import Cell, build_cells
from benchmarks.codes_indices import CODES, TRAINING, build_coded, train, weigh_all
from benchmarks.codes_report import DOCUMENT, RESULTS, build_document, print_rows
from benchmarks.contenders import EXACT, Contender, Setting, build_contenders
from benchmarks.datasets import Dataset, load_dataset
from benchmarks.indices import KOKESHI, Indices
from benchmarks.measuring import measure
from benchmarks.rows import describe_machine, replace_rows, today
from benchmarks.running import choose_settings
from benchmarks.search import ENGINES, private_engine
from kokeshi.plans import default_plans
from kokeshi.schema import Rescore, SearchPlan
from kokeshi.types import Json

SWEPT = ("float graph", "int8 graph", "int8 graph: rescore_vector", "bbq graph: rescore_vector")
"""The engines' own filtered kNN, of `benchmarks.contenders`."""


def main() -> None:
    """Run the benchmark."""
    options = parse_arguments()
    console = Console(width=160)
    dataset = load_dataset("generated", options.shared_data, options.documents)
    for kind in ENGINES if options.engine == "both" else (options.engine,):
        with private_engine(kind) as (engine, raw):
            console.print(f"{engine.capabilities}, {dataset.name}: building what is missing")
            indices = build_coded(dataset, engine, raw)
            rows = []
            for row in run(dataset, indices, options.queries, options.passes):
                rows.append(row)
                together = replace_rows(options.output, rows)
            print_rows(rows, console)
    if options.output == RESULTS:
        DOCUMENT.write_text(build_document(together), "utf-8")


def run(dataset: Dataset, indices: Indices, queries: int, passes: int) -> Iterator[Json]:
    """Yield a row for each index, then one for each contender under each filter."""
    codebook = train(dataset)
    about = {
        "engine": str(indices.engine.capabilities),
        "dataset": dataset.name,
        "documents": len(dataset.base),
        "dimension": dataset.dimension,
        "codebook": {**codebook.parameters, "code_bytes": codebook.code_bytes},
        "quality": codebook.trained.get("quality"),
        "machine": describe_machine(),
        "date": today(),
    }
    for weight in weigh_all(indices):
        yield {"row": "index", **about, **weight}
    for cell in build_cells(dataset, queries):
        if cell.kind == "independent":
            for row in run_cell(indices, cell, passes):
                yield {"row": "search", **about, "share": cell.share, "kept": cell.kept, **row}


def run_cell(indices: Indices, cell: Cell, passes: int) -> Iterator[Json]:
    """Yield what is known of each contender under one filter."""
    every = build_contenders(indices.engine.capabilities.dialect)
    swept: tuple[Contender, ...] = tuple(one for one in every if one.name in SWEPT)
    chosen, reached = choose_settings(indices, cell, swept, max(len(cell.queries) // 8, 8))
    settings = {**our_settings(indices), **{n: one for n, one in chosen.items() if one}}
    numbers = range(len(cell.queries))
    asks = {n: ask_setting(indices, cell, one, len(numbers)) for n, one in settings.items()}
    measure(cell, asks, numbers[: max(len(numbers) // 4, 1)])  # warms up
    for name, timing in measure(cell, asks, [*numbers] * passes).items():
        yield {
            "contender": name,
            "setting": settings[name].knobs,
            "notes": find_notes(indices, cell, settings[name]),
            "queries": len(numbers),
            "recall_at_10": round(timing.recall, 4),
            "p50_ms": round(timing.p50_ms, 3),
            "p95_ms": round(timing.p95_ms, 3),
        }
    for name in (name for name, one in chosen.items() if one is None):
        yield {"contender": name, "setting": None, "reached": round(reached[name], 4)}


def our_settings(indices: Indices) -> dict[str, Setting]:
    """Return what Kokeshi does without a knob turned, and the exact scan of what the filter leaves."""
    plans = default_plans(indices[CODES].spec)
    cells = plans["cells"].cells
    flat = SearchPlan(cells=cells, rescore=Rescore())
    of = {"nprobe": cells.nprobe if cells else 0, "cells": TRAINING.cells}
    k = {"k": plans["scan"].scan.k if plans["scan"].scan else 0}
    two_stage = default_plans(indices[KOKESHI].spec)["two-stage"]
    return {
        "scan, rescore": Setting(CODES, k, plans["scan"]),
        "cells, scan, rescore": Setting(CODES, {**of, **k}, plans["cells"]),
        "cells, rescore": Setting(CODES, of, flat),
        "two-stage": Setting(KOKESHI, {}, two_stage),
        "exact": Setting(CODES, {}, EXACT),
    }


def find_notes(indices: Indices, cell: Cell, setting: Setting) -> tuple[str, ...]:
    """Return how Kokeshi fitted a plan to the filter."""
    request = indices[setting.variant].build_search(
        vector=cell.queries[0], filter=cell.filter(), plan=setting.plan, fields=()
    )
    return request.notes


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=(*ENGINES, "both"), default="both")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100, help="under each filter")
    parser.add_argument("--passes", type=int, default=2, help="how often each query is timed")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument(
        "--shared-data", type=Path, default=Path(os.environ.get("KOKESHI_DATA", beside))
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
