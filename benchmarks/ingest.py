"""How fast does Kokeshi fill an index, beside what is possible and beside the other ways?

20,000 documents of 768 floats with metadata, on each engine. Every contender fills an index of the same
settings and fields, in a process of its own, in turn with the others; then the index is merged to one
segment. The ceiling posts bodies that were serialised before.

    python -m benchmarks.ingest [--url URL]... [--rounds 2]

Rows go to benchmarks/results/ingest.jsonl, and benchmarks/ingest.md is made from them. Without `--url`,
private engines are used. Contenders whose package is not installed are left out, and named.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import numpy as np
import orjson
from rich.console import Console

from benchmarks.ingest_contenders import INDEX, NAMES
from benchmarks.raw import RawClient
from benchmarks.rows import describe_machine, read_rows, replace_rows, today
from benchmarks.search import ENGINES, private_engine
from kokeshi import Index
from kokeshi.connect import connect
from kokeshi.engines import Connection, Engine
from kokeshi.schema import load_spec
from kokeshi.types import Json

RESULTS = Path(__file__).parent / "results" / "ingest.jsonl"
PAGE = Path(__file__).parent / "ingest.md"
DIMENSION = 768

SPEC = f"""\
index: {INDEX}
text: [title]
metadata: {{brand: keyword, price: float}}
vectors:
  embedding: {{encoder: {{name: precomputed, file: FOLDER/vectors.npy}}, dimension: {DIMENSION}, GRAPH}}
"""

GRAPHS = {"flat": "graph: false", "graph": "graph: true, quantization: int8"}
"""How the vector is kept -> what the spec says. Flat is Kokeshi's own way: graphs are over prefixes."""

INTRODUCTION = """\
# Filling an index, measured

`python -m benchmarks.ingest` measures, and writes this page from `benchmarks/results/ingest.jsonl`.

Documents are *generated*: a title, a brand, a price and a vector of 768 floats from a fixed seed. Every
contender reads the same two files (JSON lines, `.npy`) and fills an index of the same settings and fields,
*flat* or with a *graph* (HNSW, int8), on the same engine, in a process of its own; the order changes with
each round. *Ceiling*: bodies of 4 MB that were serialised before, posted over two connections. Documents/s
until every one is searchable, and until the index is merged to one segment too. *Of the ceiling*: that of the
same encoding. CPU and memory are those of the client's process, for the ceiling with all bodies; the vector
stores are given lists, as they want them. Where engine and client share few processor cores, what a client
computes is taken from the engine: where documents cost the engine little, as flat ones in base64 do, that
is most of the difference.
"""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--url", action="append", help="of an engine; both are private if not given"
    )
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--kept", choices=GRAPHS, default="flat")
    parser.add_argument("--only", default="", help="contenders whose name begins so, parted by |")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    console = Console(width=160)
    with tempfile.TemporaryDirectory() as name:
        write_files(Path(name), given.documents, given.kept)
        for engine, url, raw in open_engines(given.url):
            rows = run_engine(engine, url, raw, Path(name), given, console)
            replace_rows(given.output, rows)
    if given.output == RESULTS:
        PAGE.write_text(build_page(read_rows(RESULTS)))


def open_engines(urls: Sequence[str] | None) -> Iterator[tuple[Engine, str, RawClient]]:
    """Yield each engine with its address."""
    for kind in ENGINES if not urls else ():
        with private_engine(kind) as (engine, raw):
            yield engine, engine.connection.url, raw
    for url in urls or ():
        with ExitStack() as stack:
            engine = stack.enter_context(connect(Connection(url)))
            raw = RawClient(url)
            stack.callback(raw.close)
            yield engine, url, raw


def write_files(folder: Path, count: int, kept: str) -> None:
    """Write the documents, their vectors and the spec."""
    rng = np.random.default_rng(0)
    np.save(folder / "vectors.npy", rng.normal(size=(count, DIMENSION)).astype(np.float32))
    words = np.array(["black", "red", "shoe", "jacket", "warm", "light", "wool", "cotton"])
    with (folder / "documents.jsonl").open("wb") as file:
        for row in range(count):
            title = " ".join(rng.choice(words, 6))
            document = {"id": f"p{row}", "title": title, "brand": f"brand {row % 50}"}
            file.write(orjson.dumps(document | {"price": round(row % 977 * 1.1, 2)}) + b"\n")
    (folder / "kokeshi.yaml").write_text(
        SPEC.replace("FOLDER", str(folder)).replace("GRAPH", GRAPHS[kept])
    )


