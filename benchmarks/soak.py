"""Does the client's memory stay flat, and every count right, while an index is changed and searched?

For half an hour a writer ingests documents (new ones and new versions), changes prices alone and deletes, and
two threads send filtered two-stage searches, all by one process and one `Index`. Every hit is checked
against its filter. Every ten seconds the memory of the process and the heap of the engine are written
down. At the end the whole index is compared with what the writer knows.

    MALLOC_ARENA_MAX=1 python -m benchmarks.soak --engine opensearch [--minutes 30] [--url URL]

A row goes to benchmarks/results/soak.jsonl, and benchmarks/soak.md is made from the rows.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from benchmarks.raw import RawClient
from benchmarks.rows import describe_machine, read_rows, replace_rows, today
from benchmarks.soak_report import PAGE, RESULTS, build_page
from kokeshi import EmbeddedEngine, Index
from kokeshi.connect import connect
from kokeshi.demo.products import generate_products
from kokeshi.demo.specs import SPECS
from kokeshi.encoders import Record, embed_records
from kokeshi.engines import Engine
from kokeshi.errors import KokeshiError
from kokeshi.schema import IndexSpec, load_spec
from kokeshi.types import Json

SAMPLE_S = 10.0
CYCLE_S = 5.0
"""Between two rounds of the writer."""

INGESTED, REPRICED, DELETED = 200, 200, 20
"""Documents of one round, by what happens to them."""

SEARCHERS = 2
SEARCHES_PER_S = 4.0
"""Of each searcher."""

TEXTS = (
    "black waterproof jacket",
    "warm wool scarf",
    "light running shoes",
    "leather belt",
    "blue dress",
)
FILTERS = ("price < 40", "price < 90 and in_stock = true", "price < 160")


@dataclass
class Tally:
    """What happened, by all threads. seconds: of each search, four bytes each."""

    ingested: int = 0
    repriced: int = 0
    deleted: int = 0
    wrong: int = 0
    errors: list[str] = field(default_factory=list)
    seconds: array[float] = field(default_factory=lambda: array("f"))


class Writer:
    """Changes an index and knows what it must hold. prices: of each document that is there, by id."""

    def __init__(self, index: Index, products: list[Json], folder: Path, tally: Tally) -> None:
        self._index = index
        self._products = {product["id"]: product for product in products}
        self._ids = list(self._products)
        self._file = folder / "changed.jsonl"
        self._tally = tally
        self._rng = np.random.default_rng(7)
        self.prices: dict[str, float] = {}

    def fill(self) -> None:
        """Index every product."""
        self._ingest(self._ids)

    def work(self) -> None:
        """One round: new versions, some of them of what was deleted, then prices, then deletes."""
        self._ingest(self._choose(self._ids, INGESTED))
        self._reprice(self._choose(list(self.prices), REPRICED))
        self._delete(self._choose(list(self.prices), DELETED))

    def text(self, id_: str) -> Json:
        """Return a product as it was ingested last."""
        return self._products[id_]

    def _ingest(self, ids: list[str]) -> None:
        with self._file.open("wb") as file:
            for id_ in ids:
                product = self._products[id_]
                product["price"] = self._price()
                product["description"] = (
                    f"{product['description'][:300]} {self._rng.integers(1_000_000)}"
                )
                file.write(orjson.dumps(product) + b"\n")
        report = self._index.ingest(self._file)
        if report.failed or report.indexed != len(ids):
            raise RuntimeError(f"{report.indexed} of {len(ids)}: {report.first_failure}")
        self.prices |= {id_: self._products[id_]["price"] for id_ in ids}
        self._tally.ingested += len(ids)

    def _reprice(self, ids: list[str]) -> None:
        fresh = {id_: self._price() for id_ in ids}
        self._apply([{"op": "update", "id": i, "document": {"price": p}} for i, p in fresh.items()])
        self.prices |= fresh
        self._tally.repriced += len(ids)

    def _delete(self, ids: list[str]) -> None:
        self._apply([{"op": "delete", "id": id_} for id_ in ids])
        for id_ in ids:
            del self.prices[id_]
        self._tally.deleted += len(ids)

    def _apply(self, changes: list[Json]) -> None:
        self._file.write_bytes(b"".join(orjson.dumps(change) + b"\n" for change in changes))
        report = self._index.apply(self._file)
        if report.updated + report.deleted != len(changes) or report.encoded:
            raise RuntimeError(f"{report} of {len(changes)} changes")

    def _choose(self, ids: list[str], count: int) -> list[str]:
        return [ids[row] for row in self._rng.choice(len(ids), count, replace=False)]

    def _price(self) -> float:
        return round(float(self._rng.uniform(5, 200)), 2)


class Searcher:
    """Asks again and again, at a steady rate."""

    def __init__(self, index: Index, number: int, tally: Tally) -> None:
        self._index = index
        self._rng = np.random.default_rng(number)
        self._tally = tally

    def work(self) -> None:
        """Search once, and see that there are ten hits which all pass the filter."""
        text = f"{TEXTS[self._rng.integers(len(TEXTS))]} {self._rng.integers(50)}"
        filter_ = FILTERS[self._rng.integers(len(FILTERS))]
        started = time.perf_counter()
        found = self._index.search(
            text, filter=filter_, plan="two-stage", fields=("price", "in_stock")
        )
        self._tally.seconds.append(time.perf_counter() - started)
        self._tally.wrong += len(found.hits) != 10 or not all(
            _passes(hit.source, filter_) for hit in found.hits
        )


def _passes(product: Json, filter_: str) -> bool:
    below = float(filter_.split()[2])
    return product["price"] < below and ("in_stock" not in filter_ or product["in_stock"])


@contextmanager
def _repeating(work: Callable[[], None], every_s: float, tally: Tally) -> Iterator[None]:
    """Do work in a thread at a steady rate; what it raises is written down, and it goes on."""
    stop = threading.Event()

    def repeat() -> None:
        due = time.monotonic()
        while not stop.is_set():
            try:
                work()
            except (KokeshiError, RuntimeError) as error:
                tally.errors.append(str(error))
            due = max(due + every_s, time.monotonic())
            stop.wait(due - time.monotonic())

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def soak(index: Index, raw: RawClient, options: argparse.Namespace) -> Json:
    """Fill an index, change and search it for so long, and compare it with what it must hold."""
    products = list(generate_products(options.documents, rng=np.random.default_rng(7)))
    tally = Tally()
    index.create(recreate=True)
    writer = Writer(index, products, Path.cwd(), tally)
    writer.fill()
    tally.ingested = 0
    samples: dict[str, list[float]] = {"rss_mb": [], "blocks": [], "heap_mb": []}
    started = time.monotonic()
    processor = time.process_time()
    with ExitStack() as stack:
        stack.enter_context(_repeating(writer.work, CYCLE_S, tally))
        for number in range(SEARCHERS):
            searcher = Searcher(index, number, tally)
            stack.enter_context(_repeating(searcher.work, 1 / SEARCHES_PER_S, tally))
        while time.monotonic() - started < options.minutes * 60:
            time.sleep(SAMPLE_S)
            _sample(samples, raw)
    taken = time.process_time() - processor
    index.engine.refresh(index.spec.index)
    return {
        "minutes": options.minutes,
        "documents": options.documents,
        "ingested": tally.ingested,
        "repriced": tally.repriced,
        "deleted": tally.deleted,
        "searches": len(tally.seconds),
        "wrong_searches": tally.wrong,
        "errors": len(tally.errors),
        "first_error": tally.errors[0] if tally.errors else None,
        **_latencies(tally.seconds),
        "cpu_share": round(taken / (time.monotonic() - started), 3),
        **prove(index, writer),
        "sample_s": SAMPLE_S,
        **samples,
    }


def prove(index: Index, writer: Writer) -> Json:
    """Compare every document, and the vectors of some, with what the writer knows."""
    found = dict(_scan(index))
    wanted = writer.prices
    different = sum(found.get(id_) != price for id_, price in wanted.items())
    name, vector = next(iter(index.spec.vectors.items()))
    some = list(wanted)[:: max(1, len(wanted) // 200)]
    records = [Record(row, row, writer.text(id_)) for row, id_ in enumerate(some)]
    vectors = embed_records(index.encoders[name], vector, records).vectors
    kept = sum(_finds_itself(index, id_, one) for id_, one in zip(some, vectors, strict=True))
    return {
        "expected": len(wanted),
        "found": len(found),
        "different": different + len(found.keys() - wanted.keys()),
        "with_vector": index.engine.count(index.spec.index, {"exists": {"field": name}}),
        "vectors_compared": len(some),
        "vectors_kept": kept,
    }


def _finds_itself(index: Index, id_: str, vector: np.ndarray) -> bool:
    hits = index.search(vector=vector, plan="exact", size=10, fields=()).hits
    return any(hit.id == id_ and hit.score > 0.9999 for hit in hits)


def _scan(index: Index) -> Iterator[tuple[str, float]]:
    """Yield id and price of every document, in pages."""
    body: Json = {"size": 2_000, "sort": [{"id": "asc"}], "_source": ["price"]}
    while hits := index.engine.search(index.spec.index, body)["hits"]["hits"]:
        yield from ((hit["_id"], hit["_source"]["price"]) for hit in hits)
        body["search_after"] = hits[-1]["sort"]


def _sample(samples: dict[str, list[float]], raw: RawClient) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    samples["rss_mb"].append(round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 2))
    samples["blocks"].append(sys.getallocatedblocks())
    (node,) = raw.ask("GET", "/_nodes/stats/jvm")["nodes"].values()
    samples["heap_mb"].append(round(node["jvm"]["mem"]["heap_used_in_bytes"] / 2**20, 1))


def _latencies(seconds: array[float]) -> Json:
    values = np.array(seconds) * 1000
    shown = {
        f"p{share}_ms": round(float(np.percentile(values, share)), 1) for share in (50, 95, 99)
    }
    return {**shown, "max_ms": round(float(values.max()), 1)}


@contextmanager
def open_engine(options: argparse.Namespace) -> Iterator[tuple[Engine, RawClient]]:
    """Yield an engine, ours or that of `--url`."""
    with ExitStack() as stack:
        url = options.url
        if url is None:
            embedded = EmbeddedEngine(
                options.home, engine=options.engine, heap="1g", port=options.port
            )
            url = stack.enter_context(embedded)
        engine, raw = stack.enter_context(connect(url)), RawClient(url)
        stack.callback(raw.close)
        yield engine, raw


def read_spec() -> IndexSpec:
    """Return the spec of the demo's generated catalogue, under a name of its own."""
    spec = load_spec(SPECS / "generated.yaml")
    return spec.model_copy(update={"index": f"kokeshi-soak-{os.getpid()}"})


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=("opensearch", "elasticsearch"), default="opensearch")
    parser.add_argument("--url", help="of an engine; a private one is started if not given")
    parser.add_argument("--home", type=Path, help="of the private engine")
    parser.add_argument("--port", type=int, help="of the private engine")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    options.output = options.output.absolute()
    with (
        open_engine(options) as (engine, raw),
        tempfile.TemporaryDirectory() as folder,
    ):
        os.chdir(folder)  # checkpoints and failures are kept in the working directory
        about = {
            "row": "soak",
            "engine": str(engine.capabilities),
            "dataset": f"MALLOC_ARENA_MAX={os.environ.get('MALLOC_ARENA_MAX', 'unset')}",
            "machine": describe_machine(),
            "date": today(),
        }
        index = Index(read_spec(), engine)
        row = {**about, **soak(index, raw, options)}
        engine.delete_index(index.spec.index)
    replace_rows(options.output, [row])
    if options.output == RESULTS:
        PAGE.write_text(build_page(read_rows(RESULTS)))


if __name__ == "__main__":
    main()
