"""Which way to search is fastest, and how near is Kokeshi's default to it?

Every contender answers the same queries under filters that keep a share of the documents: the
engines' own graphs, exact comparing of all, and each shape of a two-stage request. All are swept
over their settings; the fastest that keeps recall@10 of 0.99 is measured, in turn with the others
and with Kokeshi, of which no knob is turned.

Engines are private ones, with their data in Kokeshi's cache folder, and end with the run. Rows go
to benchmarks/results/search.jsonl, the tables of docs/benchmarks.md are made from them.

    python -m benchmarks.search [--engine both] [--data generated --documents 20000] [--quick]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks.datasets import Dataset, load_dataset
from benchmarks.indices import build_indices
from benchmarks.raw import RawClient
from benchmarks.report import DOCUMENT, build_document, print_run
from benchmarks.rows import RESULTS, replace_rows
from benchmarks.running import Effort, run_cells
from kokeshi import EmbeddedEngine
from kokeshi.connect import connect
from kokeshi.embedded.folders import cache_folder, engine_account
from kokeshi.engines import Engine

ENGINES = ("opensearch", "elasticsearch")


def main() -> None:
    """Run the benchmark."""
    options = parse_arguments()
    effort = Effort(options.queries, max(options.queries // 8, 8), options.passes, options.quick)
    console = Console(width=160)
    datasets = [
        load_dataset(name, options.shared_data, documents)
        for name in (("icecat", "generated") if options.data == "both" else (options.data,))
        for documents in (options.documents if name == "generated" else [0])
    ]
    for kind in ENGINES if options.engine == "both" else (options.engine,):
        with private_engine(kind) as (engine, raw):
            for dataset in datasets:
                run_one(dataset, engine, raw, effort, options.output, console)


def run_one(
    dataset: Dataset, engine: Engine, raw: RawClient, effort: Effort, output: Path, console: Console
) -> None:
    """Measure one data set on one engine; print and keep what came of it."""
    console.print(f"{engine.capabilities}, {dataset.name}: building what is missing")
    indices = build_indices(dataset, engine, raw)
    rows = []
    for row in run_cells(dataset, indices, effort, console):
        rows.append(row)
        together = replace_rows(output, rows)  # a run that is broken off keeps what it has
    print_run(rows, console)
    if output == RESULTS:
        DOCUMENT.write_text(build_document(together), "utf-8")


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=(*ENGINES, "both"), default="both")
    parser.add_argument("--data", choices=("icecat", "generated", "both"), default="both")
    parser.add_argument("--documents", type=int, nargs="+", default=[20_000], help="generated")
    parser.add_argument("--queries", type=int, default=100, help="in each cell")
    parser.add_argument("--passes", type=int, default=2, help="how often each query is timed")
    parser.add_argument("--quick", action="store_true", help="few cells, few queries")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument(
        "--shared-data", type=Path, default=Path(os.environ.get("KOKESHI_DATA", beside))
    )
    return parser.parse_args()


@contextmanager
def private_engine(kind: str) -> Iterator[tuple[Engine, RawClient]]:
    """Start an engine of our own, whose indices outlast the run; yield it and its floor."""
    home = cache_folder(engine_account()) / "benchmarks" / f"engine-{kind}"
    embedded = EmbeddedEngine(home, engine=kind, heap="2g")
    address = embedded.start()
    engine, raw = connect(address), RawClient(address)
    try:
        yield engine, raw
    finally:
        raw.close()
        engine.close()
        if embedded.started:
            embedded.stop()


if __name__ == "__main__":
    main()
