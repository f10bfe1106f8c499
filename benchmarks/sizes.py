"""What does each part of a document weigh in an index, and what does indexing it cost the engine?

Catalogues are indexed without any field, with their text fields, with the metadata of one type, and with
all of these; generated vectors with graphs of several dimensions and quantisations, and with codes. Every
index is merged to one segment. Time is the processor time of the engine's own process, so that what else
the machine does hardly matters.

Rows go to benchmarks/results/sizes.jsonl. `python -m benchmarks.sizes_fit` makes the coefficients of
`kokeshi size` from them and from the sizes in search.jsonl and codes.jsonl.

    python -m benchmarks.sizes --home FOLDER [--engine both]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from rich.console import Console

from benchmarks.datasets import PREFIX, VECTOR, Dataset, load_dataset
from benchmarks.indices import SETTINGS as BENCHMARK_SETTINGS
from benchmarks.indices import Indices
from benchmarks.raw import RawClient
from benchmarks.rows import describe_machine, replace_rows, today
from benchmarks.storage import weigh
from kokeshi import EmbeddedEngine, Index
from kokeshi.codes.training import TrainingOptions, train_codebook
from kokeshi.connect import connect
from kokeshi.demo.catalogue import write_catalogue
from kokeshi.demo.specs import SPECS, Catalogue, find_catalogues
from kokeshi.encoders import Record, load_encoder
from kokeshi.engines import Engine
from kokeshi.ingest import Source
from kokeshi.schema import IndexSpec
from kokeshi.types import Json

RESULTS = Path(__file__).parent / "results" / "sizes.jsonl"
ENGINES = ("opensearch", "elasticsearch")

SETTINGS = {**BENCHMARK_SETTINGS, "store.stats_refresh_interval": "0ms"}
"""Sizes as they are, not as they were up to ten seconds ago."""

QUANTIZATIONS: Mapping[str, tuple[str, ...]] = {
    "opensearch": ("none", "int8", "on_disk"),
    "elasticsearch": ("none", "int8", "int4", "binary"),
}
DIMENSIONS = (128, 384)
CODES = TrainingOptions(subvectors=48, sample=20_000)


@dataclass(frozen=True)
class Case:
    """One index to weigh. about: what the row says of it; graph: whether it has one that is hot."""

    spec: IndexSpec
    documents: Path
    about: Json = field(default_factory=dict)
    graph: bool = False


def generate(folder: Path) -> Catalogue:
    """Return the generated catalogue, which has types of metadata that the real ones lack."""
    products = write_catalogue(folder, n=20_000).products
    return Catalogue("generated", "generated", products, SPECS / "generated.yaml")


def catalogue_cases(catalogue: Catalogue) -> Iterator[Case]:
    """Yield the parts of a catalogue, each by itself and then together; last with its vector."""
    spec = catalogue.spec
    metadata = spec.metadata | ({"sold": "integer"} if catalogue.name == "fashion" else {})
    parts: dict[str, Json] = {"stored": {}, "text": {"text": spec.text}}
    for kind in sorted(set(metadata.values())):
        parts[kind] = {"metadata": {n: k for n, k in metadata.items() if k == kind}}
    parts["fields"] = {"text": spec.text, "metadata": metadata}
    parts["whole"] = {**parts["fields"], "vectors": spec.vectors}
    source = measure_fields(catalogue)
    for name, fields in parts.items():
        index = f"sizes-{catalogue.name.replace(' ', '-')}-{name}"
        made = IndexSpec(index=index, id=spec.id, settings=SETTINGS, **fields)
        about = {"dataset": catalogue.name, "variant": name, "fields": source}
        yield Case(made, catalogue.products, about)


def measure_fields(catalogue: Catalogue) -> Json:
    """Return the mean bytes of a document's JSON, and of each field that it has."""
    sizes: dict[str, int] = {}
    total = count = 0
    for record in (one for one in Source(catalogue.products) if isinstance(one, Record)):
        total += len(orjson.dumps(record.fields))
        count += 1
        for name, value in record.fields.items():
            sizes[name] = sizes.get(name, 0) + len(str(value).encode())
    return {
        "document": round(total / count, 1),
        **{name: round(size / count, 1) for name, size in sizes.items()},
    }


def vector_cases(dataset: Dataset, dialect: str) -> Iterator[Case]:
    """Yield graphs over the whole vector by dimension and quantisation, and codes."""
    for dims in DIMENSIONS:
        cut = shorten(dataset, dims)
        documents = cut.write()
        for quantization in QUANTIZATIONS[dialect]:
            yield _graph_case(cut, documents, graph=True, quantization=quantization)
        yield _graph_case(cut, documents)
    cut = shorten(dataset, DIMENSIONS[-1])
    documents = cut.write()
    yield _graph_case(cut, documents, prefixes=(64, 128))
    yield _codes_case(cut, documents)
    documents = dataset.write()
    yield _graph_case(dataset, documents, prefixes=(PREFIX,))
    for quantization in {"int4", "on_disk"} & set(QUANTIZATIONS[dialect]):
        yield _graph_case(dataset, documents, graph=True, quantization=quantization)


