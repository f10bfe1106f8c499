"""What does two-stage search keep and cost beside the engine's own full-dimension graph?

Contenders answer the same queries in turn, in the same run on the same engine, under filters that
keep a share of the catalogue. Printed as ratios to the engine's own graph; kept as JSON lines in
benchmarks/results/search.jsonl.

    python -m benchmarks.search [--queries 200] [--repeat 3]
"""

from __future__ import annotations

import argparse
import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from kokeshi import Connection, EmbeddedEngine, F, Index, SearchPlan
from kokeshi.connect import connect
from kokeshi.demo.specs import Catalogue, find_catalogues
from kokeshi.engines import Engine
from kokeshi.filters import Filter
from kokeshi.plans import DEFAULT_PLAN, find_plan
from kokeshi.results import SearchResult, parse_search
from kokeshi.schema import IndexSpec, Shortlist
from kokeshi.tune import recall_of, sample_texts
from kokeshi.types import Json

RESULTS = Path(__file__).parent / "results" / "search.jsonl"
SHARES = (1.0, 0.5, 0.1, 0.01)
GRAPH = "engine's own graph, full dimension, k=100"


@dataclass(frozen=True)
class Contender:
    """One way to search. send: body -> the response, timed."""

    name: str
    index: Index
    plan: SearchPlan
    send: Callable[[str, Json], Json]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    catalogue = find_catalogues()[0]
    with an_engine() as (engine, address):
        rows = list(measure(catalogue, engine, address, options.queries, options.repeat))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    print_rows(rows, catalogue)


@contextmanager
def an_engine() -> Iterator[tuple[Engine, str]]:
    """Yield KOKESHI_URL's engine, else an embedded one, with its address."""
    connection = Connection.from_environment()
    embedded = None if connection else EmbeddedEngine()
    address = connection.url if connection else embedded.start()
    engine = connect(connection or address)
    try:
        yield engine, address
    finally:
        engine.close()
        if embedded and embedded.started:
            embedded.stop()


def measure(
    catalogue: Catalogue, engine: Engine, address: str, queries: int, repeat: int
) -> Iterator[Json]:
    """Yield one row for each contender and filter."""
    ours = Index(catalogue.spec.model_copy(update={"index": "kokeshi-bench"}), engine)
    theirs = Index(with_full_graph(ours), engine)
    raw = http.client.HTTPConnection(urlsplit(address).netloc)
    try:
        for index in (ours, theirs):
            index.ingest(catalogue.products, recreate=True)
        texts = sample_texts(ours, next(iter(ours.spec.text)), queries, seed=5)
        exact, two_stage = find_plan(ours.spec, "exact"), find_plan(ours.spec, DEFAULT_PLAN)
        graph = SearchPlan(shortlist=Shortlist(dims="full", k=100))
        contenders = [
            Contender("exact", ours, exact, engine.search),
            Contender(GRAPH, theirs, graph, engine.search),
            Contender("two-stage, Kokeshi's default", ours, two_stage, engine.search),
            Contender("two-stage, raw HTTP", ours, two_stage, raw_sender(raw)),
        ]
        for share in SHARES:
            yield from cells(contenders, texts, price_filter(ours, share), share, repeat)
    finally:
        raw.close()
        for index in (ours, theirs):
            engine.delete_index(index.spec.index)


def with_full_graph(index: Index) -> IndexSpec:
    """Return the spec whose full vector has a graph and no prefix: what one does without Kokeshi."""
    vectors = {
        name: vector.model_copy(update={"graph": True, "prefixes": ()})
        for name, vector in index.spec.vectors.items()
    }
    return index.spec.model_copy(update={"index": "kokeshi-bench-graph", "vectors": vectors})


def raw_sender(connection: http.client.HTTPConnection) -> Callable[[str, Json], Json]:
    """Return a sender without any client library: the floor of the client's overhead."""

    def send(index: str, body: Json) -> Json:
        headers = {"content-type": "application/json"}
        connection.request("POST", f"/{index}/_search", orjson.dumps(body), headers)
        answer: Json = orjson.loads(connection.getresponse().read())
        return answer

    return send


def price_filter(index: Index, share: float) -> Filter | None:
    """Return a filter on price, independent of the vectors, that keeps about `share` of everything."""
    if share == 1:
        return None
    percents = {"percentiles": {"field": "price", "percents": [share * 100]}}
    answer = index.engine.search(index.spec.index, {"size": 0, "aggs": {"p": percents}})
    return F.price <= next(iter(answer["aggregations"]["p"]["values"].values()))


def cells(
    contenders: list[Contender], texts: list[str], wanted: Filter | None, share: float, repeat: int
) -> Iterator[Json]:
    """Yield a row for each contender; each query goes to all of them in turn."""
    seconds: dict[str, list[float]] = {c.name: [] for c in contenders}
    recalls: dict[str, list[float]] = {c.name: [] for c in contenders}
    for run in range(repeat + 1):
        for text in texts:
            truth: SearchResult | None = None
            for contender in contenders:
                body = contender.index.build_search(
                    text, plan=contender.plan, filter=wanted, fields=()
                )
                started = time.perf_counter()
                response = contender.send(contender.index.spec.index, body)
                spent = time.perf_counter() - started
                found = parse_search(response)
                truth = truth or found
                if run:  # the first run warms caches and compiled code
                    seconds[contender.name].append(spent)
                    recalls[contender.name].append(recall_of(found, truth))
    for contender in contenders:
        p50, p95 = np.percentile(seconds[contender.name], [50, 95]) * 1000
        yield {
            "contender": contender.name,
            "filter_keeps": share,
            "recall_at_10": round(float(np.mean(recalls[contender.name])), 4),
            "p50_ms": round(float(p50), 3),
            "p95_ms": round(float(p95), 3),
            "queries": len(texts),
            "engine": str(contender.index.engine.capabilities),
        }


def print_rows(rows: list[Json], catalogue: Catalogue) -> None:
    """Print the table, latencies as ratios to the engine's own graph under the same filter."""
    base = {row["filter_keeps"]: row["p50_ms"] for row in rows if row["contender"] == GRAPH}
    table = Table(title=f"{catalogue.name}: {catalogue.origin}", box=None)
    for name in ("contender", "filter keeps", "recall@10", "p50 / graph's p50", "p50 ms", "p95 ms"):
        table.add_column(name, justify="left" if name == "contender" else "right")
    for row in rows:
        ratio = row["p50_ms"] / base[row["filter_keeps"]]
        figures = (f"{row['p50_ms']:.1f}", f"{row['p95_ms']:.1f}")
        table.add_row(
            row["contender"],
            f"{row['filter_keeps']:.0%}",
            f"{row['recall_at_10']:.4f}",
            f"{ratio:.2f}",
            *figures,
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