def run_engine(
    engine: Engine,
    url: str,
    raw: RawClient,
    folder: Path,
    given: argparse.Namespace,
    console: Console,
) -> list[Json]:
    """Return a row for each contender on one engine, of the median round."""
    dialect = engine.capabilities.dialect
    names = [n for n in NAMES[dialect] if any(map(n.startswith, given.only.split("|")))]
    if not engine.capabilities.base64_vectors:
        names = [name for name in names if "base64" not in name]
    found: dict[str, list[Json]] = {name: [] for name in names}
    run_one(names[0], engine, url, raw, folder)  # the first of all warms the engine up
    for number in range(given.rounds):
        for name in names if number % 2 == 0 else reversed(names):
            if number and not name.startswith(("ceiling", "kokeshi")):
                continue  # once is enough to see what is far from the ceiling
            row = run_one(name, engine, url, raw, folder)
            console.print(f"{engine.capabilities}: {name}: {row}")
            found[name].append(row)
    engine.delete_index(INDEX)
    about = {
        "row": "ingest",
        "engine": str(engine.capabilities),
        "dataset": given.kept,
        "documents": given.documents,
        "rounds": given.rounds,
        "machine": describe_machine(),
        "date": today(),
    }
    return [{**about, "contender": name, **summarise(rows)} for name, rows in found.items()]


def run_one(name: str, engine: Engine, url: str, raw: RawClient, folder: Path) -> Json:
    """Fill a new index and merge it; returns seconds of both, and what the client took."""
    create_index(engine, folder)
    command = [sys.executable, "-m", "benchmarks.ingest_contenders", name]
    options = ["--engine", engine.capabilities.dialect, "--url", url, "--folder", str(folder)]
    root = Path(__file__).parents[1]
    ran = subprocess.run([*command, *options], capture_output=True, cwd=root, check=False)
    if ran.returncode:
        raise RuntimeError(f"{name}: {ran.stderr.decode()[-2000:]}")
    row: Json = orjson.loads(ran.stdout.splitlines()[-1])
    if "missing" in row:
        return row
    started = time.perf_counter()
    engine.refresh(INDEX)
    row["seconds"] += time.perf_counter() - started
    if (count := engine.count(INDEX)) != count_lines(folder):
        raise RuntimeError(f"{name}: {count} documents are there")
    started = time.perf_counter()
    raw.send("POST", f"/{INDEX}/_forcemerge?max_num_segments=1")
    return row | {"merge_seconds": time.perf_counter() - started}


def create_index(engine: Engine, folder: Path) -> None:
    """Make the index anew, with a place for the metadata of vector stores."""
    body = Index(load_spec(folder / "kokeshi.yaml"), engine).build_body()
    fields = body["mappings"]["properties"]
    metadata = {name: fields[name] for name in ("brand", "price")}
    fields["metadata"] = {"properties": metadata}
    engine.delete_index(INDEX)
    engine.create_index(INDEX, body)


def count_lines(folder: Path) -> int:
    """Return how many documents there are."""
    return (folder / "documents.jsonl").read_bytes().count(b"\n")


def summarise(rows: Sequence[Json]) -> Json:
    """Return the medians of the rounds."""
    if "missing" in rows[0]:
        return rows[0]
    return {key: round(median(row[key] for row in rows), 3) for key in rows[0]}


def build_page(rows: Sequence[Json]) -> str:
    """Return the page of all rows.

    >>> print(build_page([])[:27])
    # Filling an index, measured
    """
    runs: dict[tuple[str, str], list[Json]] = {}
    for row in rows:
        runs.setdefault((row["engine"], row["dataset"]), []).append(row)
    return "\n".join([INTRODUCTION, *(build_table(*run, found) for run, found in runs.items())])


def build_table(engine: str, kept: str, rows: Sequence[Json]) -> str:
    """Return the table of one engine, and one way to keep the vectors."""
    measured = {row["contender"]: row for row in rows if "missing" not in row}
    left_out = [row["contender"] for row in rows if "missing" in row]
    first = rows[0]
    lines = [
        f"## {engine}, {kept}, {first['documents']:,} documents, {first['date']}",
        "",
        f"{first['machine']}; the median of {first['rounds']} rounds for the ceiling "
        "and Kokeshi, one for the others.",
        "",
        "| contender | documents/s | of the ceiling | merged, documents/s | of the ceiling "
        "| CPU s | peak MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in measured.items():
        encoding = "base64" if "base64" in name else "JSON"
        top = measured.get(f"ceiling, {encoding}", row)
        merged, most = (one["seconds"] + one["merge_seconds"] for one in (row, top))
        lines.append(
            f"| {name} | {row['documents'] / row['seconds']:,.0f} | {top['seconds'] / row['seconds']:.2f} "
            f"| {row['documents'] / merged:,.0f} | {most / merged:.2f} "
            f"| {row['cpu_seconds']:.1f} | {row['peak_mb']:,.0f} |"
        )
    if left_out:
        lines += ["", f"Not installed, so left out: {', '.join(left_out)}."]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
