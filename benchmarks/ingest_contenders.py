"""The ways to fill an index: each is run in a process of its own, which says what it took.

    python -m benchmarks.ingest_contenders NAME --engine opensearch --url URL --folder FOLDER

Each reads the same files, documents as JSON lines and vectors as .npy, and fills an index that is there;
`encoding alone` only makes the vectors.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.ingest_data import INDEX, encode_texts
from benchmarks.ingest_watch import Watch, describe
from benchmarks.raw import RawClient
from kokeshi.types import Json

BODY_BYTES = 4 * 1024 * 1024
CONNECTIONS = 2

Run = Callable[[str, Path], Json | None]


class OrjsonSerializer:
    """What `parallel_bulk` is given in place of the json module of the standard library."""

    mimetype = "application/json"

    def loads(self, data: Any) -> Any:  # noqa: ANN401
        """Read an answer."""
        return orjson.loads(data)

    def dumps(self, data: Any) -> Any:  # noqa: ANN401
        """Write a line of a bulk request."""
        if isinstance(data, str):
            return data
        return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY).decode()  # it wants a text


def read_documents(folder: Path) -> Iterator[tuple[Json, np.ndarray]]:
    """Yield each document and its vector, (D,) float32."""
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    with (folder / "documents.jsonl").open("rb") as lines:
        for line, vector in zip(lines, vectors, strict=True):
            yield orjson.loads(line), np.asarray(vector)


def as_base64(vector: np.ndarray) -> str:
    """Return big-endian float32 in base64."""
    return b64encode(vector.astype(">f4")).decode()


def build_bodies(folder: Path, *, base64: bool) -> list[bytes]:
    """Return bulk bodies, ready to be posted."""
    bodies, lines, size = [], [], 0
    for document, vector in read_documents(folder):
        document["embedding"] = as_base64(vector) if base64 else vector
        action = orjson.dumps({"index": {"_id": document["id"]}})
        line = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
        lines += [action, line]
        size += len(action) + len(line) + 2
        if size >= BODY_BYTES:
            bodies.append(b"\n".join([*lines, b""]))
            lines, size = [], 0
    return [*bodies, b"\n".join([*lines, b""])] if lines else bodies


def post(url: str, bodies: Sequence[bytes]) -> None:
    """Post bodies over two connections: nobody who has to make them is faster."""
    raw = RawClient(url)
    waiting = iter(bodies)
    lock = threading.Lock()
    refused: list[Json] = []

    def work() -> None:
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                return
            path = f"/{INDEX}/_bulk?filter_path=errors"
            if raw.send("POST", path, body).get("errors"):
                refused.append({"size": len(body)})

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    raw.close()
    if refused:
        raise RuntimeError(f"{len(refused)} requests had errors")


def kokeshi(url: str, folder: Path, *, base64: bool) -> Json:
    """Ingest as the command does; return which stages overlapped."""
    from dataclasses import replace

    from kokeshi import Index
    from kokeshi.engines import Connection

    with Index.open(folder / "kokeshi.yaml", Connection(url)) as index:
        found = index.engine.capabilities
        if not base64:
            index.engine._capabilities = replace(found, base64_vectors=None)
        elif not found.base64_vectors:
            raise RuntimeError(f"{found} takes no base64")
        watch = Watch()
        report = index.ingest(folder / "documents.jsonl", metrics=watch)
        if report.failed:
            raise RuntimeError(str(report.first_failure))
        return describe(watch)


def encode_alone(_: str, folder: Path) -> None:
    """Only make the vectors of texts."""
    encode_texts(folder)


def parallel_bulk(
    url: str, folder: Path, engine: str, *, fast: bool = False, base64: bool = False
) -> None:
    """The helper of each client library, with as many threads as the others have connections."""
    if engine == "opensearch":
        from opensearchpy import OpenSearch as Client
        from opensearchpy import helpers
    else:
        from elasticsearch import Elasticsearch as Client
        from elasticsearch import helpers
    client = Client(url, timeout=60) if engine == "opensearch" else Client(url, request_timeout=60)
    if fast and engine == "opensearch":
        client.transport.serializer = OrjsonSerializer()
    elif fast:
        from elasticsearch import OrjsonSerializer as Theirs

        client = Client(url, request_timeout=60, serializer=Theirs())

    def actions() -> Iterator[Json]:
        for document, vector in read_documents(folder):
            made = as_base64(vector) if base64 else vector if fast else vector.tolist()
            yield {"_index": INDEX, "_id": document["id"], **document, "embedding": made}

    for taken, item in helpers.parallel_bulk(client, actions(), thread_count=CONNECTIONS):
        if not taken:
            raise RuntimeError(str(item))


def _lists(folder: Path) -> tuple[list[str], list[str], list[Json], list[list[float]]]:
    """Return what vector stores take: ids, texts, metadata and vectors."""
    ids, texts, metadata, vectors = [], [], [], []
    for document, vector in read_documents(folder):
        ids.append(document["id"])
        texts.append(document["title"])
        metadata.append({"brand": document["brand"], "price": document["price"]})
        vectors.append(vector.tolist())
    return ids, texts, metadata, vectors


def vector_store(url: str, folder: Path) -> None:
    """The vector store of elasticsearch-py, as it is."""
    from elasticsearch import Elasticsearch
    from elasticsearch.helpers.vectorstore import DenseVectorStrategy, VectorStore

    ids, texts, metadata, vectors = _lists(folder)
    store = VectorStore(
        Elasticsearch(url, request_timeout=60),
        index=INDEX,
        retrieval_strategy=DenseVectorStrategy(),
        num_dimensions=len(vectors[0]),
        text_field="title",
        vector_field="embedding",
    )
    store.add_texts(texts, metadatas=metadata, vectors=vectors, ids=ids)


def langchain(url: str, folder: Path, engine: str) -> None:
    """The store of langchain, as it is; OpenSearch's refuses more than its limit in one call."""
    ids, texts, metadata, vectors = _lists(folder)
    pairs = list(zip(texts, vectors, strict=True))
    if engine == "elasticsearch":
        from langchain_elasticsearch import ElasticsearchStore

        store = ElasticsearchStore(
            INDEX,
            es_url=url,
            query_field="title",
            vector_query_field="embedding",
            num_dimensions=len(vectors[0]),
        )
        store.add_embeddings(pairs, metadatas=metadata, ids=ids)
        return
    from langchain_community.vectorstores import OpenSearchVectorSearch

    other = OpenSearchVectorSearch(url, INDEX, embedding_function=None)
    other.add_embeddings(
        pairs,
        metadatas=metadata,
        ids=ids,
        bulk_size=len(ids),
        vector_field="embedding",
        text_field="title",
    )


