"""Shards as processes: started at once on an engine without the index, one of them killed and run again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from kokeshi import Connection, Index
from kokeshi.cli.main import app
from kokeshi.errors import InputError
from kokeshi.ingest.checkpoint import load_checkpoint
from kokeshi.schema import parse_spec

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

COUNT = 6_000
SHARDS = 3
SPEC = """
index: {name}
metadata: {{price: float}}
vectors:
  v: {{encoder: {{name: precomputed, column: vec}}, dimension: 2}}
"""
STAYING = """
import pathlib, time
from kokeshi import Connection, Index
from kokeshi.ingest import Pacing, Shard, checkpoint
checkpoint.EVERY_S = 0.0
written = pathlib.Path("in.2-of-{shards}.checkpoint.json")
def stay(_):
    while written.exists(): time.sleep(0.05)
with Index.open("kokeshi.yaml", Connection({url!r})) as index:
    index.ingest("in.jsonl", shard=Shard(2, {shards}), pacing=Pacing(8_000), on_progress=stay)
"""
"""Ingests until its first checkpoint, and then does not end before it is killed."""


@pytest.fixture
def index(engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.chdir(tmp_path)
    text = SPEC.format(name=f"ingest-shards-{os.getpid()}")
    Path("kokeshi.yaml").write_text(text)
    lines: list[object] = [{"id": f"p{n}", "price": n, "vec": [1.0, n + 1.0]} for n in range(COUNT)]
    lines += [{"id": f"p{n}", "price": -n, "vec": [1.0, 1.0]} for n in range(0, COUNT, 100)]
    lines += ["no document", {"price": 1}, {"id": "bad", "price": "much", "vec": [1.0, 1.0]}]
    Path("in.jsonl").write_bytes(b"\n".join(map(orjson.dumps, lines)))
    with Index.open(parse_spec(text), Connection(engine_url)) as opened:
        opened.engine.delete_index(opened.spec.index)
        yield opened
        opened.engine.delete_index(opened.spec.index)


def start(url: str, shard: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-c",
        "from kokeshi.cli.main import run; run()",
        "ingest",
        "in.jsonl",
    ]
    options = ["--shard", f"{shard}/{SHARDS}", "--url", url, "--json"]
    return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> dict:
    said, problem = process.communicate()
    assert said, problem.decode()
    return orjson.loads(said)


def check(index: Index, reports: list[dict]) -> None:
    """Everything is there once, as in the last line of its id; what failed is kept once."""
    expected = {f"p{n}": float(n) for n in range(COUNT)}
    expected |= {f"p{n}": float(-n) for n in range(0, COUNT, 100)}
    body = {"size": 10_000, "_source": ["price"]}
    hits = index.engine.search(index.spec.index, body)["hits"]["hits"]
    assert {hit["_id"]: hit["_source"]["price"] for hit in hits} == expected
    assert len(hits) == COUNT
    assert sum(one["read"] for one in reports) == COUNT + COUNT // 100 + 3
    assert sum(one["indexed"] for one in reports) == COUNT + COUNT // 100
    letters = [
        orjson.loads(line)["id"]
        for path in Path().glob("in.*-of-3.failures.jsonl")
        for line in path.read_bytes().splitlines()
    ]
    assert sorted(map(str, letters)) == ["None", "None", "bad"]
    assert not list(Path().glob("*.checkpoint.json"))


def test_shards_that_start_at_once_ingest_everything_once(index: Index, engine_url: str):
    processes = [start(engine_url, shard) for shard in range(1, SHARDS + 1)]
    check(index, [finish(process) for process in processes])


@pytest.mark.slow
def test_a_shard_that_was_killed_goes_on_beside_the_others(index: Index, engine_url: str):
    code = STAYING.format(url=engine_url, shards=SHARDS)
    killed = subprocess.Popen([sys.executable, "-c", code])
    others = [start(engine_url, shard) for shard in (1, 3)]
    path = Path("in.2-of-3.checkpoint.json")
    while killed.poll() is None and load_checkpoint(path) is None:
        time.sleep(0.01)
    killed.kill()
    assert killed.wait() < 0, "it ended before it could be killed"
    reports = [finish(process) for process in others]
    again = finish(start(engine_url, 2))
    assert again["resumed"] > 0
    check(index, [*reports, again])


def run(url: str, *words: str) -> Any:
    return CliRunner().invoke(app, [*words, "--url", url])


def test_the_command_line_makes_the_index_first(index: Index, engine_url: str):
    name = index.spec.index
    assert f"'{name}' is created." in run(engine_url, "mapping", "create").stdout
    assert f"'{name}' is there already." in run(engine_url, "mapping", "create").stdout
    for shard in ("1/2", "2/2"):
        run(engine_url, "ingest", "in.jsonl", "--shard", shard)
    assert index.count() == COUNT
    assert orjson.loads(run(engine_url, "mapping", "create", "--recreate", "--json").stdout) == {
        "index": name,
        "created": True,
    }
    assert index.count() == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["in.jsonl", "--shard", "0/4"], "shard 0/4: there is none"),
        (["in.jsonl", "--shard", "a/b"], "shard 'a/b' is not i/n"),
        (["in.jsonl", "--shard", "1/4", "--recreate"], "would delete what the other shards"),
        (["--retry-dead-letters", "in.jsonl", "--shard", "1/4"], "--shard goes with FILE"),
    ],
)
def test_what_a_shard_cannot_do_is_refused(
    index: Index, engine_url: str, words: list[str], reason: str
):
    result = run(engine_url, "ingest", *words)
    assert isinstance(result.exception, InputError)
    assert reason in str(result.exception)
    assert not index.exists()
