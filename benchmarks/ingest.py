"""How fast does Kokeshi fill an index, beside what is possible and beside the other ways?

Every contender fills an index of the same settings and fields, in a process of its own, in turn with the
others; then the index is merged to one segment. The ceiling posts bodies that were serialised before.

    python -m benchmarks.ingest [--url URL]... [--rounds 5] [--data-set flat] [--only ceiling|kokeshi]

Data sets: `flat` and `graph`, 20,000 generated documents of 768 floats with metadata; `apart`, as `flat`,
with a processor core of its own for the client; `text`, the products of icecat in `--data`, encoded
meanwhile; `many`, 1,000,000 small documents, for the memory of the client.

Rows go to benchmarks/results/ingest.jsonl, and benchmarks/ingest.md is made from them. Without `--url`,
private engines are used. Contenders whose package is not installed are left out, and named.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from statistics import median

import orjson
from rich.console import Console

from benchmarks.ingest_contenders import STORES
from benchmarks.ingest_data import (
    DIMENSION,
    INDEX,
    count_documents,
    write_generated,
    write_texts,
)
from benchmarks.ingest_report import PAGE, RESULTS, build_page
from benchmarks.raw import RawClient
from benchmarks.rows import describe_machine, read_rows, replace_rows, today
from benchmarks.search import ENGINES, private_engine
from kokeshi import Index
from kokeshi.connect import connect
from kokeshi.engines import Capabilities, Connection, Engine
from kokeshi.schema import load_spec
from kokeshi.types import Json

DATA_SETS = ("flat", "apart", "graph", "text", "many")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--url", action="append", help="of an engine; both are private if not given"
    )
    parser.add_argument("--data-set", choices=DATA_SETS, default="flat")
    parser.add_argument("--documents", type=int, help="how many are generated")
    parser.add_argument("--data", type=Path, default=os.environ.get("KOKESHI_DATA"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="contenders whose name begins so, parted by |")
    parser.add_argument("--note", default="", help="what the page should say of this run")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    console = Console(width=160)
    with tempfile.TemporaryDirectory() as name:
        write_files(Path(name), given)
        for engine, url, raw in open_engines(given.url):
            with parted(raw) if given.data_set == "apart" else nullcontext():
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


def write_files(folder: Path, given: argparse.Namespace) -> None:
    """Write the documents, their vectors and the spec."""
    if given.data_set == "text":
        write_texts(folder, Path(given.data or "../shared/data"))
    elif given.data_set == "many":
        write_generated(folder, given.documents or 1_000_000, 16, "flat")
    else:
        kept = "graph" if given.data_set == "graph" else "flat"
        write_generated(folder, given.documents or 20_000, DIMENSION, kept)


@contextmanager
def parted(raw: RawClient) -> Iterator[None]:
    """Leave the last core to the client, and the others to the engine, as on a machine of its own."""
    cores = sorted(os.sched_getaffinity(0))
    try:
        bind_engine(raw, cores[:-1])
        os.sched_setaffinity(0, cores[-1:])  # a client is a child of this process
        yield
    finally:
        bind_engine(raw, cores)
        os.sched_setaffinity(0, cores)


def bind_engine(raw: RawClient, cores: Sequence[int]) -> None:
    """Let the threads of an engine on this machine run on these cores only."""
    nodes = raw.send("GET", "/_nodes/_local/process")["nodes"]
    for node in nodes.values():
        for thread in Path(f"/proc/{node['process']['id']}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


def choose(found: Capabilities, data_set: str) -> list[str]:
    """Return the contenders on an engine, those that are measured in each round first.

    Base64 is sent where the engine takes it; of texts and of many documents nothing else is then measured.
    """
    encodings = ["JSON", "base64"] if found.base64_vectors else ["JSON"]
    if data_set == "many":
        return [f"kokeshi, {encodings[-1]}"]
    if data_set == "text":
        return [f"{name}, {encodings[-1]}" for name in ("ceiling", "kokeshi")] + ["encoding alone"]
    names = [f"{name}, {encoding}" for encoding in encodings for name in ("ceiling", "kokeshi")]
    stores = STORES[found.dialect] if data_set != "apart" else ()
    return names + [name for name in stores if found.base64_vectors or "base64" not in name]


def run_engine(
    engine: Engine,
    url: str,
    raw: RawClient,
    folder: Path,
    given: argparse.Namespace,
    console: Console,
) -> list[Json]:
    """Return a row for each contender on one engine, of the median round."""
    names = choose(engine.capabilities, given.data_set)
    names = [name for name in names if any(map(name.startswith, given.only.split("|")))]
    found: dict[str, list[Json]] = {name: [] for name in names}
    if given.data_set != "many":
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
        "dataset": given.data_set,
        "documents": count_documents(folder),
        "rounds": given.rounds,
        "machine": describe_machine(),
        "date": today(),
        "note": given.note,
    }
    return [{**about, "contender": name, **summarise(rows)} for name, rows in found.items()]


def run_one(name: str, engine: Engine, url: str, raw: RawClient, folder: Path) -> Json:
    """Fill a new index and merge it; returns seconds of both, and what the client took."""
    create_index(engine, folder)
    command = [sys.executable, "-m", "benchmarks.ingest_contenders", name]
    options = ["--engine", engine.capabilities.dialect, "--url", url, "--folder", str(folder)]
    root = Path(__file__).parents[1]
    environment = {**os.environ, "KOKESHI_EMBEDDING_CACHE": "off"}
    ran = subprocess.run(
        [*command, *options], capture_output=True, cwd=root, env=environment, check=False
    )
    if ran.returncode:
        raise RuntimeError(f"{name}: {ran.stderr.decode()[-2000:]}")
    row: Json = orjson.loads(ran.stdout.splitlines()[-1])
    if "missing" in row or name == "encoding alone":
        return row
    started = time.perf_counter()
    engine.refresh(INDEX)
    row["seconds"] += time.perf_counter() - started
    if (count := engine.count(INDEX)) != count_documents(folder):
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


def summarise(rows: Sequence[Json]) -> Json:
    """Return the medians of the rounds, and the stages of the median round."""
    if "missing" in rows[0]:
        return rows[0]
    middle = sorted(rows, key=lambda row: row["seconds"])[len(rows) // 2]
    numbers = {key for key in rows[0] if key != "stages"}
    return middle | {key: round(median(row[key] for row in rows), 3) for key in numbers}


if __name__ == "__main__":
    main()
