"""Ingest of a Ray Dataset by a real, local Ray: the same as an ingest of the file, on each engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest

from kokeshi import Connection, Index
from kokeshi.encoders import Record
from kokeshi.errors import EncoderError
from kokeshi.ingest import IngestReport, Pacing, Source
from kokeshi.schema import IndexSpec, Rescore, SearchPlan, parse_spec
from tests.servers import closed_port

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,  # Ray takes half a minute to start
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

COUNT = 3_000
VECTORS = np.random.default_rng(0).normal(size=(COUNT + 4, 4)).astype(np.float32)
SPEC = """
index: {name}
text: [title]
metadata: {{price: float, released: date}}
vectors:
  words: {{encoder: wordllama, source: "{{title}}", dimension: 256}}
  given: {{encoder: {{name: precomputed, column: vec}}, dimension: 4}}
"""


def row(number: int, **fields: object) -> dict[str, object]:
    title = (
        f"{('red', 'blue', 'black')[number % 3]} shoe for {number % 97} seasons, number {number}"
    )
    document = {"id": f"p{number}", "title": title, "price": number / 8, "released": "2024-01-31"}
    return document | {"vec": VECTORS[number].tolist(), **fields}


DOCUMENTS = [
    *(row(number) for number in range(COUNT)),
    *(row(number) for number in range(0, COUNT, 500)),  # the same again
    row(COUNT, released="yesterday"),
    row(COUNT + 1, vec=[1.0]),
    row(COUNT + 2, id=None),
    row(COUNT + 3, title=None),
]


@pytest.fixture(scope="module")
def ray_data() -> Iterator[object]:
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    patch.setenv("KOKESHI_EMBEDDING_CACHE", "off")
    pytest.importorskip("ray")
    import ray
    import ray.data

    options = {"include_dashboard": False, "log_to_driver": False, "configure_logging": False}
    ray.init("local", num_cpus=2, object_store_memory=200 * 2**20, **options)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray.data
    ray.shutdown()
    patch.undo()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(map(orjson.dumps, DOCUMENTS)))
    return tmp_path


def spec_of(name: str) -> IndexSpec:
    return parse_spec(SPEC.format(name=f"{name}-{os.getpid()}"))


@pytest.fixture
def indices(engine_url: str) -> Iterator[tuple[Index, Index]]:
    """Two empty indices of one spec."""
    with (
        Index.open(spec_of("ray-by-file"), Connection(engine_url)) as one,
        Index.open(spec_of("ray-by-ray"), Connection(engine_url)) as other,
    ):
        for index in (one, other):
            index.engine.delete_index(index.spec.index)
        yield one, other
        for index in (one, other):
            index.engine.delete_index(index.spec.index)


COUNTS = ("read", "indexed", "failed", "duplicates", "without_vector")


def counts(report: IngestReport) -> dict[str, int]:
    return {name: getattr(report, name) for name in COUNTS}


def letters(path: str) -> set[tuple[str | None, str]]:
    found = map(orjson.loads, Path(path).read_bytes().splitlines())
    return {(one["id"], one["reason"]) for one in found}


def test_a_dataset_is_ingested_as_its_file_is(ray_data, indices, folder: Path):
    by_file, by_ray = indices
    seen = []
    expected = by_file.ingest("in.jsonl")
    dataset = ray_data.from_items(DOCUMENTS, override_num_blocks=4)
    report = by_ray.ingest_dataset(
        dataset, concurrency=1, batch_size=200, pacing=Pacing(100_000), on_progress=seen.append
    )
    assert counts(report) == counts(expected)
    assert counts(report) == {
        "read": len(DOCUMENTS),
        "indexed": len(DOCUMENTS) - 3,
        "failed": 3,
        "duplicates": 6,
        "without_vector": 1,
    }
    assert seen[-1].indexed == report.indexed
    assert by_ray.count() == by_file.count() == COUNT + 1
    assert report.failures_file == "dataset.failures.jsonl"
    assert letters("dataset.failures.jsonl") == letters("in.failures.jsonl")
    check_same(by_file, by_ray)
    assert counts(by_ray.retry_failures("dataset.failures.jsonl"))["failed"] == 3


def check_same(one: Index, other: Index) -> None:
    """Every document is in both, and every vector is where the other's is."""
    assert read_all(one) == read_all(other)
    rng = np.random.default_rng(1)
    for name, vector in one.spec.vectors.items():
        for query in rng.normal(size=(10, vector.dimension)):
            found = search(one, name, query)
            assert len(found) == 50
            assert search(other, name, query) == found


def search(index: Index, name: str, query: np.ndarray) -> dict[str, float]:
    plan = SearchPlan(rescore=Rescore(vector=name))
    hits = index.search(vector=query, plan=plan, size=50, fields=()).hits
    return {hit.id: round(hit.score, 5) for hit in hits}


def read_all(index: Index) -> dict[str, dict]:
    body = {"size": 5_000, "_source": ["title", "price", "released"], "sort": [{"id": "asc"}]}
    return {
        hit["_id"]: {name: value for name, value in hit["_source"].items() if value is not None}
        for hit in index.engine.search(index.spec.index, body)["hits"]["hits"]
    }


def test_what_ends_the_work_of_an_actor_is_raised_as_it_is(ray_data, engine_url: str, folder: Path):
    encoder = {"name": "http", "url": f"http://127.0.0.1:{closed_port()}/v1", "model": "m"}
    encoder |= {"retries": 0, "key_variable": None}
    vector = {"encoder": encoder, "source": "{title}", "dimension": 4}
    spec = IndexSpec.model_validate({"index": f"ray-error-{os.getpid()}", "vectors": {"v": vector}})
    records = [one.fields for one in Source("in.jsonl") if isinstance(one, Record)]
    with Index.open(spec, Connection(engine_url)) as index:
        try:
            with pytest.raises(EncoderError, match="127.0.0.1.*refused"):
                index.ingest_dataset(ray_data.from_items(records[:100]))
        finally:
            index.engine.delete_index(index.spec.index)