def shorten(dataset: Dataset, dims: int) -> Dataset:
    """Return the same vectors cut to a prefix, in a folder of their own."""
    folder = dataset.folder.parent / f"sizes-{dataset.folder.name}-{dims}"
    folder.mkdir(parents=True, exist_ok=True)
    base = dataset.base[:, :dims]
    return replace(
        dataset,
        name=f"{dataset.name} to {dims}",
        folder=folder,
        base=np.ascontiguousarray(base / np.linalg.norm(base, axis=1, keepdims=True)),
        queries=dataset.queries[:, :dims],
    )


def _graph_case(dataset: Dataset, documents: Path, **vector: Any) -> Case:
    named = "-".join(str(value) for value in vector.values()) or "flat"
    name = f"sizes-{dataset.folder.name}-{named}"
    name = "".join(c if c.isalnum() else "-" for c in name.lower())
    hot = bool(vector.get("graph") or vector.get("prefixes"))
    spec = dataset.spec(name, SETTINGS, **vector)
    about = {"dataset": dataset.name, "variant": named}
    return Case(spec, documents, about, graph=hot and len(vector.get("prefixes", ())) < 2)


def _codes_case(dataset: Dataset, documents: Path) -> Case:
    path = dataset.folder / f"{VECTOR}.codebook"
    (vector,) = dataset.spec("any", {}).vectors.values()
    if not path.exists():
        name = load_encoder(vector).name
        trained = train_codebook(dataset.base, CODES, space=vector.space, encoder=name, source={})
        trained.codebook.save(path)
    codes = {"codebook": str(path), "subvectors": CODES.subvectors}
    spec = dataset.spec(f"{dataset.folder.name}-codes", SETTINGS, codes=codes)
    return Case(spec, documents, {"dataset": dataset.name, "variant": "codes"})


def measure_case(case: Case, engine: Engine, raw: RawClient) -> Json:
    """Fill an index, merge it to one segment, weigh it and remove it."""
    index = Index(case.spec, engine)
    name = case.spec.index
    before, started = _processor_s(raw), time.monotonic()
    index.ingest(case.documents, recreate=True)
    indexed = _processor_s(raw)
    seconds = time.monotonic() - started
    raw.ask("POST", f"/{name}/_forcemerge?max_num_segments=1")
    raw.ask("POST", f"/{name}/_flush")
    raw.ask("POST", f"/{name}/_refresh")  # lets go of the files that were merged
    merged = _processor_s(raw)
    stats = raw.ask("GET", f"/{name}/_stats/docs,store")["_all"]["primaries"]
    count = stats["docs"]["count"]
    hot = weigh(Indices(engine, raw, {"it": index}), "it").hot if case.graph else None
    engine.delete_index(name)
    return {
        "documents": count,
        "spec": describe_spec(case.spec),
        "total_bytes": round(stats["store"]["size_in_bytes"] / count, 1),
        "hot_bytes": None if hot is None else round(hot, 1),
        "index_cpu_us": round(1e6 * (indexed - before) / count, 1),
        "merge_cpu_us": round(1e6 * (merged - indexed) / count, 1),
        "seconds": round(seconds, 1),
    }


def describe_spec(spec: IndexSpec) -> Json:
    """Return what of a spec decides its size."""
    vectors = [
        {
            "dimension": vector.dimension,
            "prefixes": list(vector.prefixes),
            "graph": vector.graph,
            "quantization": vector.quantization,
            "subvectors": vector.codes.subvectors if vector.codes else 0,
        }
        for vector in spec.vectors.values()
    ]
    return {"text": list(spec.text), "metadata": dict(spec.metadata), "vectors": vectors}


def _processor_s(raw: RawClient) -> float:
    time.sleep(1.1)  # the engines look once a second
    nodes = raw.ask("GET", "/_nodes/stats/process")["nodes"].values()
    return float(sum(node["process"]["cpu"]["total_in_millis"] for node in nodes)) / 1000


def main() -> None:
    """Run the benchmark."""
    options = parse_arguments()
    console = Console(width=160)
    dataset = load_dataset("generated", options.shared_data, options.documents)
    many = load_dataset("generated", options.shared_data, options.large)
    large = _graph_case(many, many.write(), prefixes=(PREFIX,))
    catalogues = [*find_catalogues(options.shared_data), generate(options.home / "generated")]
    for kind in ENGINES if options.engine == "both" else (options.engine,):
        with (
            EmbeddedEngine(options.home / kind, engine=kind, heap="1g") as address,
            connect(address) as engine,
        ):
            raw = RawClient(address)
            about = {
                "row": "index",
                "engine": str(engine.capabilities),
                "machine": describe_machine(),
                "date": today(),
            }
            cases = [case for one in catalogues for case in catalogue_cases(one)]
            rows: list[Json] = []
            for case in [*cases, *vector_cases(dataset, kind), large]:
                rows.append({**about, **case.about, **measure_case(case, engine, raw)})
                console.print(rows[-1], soft_wrap=True)
                replace_rows(options.output, rows)
            raw.close()


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="of the engines started here")
    parser.add_argument("--engine", choices=(*ENGINES, "both"), default="both")
    parser.add_argument("--documents", type=int, default=20_000, help="generated vectors")
    parser.add_argument("--large", type=int, default=100_000, help="more, in the default layout")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument(
        "--shared-data", type=Path, default=Path(os.environ.get("KOKESHI_DATA", beside))
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
