"""`kokeshi demo`: from a catalogue to a measured search on a real engine, in one command."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kokeshi.cli.common import JsonOption, err, out, print_json, takes_connection
from kokeshi.cli.engine import show_progress
from kokeshi.cli.ingest import print_report
from kokeshi.cli.search import hits_table
from kokeshi.cli.sending import progress_bar
from kokeshi.connect import connect, find_connection
from kokeshi.demo.specs import Catalogue, find_catalogues
from kokeshi.embedded import EmbeddedEngine
from kokeshi.engines import Connection, Engine
from kokeshi.engines.settings import Settings
from kokeshi.errors import KokeshiError
from kokeshi.index import Index
from kokeshi.ingest import Source
from kokeshi.plans import DEFAULT_PLAN, find_plan
from kokeshi.tune import Curve, measure_plans, sample_texts
from kokeshi.types import Json
from kokeshi_eval import Contender, evaluate, load_judgments, print_evaluation

RECALL_QUERIES = 200


@takes_connection
def demo(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Folder of real catalogues; else KOKESHI_DATA, else generated."
        ),
    ] = None,
    products: Annotated[
        int, typer.Option("--products", min=1000, help="How many products to generate.")
    ] = 20_000,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the engine running and the indices in it.")
    ] = False,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Ingest a catalogue, search it, measure recall and latency, judge a ranking change.

    It uses the engine named by --url or KOKESHI_URL, OpenSearch or Elasticsearch, else a running
    embedded one, else starts one and stops it again. Its indices are its own and are removed at the
    end.
    """
    catalogues = find_catalogues(data, products=products)
    console = err if json else out
    with _engine(console, find_connection(connection), keep=keep) as engine:
        figures = {c.name: _show(console, c, engine, keep=keep) for c in catalogues}
    if json:
        print_json(figures)
    else:
        _say_next(catalogues, keep=keep)


@contextmanager
def _engine(console: Console, connection: Connection | None, *, keep: bool) -> Iterator[Engine]:
    if connection is not None:
        with _connected(console, connection, "") as engine:
            yield engine
        return
    _head(console, "Engine")
    started = time.monotonic()
    with show_progress() as on_progress:
        embedded = EmbeddedEngine(on_progress=on_progress, detach=keep)
        address = embedded.start()
    how = (
        f"started in {time.monotonic() - started:.0f} s" if embedded.started else "already running"
    )
    try:
        with _connected(console, Connection(address), f", embedded, {how}") as engine:
            yield engine
    finally:
        if embedded.started and not keep:
            embedded.stop()


@contextmanager
def _connected(console: Console, connection: Connection, how: str) -> Iterator[Engine]:
    engine = connect(connection)
    try:
        console.print(f"{engine.capabilities} at {connection.url}{how}")
        yield engine
    finally:
        engine.close()


def _show(console: Console, catalogue: Catalogue, engine: Engine, *, keep: bool) -> Json:
    index = Index(catalogue.spec, engine)
    try:
        return {
            "ingest": _ingest(console, catalogue, index),
            "searches": _search(console, catalogue, index),
            "recall": _measure(console, catalogue, index),
            "evaluation": _evaluate(console, catalogue, index),
        }
    finally:
        if not keep:
            engine.delete_index(index.spec.index)


def _ingest(console: Console, catalogue: Catalogue, index: Index) -> Json:
    _head(console, f"Catalogue: {catalogue.name}")
    console.print(catalogue.origin)
    source = Source(catalogue.products)
    with progress_bar(source) as on_progress:
        report = index.ingest(source, recreate=True, on_progress=on_progress)
    print_report(report, index.spec.index, index.count(), console)
    if report.failed:
        raise KokeshiError(f"{report.failed} documents of the demo failed: {report.first_failure}")
    return report.to_json() | {"origin": catalogue.origin, "generated": catalogue.generated}


def _search(console: Console, catalogue: Catalogue, index: Index) -> list[Json]:
    found = []
    for text, condition in catalogue.searches:
        result = index.search(text, filter=condition, size=3)
        console.print(f"\n$ kokeshi search {text!r} --filter {condition!r}")
        console.print(hits_table(result, index.spec))
        found.append({"text": text, "filter": condition, **result.to_json()})
    return found


def _measure(console: Console, catalogue: Catalogue, index: Index) -> Json:
    title = next(iter(index.spec.text))
    plan = find_plan(index.spec, DEFAULT_PLAN)
    queries = {f"{title}s of the catalogue": sample_texts(index, title, RECALL_QUERIES, seed=1)}
    if catalogue.judgments:
        queries["judged queries"] = list(load_judgments(catalogue.judgments).queries)
    _head(console, f"Recall@10 and latency of {DEFAULT_PLAN} against exact")
    example = next(iter(queries.values()))[0]
    for note in index.build_search(example, plan=plan).notes:
        console.print(f"{DEFAULT_PLAN}: {note}")
    curves = {}
    for name, texts in queries.items():
        measure_plans(index, texts[:50], [plan])  # warm: caches, compiled code
        curves[name] = measure_plans(index, texts, [plan])
        _print_recall(console, name, curves[name])
    return {name: curve.to_json() for name, curve in curves.items()}


def _print_recall(console: Console, name: str, curve: Curve) -> None:
    exact, default = curve.cells
    console.print(
        f"{curve.queries} {name}: recall {default.recall:.4f} with a median of "
        f"{default.p50_ms:.1f} ms; exact {exact.p50_ms:.1f} ms"
    )


def _evaluate(console: Console, catalogue: Catalogue, index: Index) -> Json | None:
    if catalogue.judgments is None:
        return None
    _head(console, "A ranking change, judged offline: bm25 -> hybrid")
    if catalogue.generated:
        console.print(
            "Products and grades are generated: these figures check the mechanics, "
            "they say nothing of how good a ranking is."
        )
    evaluation = evaluate(
        Contender("bm25", index, "bm25"),
        [Contender("hybrid", index, "hybrid")],
        load_judgments(catalogue.judgments),
    )
    print_evaluation(evaluation, console)
    return evaluation.model_dump(mode="json")


def _say_next(catalogues: list[Catalogue], *, keep: bool) -> None:
    _head(out, "Next")
    if keep:
        out.print(f"kokeshi search 'red dress' --spec {catalogues[-1].spec_file}")
    out.print(
        "With your own file:  kokeshi engine start; kokeshi init products.csv; "
        "kokeshi ingest products.csv; kokeshi search 'red dress'"
    )


def _head(console: Console, text: str) -> None:
    console.rule(f"[bold]{text}", align="left")
