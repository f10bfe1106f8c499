"""Three nodes and a replica: one that is killed during ingest and searches costs no document and no answer.

`pytest -s` prints the figures of docs/ingest.md.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
import pytest

from kokeshi import Index
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.engines import Connection
from kokeshi.engines.calls import Call
from kokeshi.errors import EmbeddedError, EngineError
from kokeshi.ingest import Pacing
from kokeshi.schema import SearchPlan, parse_spec
from tests.cluster import NAMES, Cluster
from tests.conftest import a_home
from tests.engines import SERVERS

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(900)]

BEFORE, COUNT = 1_000, 12_000
"""Documents that are searched meanwhile, and all."""

DIMENSION = 16
VECTORS = np.random.default_rng(11).normal(size=(COUNT, DIMENSION)).astype(np.float32)
SPEC = """
index: cluster-{name}
text: [title]
metadata: {{price: float}}
vectors:
  embedding:
    encoder: {{name: precomputed, column: vec}}
    dimension: 16
    prefixes: [8]
    codes: {{codebook: {path}, subvectors: 4, codebook_size: 16, loss: plain}}
shards: {shards}
replicas: {replicas}
settings: {{unassigned.node_left.delayed_timeout: {delay}}}
"""
SCAN = SearchPlan.model_validate({"scan": {"k": 50, "exact_below": 0}})
# exact in what they find: a graph that is built again may find a few others
PLANS: dict[str, str | SearchPlan] = {"exact": "exact", "scan": SCAN}


@pytest.fixture(scope="module", params=SERVERS)
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with a_home() as home:
        made = Cluster(request.param, home / "cluster")
        try:
            try:
                made.start()
            except EmbeddedError as error:
                pytest.skip(f"no engine: {error}")
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = np.random.default_rng(5).normal(size=(4, 16, 4)).astype(np.float32)
    path = tmp_path_factory.mktemp("codebook") / "book"
    quantizer = ProductQuantizer(4, 16).restore(words, DIMENSION)
    Codebook(quantizer, None, False, "cosine", "precomputed").save(path)
    return path


@contextmanager
def an_index(cluster: Cluster, book: Path, name: str, **settings: object) -> Iterator[Index]:
    """Open an index on a cluster of which every node runs."""
    cluster.start()
    spec = parse_spec(SPEC.format(name=name, path=book, **settings))
    with Index.open(spec, Connection(cluster.urls)) as index:
        yield index
        index.engine.delete_index(spec.index)


def write(path: Path, numbers: range) -> Path:
    rows = (
        {"id": f"p{n}", "title": f"shoe {n}", "price": n, "vec": VECTORS[n].tolist()}
        for n in numbers
    )
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


@dataclass
class Searches:
    """What constant searches by several threads have seen. pauses: seconds that each took."""

    pauses: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        done = f"{len(self.pauses)} searches, {len(self.failures)} failed, {len(self.wrong)} wrong"
        return f"{done}, the longest took {max(self.pauses):.1f} s"


@contextmanager
def searching(index: Index) -> Iterator[Searches]:
    """Search all the time for documents by their own vectors, until the end."""
    seen, ended = Searches(), threading.Event()

    def search(seed: int) -> None:
        rng = np.random.default_rng(seed)
        while not ended.is_set():
            started, row = time.monotonic(), rng.integers(BEFORE)
            try:
                found = index.search(vector=VECTORS[row], plan="exact", size=3).ids
            except EngineError as error:
                seen.failures.append(str(error))
            else:
                seen.wrong += [] if found[0] == f"p{row}" else [f"p{row}: {found}"]
            seen.pauses.append(time.monotonic() - started)
            time.sleep(0.02)

    threads = [threading.Thread(target=search, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("victim", ["a data node", "the elected manager"])
def test_a_node_that_is_killed_costs_no_document_and_no_answer(
    cluster: Cluster, book: Path, tmp_path: Path, monkeypatch, victim: str
):
    monkeypatch.chdir(tmp_path)
    killed: list[float] = []

    def kill(progress) -> None:
        if progress.indexed >= COUNT // 5 and not killed:
            manager = cluster.manager()
            others = [name for name in NAMES if name != manager]
            cluster.kill(manager if victim == "the elected manager" else others[0])
            killed.append(time.monotonic())

    with an_index(cluster, book, "killed", shards=3, replicas=1, delay="0s") as index:
        index.ingest(write(tmp_path / "before.jsonl", range(BEFORE)))
        cluster.wait_until_green(nodes=3)
        with searching(index) as searches:
            source = write(tmp_path / "rest.jsonl", range(BEFORE, COUNT))
            report = index.ingest(source, pacing=Pacing(50_000), on_progress=kill)
            ingested = time.monotonic() - killed[0]
            cluster.wait_until_green(index.spec.index, nodes=2)
            green = time.monotonic() - killed[0]
        found = {hit["_id"] for hit in scroll(index, cluster)}
        lost = COUNT - len(found & {f"p{n}" for n in range(COUNT)})
        print(  # noqa: T201 (the figures)
            f"\n{cluster.engine}, {victim} killed: {BEFORE + report.indexed} documents acknowledged, "
            f"{lost} lost, {report.failed} failed; {searches}; "
            f"ingest went on for {ingested:.1f} s, green after {green:.1f} s"
        )
        assert (report.indexed, report.failed, lost) == (COUNT - BEFORE, 0, 0)
        assert (searches.failures, searches.wrong) == ([], [])
        assert documents(cluster, index) == {"p": COUNT, "r": COUNT}


def test_a_shard_without_a_copy_is_an_error_not_fewer_hits(
    cluster: Cluster, book: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with an_index(cluster, book, "red", shards=3, replicas=0, delay="0s") as index:
        index.ingest(write(tmp_path / "rows.jsonl", range(BEFORE)))
        cluster.kill(next(name for name in NAMES if name != cluster.manager()))
        with Index.open(index.spec, Connection(cluster.urls, retries=2)) as hasty:
            with pytest.raises(EngineError, match="search of 'cluster-red'.*1 of 3 shards"):
                hasty.search(vector=VECTORS[0], plan="exact")
            with pytest.raises(EngineError, match="count of 'cluster-red'.*1 of 3 shards"):
                hasty.count()
        with ThreadPoolExecutor(1) as starter:
            started = starter.submit(cluster.start)
            patient = Connection(cluster.urls, timeout=300, retries=200)
            with Index.open(index.spec, patient) as waiting:
                assert waiting.count() == BEFORE
            started.result()


def documents(cluster: Cluster, index: Index) -> dict[str, int]:
    """Documents of the primaries, and of the replicas."""
    copies = cluster.copies(index.spec.index)
    return {
        kind: sum(int(one["docs"]) for one in copies if one["prirep"] == kind)
        for kind in ("p", "r")
    }


def scroll(index: Index, cluster: Cluster) -> Iterator[dict]:
    """Yield every document with its vectors, in pages, as exports read them."""
    body: dict = {"size": 500, "sort": ["_doc"]}
    if cluster.engine == "elasticsearch" and index.engine.capabilities.version >= (9, 2):
        body["_source"] = {"exclude_vectors": False}
    answer = send(index, "POST", f"/{index.spec.index}/_search?scroll=1m", body)
    while answer["hits"]["hits"]:
        yield from answer["hits"]["hits"]
        body = {"scroll": "1m", "scroll_id": answer["_scroll_id"]}
        answer = send(index, "POST", "/_search/scroll", body)
    send(index, "DELETE", "/_search/scroll", {"scroll_id": answer["_scroll_id"]})


def send(index: Index, method: str, path: str, body: dict | bytes | None = None) -> dict:
    return index.engine.perform(Call("send", method, path, lambda answer: answer.body, body=body))


# --- vectors and codes after an update of the price alone

KEPT = 500


def update_prices(index: Index, numbers: range) -> None:
    lines = [x for n in numbers for x in ({"update": {"_id": f"p{n}"}}, {"doc": {"price": -1}})]
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    items = index.engine.bulk(index.spec.index, body)
    assert [item.reason for item in items] == [None] * len(numbers)


def scores(index: Index) -> dict[str, list[float]]:
    return {
        f"{name} {row}": [
            hit.score for hit in index.search(vector=VECTORS[row], plan=plan, size=20).hits
        ]
        for name, plan in PLANS.items()
        for row in range(5)
    }


def fields(index: Index, cluster: Cluster) -> dict[str, dict]:
    """Vectors and codes of every document, as an export reads them."""
    return {
        hit["_id"]: {
            name: value for name, value in hit["_source"].items() if name.startswith("embedding")
        }
        for hit in scroll(index, cluster)
    }


def by_files(cluster: Cluster, index: Index) -> None:
    """The replica gets the segments of the primary."""
    update_prices(index, range(KEPT))
    send(index, "PUT", f"/{index.spec.index}/_settings", {"index.number_of_replicas": 1})


def by_operations(cluster: Cluster, index: Index) -> None:
    """The replica is away for a while, and gets what it missed, operation by operation."""
    update_prices(index, range(0, KEPT, 2))
    cluster.kill(cluster.holder(index.spec.index, "r"))
    update_prices(index, range(1, KEPT, 2))
    cluster.start()


@pytest.mark.parametrize(("recover", "replicas"), [(by_files, 0), (by_operations, 1)])
def test_a_replica_that_takes_over_has_vectors_and_codes(
    cluster: Cluster, book: Path, tmp_path: Path, monkeypatch, recover, replicas: int
):
    monkeypatch.chdir(tmp_path)
    name = f"kept-{recover.__name__.replace('_', '-')}"
    with an_index(cluster, book, name, shards=1, replicas=replicas, delay="10m") as index:
        assert index.ingest(write(tmp_path / "rows.jsonl", range(KEPT))).indexed == KEPT
        cluster.wait_until_green(nodes=3)
        before, kept = scores(index), fields(index, cluster)
        assert {len(one) for one in kept.values()} == {4}  # the vector, its prefix, codes, codebook
        recover(cluster, index)
        cluster.wait_until_green(nodes=3)
        print(f"\n{cluster.engine}: {cluster.recovered(index.spec.index)}")  # noqa: T201
        assert bool(cluster.recovered(index.spec.index)["files"]) is (recover is by_files)
        replica = cluster.holder(index.spec.index, "r")
        cluster.kill(cluster.holder(index.spec.index, "p"))
        index.engine.refresh(index.spec.index)
        assert cluster.holder(index.spec.index, "p") == replica
        assert index.count("price = -1") == KEPT
        assert scores(index) == {name: pytest.approx(one) for name, one in before.items()}
        assert fields(index, cluster) == kept
