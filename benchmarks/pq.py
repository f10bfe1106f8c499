"""How good and how fast are Kokeshi's codes beside those of faiss, nanopq and ScaNN?

All train on the same word vectors, encode them, and are asked for 1,000 words that they have not
seen: is the word nearest by the exact dot product the first, or among the first 10 or 100, by codes?
Each seed holds out other words and trains anew, so that the spread says how far to trust a figure.
Everything runs on one thread, and times are seconds of the processor. Peers that are not installed
are named and left out.

    pip install nanopq scann     # beside the extra codes
    python -m benchmarks.pq [--words full 100k] [--seeds 0 1 2]

Rows go to benchmarks/results/pq.jsonl.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import orjson
from rich.console import Console

from benchmarks.pq_contenders import CONTENDERS, Setting
from benchmarks.pq_data import Words, load_vectors, split_words
from benchmarks.pq_report import print_words
from benchmarks.rows import describe_machine, read_rows, today
from kokeshi.types import Float32, Json

RESULTS = Path(__file__).parent / "results" / "pq.jsonl"
SETTINGS = (Setting(25, 4), Setting(50, 4), Setting(25, 8))
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> None:
    """Run the benchmark."""
    options = parse_arguments()
    _require_one_thread()
    console = Console(width=140)
    for name in options.words:
        vectors = load_vectors(name, options.shared_data)
        rows = []
        for row in run(vectors, options.seeds):
            console.print(orjson.dumps(row).decode(), soft_wrap=True, highlight=False)
            rows.append(row)
        keep_rows(options.output, rows)
        print_words(rows, console)


def run(vectors: Float32, seeds: Sequence[int]) -> Iterator[Json]:
    """Yield a row for each contender, setting and seed, and one for each peer that is left out.

    vectors: (N, 100), of which each seed holds others out.
    """
    missing = [name for name in CONTENDERS if find_spec(name.split(",")[0].lower()) is None]
    for seed in seeds:
        words = split_words(vectors, seed)
        about = {
            "dataset": words.name,
            "machine": describe_machine(),
            "date": today(),
            "seed": seed,
        }
        for name in missing:
            yield {"row": "left out", **about, "contender": name, "reason": "not installed"}
        for setting in SETTINGS:
            for name in (name for name in CONTENDERS if name not in missing):
                yield {"row": "codes", **about, **_row(name, setting, words)}


def _row(name: str, setting: Setting, words: Words) -> Json:
    measured = CONTENDERS[name](words, setting)
    hits = measured.found == words.truth[:, None]
    recalls = {f"recall_{k}": round(float(np.mean(hits[:, :k].any(1))), 4) for k in (1, 10, 100)}
    return {
        "contender": name,
        "setting": str(setting),
        **recalls,
        "training_cpu_s": round(measured.training_s, 2),
        "encoded_per_s": round(measured.encoded),
        "scanned_per_s": round(measured.scanned),
    }


def keep_rows(path: Path, rows: Sequence[Json]) -> None:
    """Write rows in place of those of the same words."""
    names = {row["dataset"] for row in rows}
    kept = [row for row in read_rows(path) if row["dataset"] not in names]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in (*kept, *rows)))


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words", choices=("full", "100k"), nargs="+", default=["full", "100k"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument(
        "--shared-data", type=Path, default=Path(os.environ.get("KOKESHI_DATA", beside))
    )
    return parser.parse_args()


def _require_one_thread() -> None:
    """Begin again where libraries, which read it when they are loaded, may take more threads."""
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        command = [sys.executable, "-m", "benchmarks.pq", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **ONE_THREAD})  # noqa: S606


if __name__ == "__main__":
    main()