def find_run(name: str, engine: str) -> Run:
    """Return what a contender does."""
    runs: dict[str, Run] = {
        "kokeshi, JSON": lambda url, folder: kokeshi(url, folder, base64=False),
        "kokeshi, base64": lambda url, folder: kokeshi(url, folder, base64=True),
        "parallel_bulk": lambda url, folder: parallel_bulk(url, folder, engine),
        "parallel_bulk, orjson": lambda u, f: parallel_bulk(u, f, engine, fast=True),
        "parallel_bulk, orjson, base64": lambda u, f: parallel_bulk(
            u, f, engine, fast=True, base64=True
        ),
        "elasticsearch-py vector store": vector_store,
        "langchain": lambda url, folder: langchain(url, folder, engine),
        "encoding alone": encode_alone,
    }
    return runs[name]


STORES = {
    "opensearch": ("parallel_bulk", "parallel_bulk, orjson", "langchain"),
    "elasticsearch": (
        "parallel_bulk",
        "parallel_bulk, orjson",
        "parallel_bulk, orjson, base64",
        "elasticsearch-py vector store",
        "langchain",
    ),
}
"""Engine -> the other ways to fill it."""


PACKAGES = {
    "ceiling": (),
    "kokeshi": (
        "kokeshi",
        "kokeshi.ingest",
        "kokeshi.engines.elasticsearch",
        "kokeshi.engines.opensearch",
    ),
    "parallel_bulk": ("elasticsearch.helpers", "opensearchpy.helpers"),
    "elasticsearch-py": ("elasticsearch.helpers.vectorstore",),
    "langchain": ("langchain_elasticsearch", "langchain_community.vectorstores"),
    "encoding": ("kokeshi", "wordllama"),
}
"""First word of a contender -> what is imported before its time begins."""


def measure(name: str, engine: str, url: str, folder: Path) -> Json:
    """Run one and return seconds, seconds of the processor, and the most memory in MB."""
    bodies = None
    if name.startswith("ceiling"):
        bodies = build_bodies(folder, base64="base64" in name)
    for package in PACKAGES[name.partition(",")[0].partition(" ")[0]]:
        importlib.import_module(package)
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    stages = None
    if bodies is None:
        stages = find_run(name, engine)(url, folder)
    else:
        post(url, bodies)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak_memory()}
    return {**found, "stages": stages} if stages else found


def peak_memory() -> float:
    """Return the most memory of this process, in MB; `ru_maxrss` would be that of its parent too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Run one contender and print what it took, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--engine", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    try:
        found = measure(given.name, given.engine, given.url, given.folder)
    except ImportError as error:
        found = {"missing": str(error)}
    print(orjson.dumps(found).decode())


if __name__ == "__main__":
    main()
