"""A price-only update, then the engine killed and started again: vectors and codes are as they were."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest

from kokeshi import EmbeddedEngine, Index
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.embedded.process import process_identity, wait_until_gone
from kokeshi.schema import SearchPlan, parse_spec
from tests.conftest import a_home
from tests.engines import SERVERS

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]

COUNT = 500
VECTORS = np.random.default_rng(11).normal(size=(COUNT, 16)).astype(np.float32)
SPEC = """
index: kept-over-restart
metadata: {{price: float}}
vectors:
  embedding:
    encoder: {{name: precomputed, column: vec}}
    dimension: 16
    codes: {{codebook: {path}, subvectors: 4, codebook_size: 16, loss: plain}}
"""
# exact in what they find: a graph that is built again may find a few others
PLANS = {
    "exact": "exact",
    "scan": SearchPlan.model_validate({"scan": {"k": 50, "exact_below": 0}}),
}


@pytest.fixture(params=SERVERS)
def embedded(request: pytest.FixtureRequest) -> Iterator[EmbeddedEngine]:
    with a_home() as home:
        engine = EmbeddedEngine(home / "engine", engine=request.param, heap="1g")
        engine.start()
        try:
            yield engine
        finally:
            engine.stop()


def fill(url: str, folder: Path) -> Index:
    words = np.random.default_rng(5).normal(size=(4, 16, 4)).astype(np.float32)
    quantizer = ProductQuantizer(4, 16).restore(words, 16)
    Codebook(quantizer, None, False, "cosine", "precomputed").save(folder / "book")
    rows = ({"id": f"p{n}", "price": n, "vec": v} for n, v in enumerate(VECTORS.tolist()))
    (folder / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    index = Index.open(parse_spec(SPEC.format(path=folder / "book")), url)
    assert index.ingest(folder / "rows.jsonl").indexed == COUNT
    return index


def found(index: Index) -> dict[str, list[float]]:
    return {
        f"{name}-{row}": [
            hit.score for hit in index.search(vector=VECTORS[row], plan=plan, size=50).hits
        ]
        for name, plan in PLANS.items()
        for row in range(5)
    }


def test_an_update_and_a_kill_leave_them_as_they_were(
    embedded: EmbeddedEngine, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status = embedded.status()
    assert status.url is not None
    index = fill(status.url, tmp_path)
    before = found(index)
    lines = [x for n in range(COUNT) for x in ({"update": {"_id": f"p{n}"}}, {"doc": {"price": 7}})]
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    assert [item.reason for item in index.engine.bulk(index.spec.index, body)] == [None] * COUNT
    assert status.pid is not None
    identity = process_identity(status.pid)
    os.kill(status.pid, signal.SIGKILL)
    assert identity is not None
    assert wait_until_gone(status.pid, identity, 30)
    embedded.stop()  # forgets the one that was killed
    index.close()
    with Index.open(index.spec, embedded.start()) as again:
        again.engine.refresh(again.spec.index)
        assert again.count("price = 7") == COUNT
        assert found(again) == {name: pytest.approx(scores) for name, scores in before.items()}
