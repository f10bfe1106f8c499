"""Ingest under faults: each document ends indexed, once and current, or among the dead letters."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from kokeshi import EmbeddedEngine, Index
from kokeshi.engines import Connection
from kokeshi.engines.calls import Call
from kokeshi.errors import EmbeddedError, EngineError
from kokeshi.ingest import Pacing, sending
from kokeshi.ingest.checkpoint import load_checkpoint
from kokeshi.schema import IndexSpec, parse_spec
from tests.conftest import a_home
from tests.engines import SERVERS
from tests.relay import Fate, relay
from tests.servers import closed_port

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]

COUNT = 4_000
SPEC = """
index: {name}
text: [title]
metadata: {{price: float, brand: keyword, released: date}}
vectors:
  v: {{encoder: {{name: precomputed, column: vec}}, dimension: 4}}
settings: {{refresh_interval: "-1"}}
"""
SMALL = Pacing(20_000)
"""Many small requests, so that there are many moments at which something can fail."""

POISON = {
    "too few numbers": {"vec": [1, 2]},
    "no vector": {"vec": None},
    "beyond float32": {"vec": [1e300, 1, 1, 1]},
    "no price": {"price": "NaN"},
    "long keyword": {"brand": "x" * 40_000},
    "bad date": {"released": "yesterday"},
}


def row(number: int, version: int = 1, **fields: object) -> dict[str, object]:
    document = {"id": f"p{number}", "title": f"shoe {number}", "price": version}
    return document | {"vec": [number + 1, version, 0.5, -1], **fields}


def source_lines(count: int) -> list[dict[str, object] | str]:
    """Documents of which some cannot be indexed, and some are there again, further down, as version 2."""
    lines: list[dict[str, object] | str] = [row(number) for number in range(count)]
    for number, fields in enumerate(POISON.values()):
        lines.insert(50 + number * count // 10, row(count + number, **fields))
    lines.insert(count // 3, "no document")
    lines.insert(count // 2, orjson.dumps(row(count + 51)).decode().replace("0.5", "NaN"))
    lines.insert(count // 4, row(count + 50, title="word " * 2_000_000))  # 10 MB
    return lines + [row(number, 2) for number in range(0, count, 97)]


def write(path: Path, lines: list[dict[str, object] | str]) -> None:
    encoded = (line.encode() if isinstance(line, str) else orjson.dumps(line) for line in lines)
    path.write_bytes(b"\n".join(encoded))


def search_after(index: Index) -> Iterator[dict]:
    """Yield every document of an index, in pages."""
    after: list = []
    while True:
        body = {"size": 2_000, "sort": [{"id": "asc"}], "_source": ["id", "price"]}
        hits = index.engine.search(index.spec.index, body | after_key(after))["hits"]["hits"]
        yield from hits
        if not hits:
            return
        after = hits[-1]["sort"]


def after_key(after: list) -> dict:
    return {"search_after": after} if after else {}


def check(index: Index, folder: Path, count: int) -> None:
    """Every line of the source is in the index, as its last version, or among the dead letters."""
    expected = {f"p{number}": 1.0 for number in range(count)} | {f"p{count + 50}": 1.0}
    expected |= {f"p{number}": 2.0 for number in range(0, count, 97)}
    hits = list(search_after(index))
    assert {hit["_id"]: hit["_source"]["price"] for hit in hits} == expected
    assert len(hits) == len(expected)
    letters = [
        orjson.loads(line) for line in (folder / "in.failures.jsonl").read_bytes().splitlines()
    ]
    failed = [letter["id"] for letter in letters]
    assert sorted(map(str, failed)) == sorted(
        ["None", "None", *(f"p{count + number}" for number in range(len(POISON)))]
    )
    assert all(letter["reason"] for letter in letters)
    assert not (folder / "in.checkpoint.json").exists()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in.jsonl", source_lines(COUNT))
    return tmp_path


@contextmanager
def an_index(url: str, spec: IndexSpec) -> Iterator[Index]:
    with Index.open(spec, Connection(url)) as index:
        index.engine.delete_index(spec.index)
        yield index
        index.engine.delete_index(spec.index)


@pytest.fixture
def index(engine_url: str, folder: Path) -> Iterator[Index]:
    text = SPEC.format(name=f"ingest-faults-{os.getpid()}")
    (folder / "kokeshi.yaml").write_text(text)
    with an_index(engine_url, parse_spec(text)) as opened:
        yield opened


def test_poison_ends_among_the_dead_letters_with_its_reason(index: Index, folder: Path):
    report = index.ingest("in.jsonl")
    lines = len(source_lines(COUNT))
    assert (report.read, report.indexed + report.failed) == (lines, lines)
    assert (report.failed, report.duplicates) == (len(POISON) + 2, len(range(0, COUNT, 97)))
    check(index, folder, COUNT)
    letters = map(orjson.loads, (folder / "in.failures.jsonl").read_bytes().splitlines())
    reasons = {letter["id"]: letter["reason"] for letter in letters}
    for number, words in enumerate(
        (
            "needs 4 numbers in column 'vec', found 2",
            "needs 4 numbers in column 'vec', found None",
            "NaN or infinite",
            "field 'price' must be float",
            "immense term",
            "failed to parse field [released]",
        )
    ):
        assert words in reasons[f"p{COUNT + number}"]
    assert reasons[None].startswith("not JSON")


def test_dead_letters_that_were_corrected_are_indexed(index: Index, folder: Path):
    index.ingest("in.jsonl")
    path = folder / "in.failures.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"yesterday"', b'"2024-01-31"'))
    report = index.retry_failures(path)
    assert (report.indexed, report.failed) == (1, len(POISON) + 1)
    assert b"2024-01-31" not in path.read_bytes()
    assert index.count() == COUNT + 2


# --- the client is killed


def start_client(url: str, *, batch_mb: str = "0.01", first: str = "") -> subprocess.Popen:
    """Start the command. first: Python that its process runs before."""
    code = f"{first}from kokeshi.cli.main import run; run()"
    options = ["--batch-mb", batch_mb, "--connections", "2", "--url", url]
    return subprocess.Popen(
        [sys.executable, "-c", code, "ingest", "in.jsonl", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


EAGER = "from kokeshi.ingest import checkpoint; checkpoint.EVERY_S = 0.0; "
"""Writes a checkpoint whenever there is something to write."""


def kill_when(url: str, is_time: Callable[[], bool]) -> None:
    """Kill a client at its time. What it sends from then on waits, so that it cannot end before."""
    killed = threading.Event()

    def decide(_: int) -> Fate:
        if is_time():
            killed.wait()
        return "slow"

    with relay(url, decide, of="_bulk") as address:
        client = start_client(address, first=EAGER)
        try:
            while client.poll() is None and not is_time():
                time.sleep(0.01)
        finally:
            client.kill()
            killed.set()
        _, problem = client.communicate()
    assert client.returncode == -signal.SIGKILL, f"it ended before it could be killed: {problem}"


def has_settled(rows: int) -> bool:
    found = load_checkpoint(Path("in.checkpoint.json"))
    return found is not None and found.position["row"] >= rows


@pytest.mark.parametrize("settled", [0, pytest.param(1, marks=pytest.mark.slow), 1_000])
def test_the_same_command_completes_what_a_killed_client_began(
    index: Index, engine_url: str, folder: Path, settled: int
):
    kill_when(engine_url, lambda: has_settled(settled) if settled else index.exists())
    client = start_client(engine_url, batch_mb="1")
    _, problem = client.communicate()
    assert client.returncode == 2, problem.decode()[-3000:]  # some documents are poison
    assert b"documents were not indexed" in problem
    check(index, folder, COUNT)


@pytest.mark.slow
def test_a_client_that_is_killed_twenty_times_completes(
    index: Index, engine_url: str, folder: Path
):
    rng = random.Random(7)
    killed = continued = 0
    while killed < 20:
        continued += has_settled(1)
        killed += is_killed_at(engine_url, request=rng.randint(1, 25), fate=rng.choice(FATES))
    assert continued >= 10
    client = start_client(engine_url, batch_mb="1")
    _, problem = client.communicate()
    assert client.returncode == 2, problem.decode()[-3000:]  # some documents are poison
    check(index, folder, COUNT)


FATES: tuple[Fate, ...] = ("reset", "lost", "slow")
"""Of the request at which a client is killed: before the engine gets it, before or while it answers."""


def is_killed_at(url: str, *, request: int, fate: Fate) -> bool:
    """Kill a client at a request, if it sends so many."""
    started: list[subprocess.Popen] = []

    def decide(number: int) -> Fate:
        if number == request:
            started[0].kill()
        return fate if number >= request else "slow"

    with relay(url, decide, of="_bulk") as address:
        started.append(start_client(address, first=EAGER))
        started[0].communicate()
    return started[0].returncode == -signal.SIGKILL


# --- the engine is busy, blocked, cut off or killed


@pytest.mark.parametrize("what", ["busy", pytest.param("reset", marks=pytest.mark.slow), "lost"])
def test_storms_and_broken_connections_lose_nothing(
    index: Index, engine_url: str, folder: Path, what: str, monkeypatch
):
    monkeypatch.setattr(sending, "FIRST_WAIT_S", 0.005)
    rng = random.Random(3)
    with (
        relay(engine_url, lambda _: what if rng.random() < 0.4 else "pass", of="_bulk") as url,
        Index.open(index.spec, Connection(url)) as stormy,
    ):
        report = stormy.ingest("in.jsonl", pacing=SMALL)
    lines = len(source_lines(COUNT))
    assert (report.read, report.indexed) == (lines, lines - len(POISON) - 2)
    check(index, folder, COUNT)


FLOOD = "read_only_allow_delete"
"""The block that the engine sets at its flood stage, when the disk is nearly full."""


def block(index: Index, name: str = FLOOD, *, on: bool) -> None:
    body = {f"index.blocks.{name}": True if on else None}
    path = f"/{index.spec.index}/_settings"
    index.engine.perform(Call("block", "PUT", path, lambda _: None, body=body))


@pytest.mark.parametrize("name", [FLOOD, "write"])
def test_a_block_that_ends_is_waited_for(index: Index, folder: Path, name: str):
    index.create()
    block(index, name, on=True)
    release = threading.Timer(1, block, (index, name), {"on": False})
    release.start()
    index.ingest("in.jsonl", pacing=SMALL)
    release.join()
    check(index, folder, COUNT)


def test_a_flood_stage_block_that_stays_ends_the_ingest_which_goes_on_later(
    index: Index, folder: Path, monkeypatch
):
    monkeypatch.setattr("kokeshi.ingest.checkpoint.EVERY_S", 0.0)
    monkeypatch.setattr(sending, "LONGEST_WAIT_S", 0.02)

    def fill_the_disk(progress) -> None:
        if progress.indexed >= 1_500 and not full.is_set():
            block(index, on=True)
            full.set()

    def keep_full() -> None:  # the engine lifts the block when it next sees that there is room
        full.wait()
        while not ended.wait(0.02):
            block(index, on=True)

    full, ended = threading.Event(), threading.Event()
    keeper = threading.Thread(target=keep_full)
    keeper.start()
    try:
        with pytest.raises(EngineError, match="read-only"):
            index.ingest("in.jsonl", pacing=SMALL, on_progress=fill_the_disk)
    finally:
        full.set()
        ended.set()
        keeper.join()
    block(index, on=False)
    assert index.ingest("in.jsonl").resumed > 0
    check(index, folder, COUNT)


@pytest.mark.parametrize("direction", [1, pytest.param(-1, marks=pytest.mark.slow)])
def test_a_clock_that_jumps_loses_nothing(
    index: Index, engine_url: str, folder: Path, direction: int, monkeypatch
):
    monkeypatch.setattr(sending, "FIRST_WAIT_S", 0.005)
    rng = random.Random(5)
    now = [0.0]

    def clock() -> float:
        now[0] += rng.choice((0.01, direction * 1e6))
        return now[0]

    with (
        relay(
            engine_url, lambda _: "busy" if rng.random() < 0.3 else "pass", of="_bulk"
        ) as url,  # so that it jumps between tries too
        Index.open(index.spec, Connection(url)) as stormy,
    ):
        stormy.ingest("in.jsonl", pacing=Pacing(SMALL.batch_bytes, clock=clock))
    assert abs(now[0]) > 1e7
    check(index, folder, COUNT)


@contextmanager
def an_own_engine(kind: str) -> Iterator[EmbeddedEngine]:
    """Start an engine that the test may kill and configure."""
    with a_home() as home:
        engine = EmbeddedEngine(home / "engine", engine=kind, port=closed_port(), heap="512m")
        try:
            try:
                engine.start()
            except EmbeddedError as error:
                pytest.skip(f"no engine: {error}")
            yield engine
        finally:
            engine.stop()


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
def test_the_flood_stage_of_the_engine_itself_is_waited_for(kind: str, folder: Path, caplog):
    def fill_the_disk(progress) -> None:
        if progress.indexed >= COUNT // 4 and not filled:
            filled.append(True)
            set_watermarks(index, "900tb")
            wait_until(lambda: is_blocked(index))
            threading.Timer(2, set_watermarks, (index, None)).start()

    filled: list[bool] = []
    with (
        an_own_engine(kind) as engine,
        Index.open(parse_spec(SPEC.format(name="flooded")), engine.start()) as index,
    ):
        index.ingest("in.jsonl", pacing=SMALL, on_progress=fill_the_disk)
        assert filled
        assert "disk usage exceeded flood-stage watermark" in caplog.text
        assert not is_blocked(index)
        check(index, folder, COUNT)


def set_watermarks(index: Index, free: str | None) -> None:
    """Set how much of the disk must be free; None is what the engine was started with."""
    disk = {f"disk.watermark.{name}": free for name in ("low", "high", "flood_stage")}
    body = {"persistent": {f"cluster.routing.allocation.{name}": v for name, v in disk.items()}}
    body["persistent"]["cluster.info.update.interval"] = "10s"
    index.engine.perform(
        Call("set_watermarks", "PUT", "/_cluster/settings", lambda _: None, body=body)
    )


def is_blocked(index: Index) -> bool:
    path = f"/{index.spec.index}/_settings?flat_settings=true"
    (found,) = index.engine.perform(Call("settings", "GET", path, lambda a: a.body)).values()
    return "index.blocks.read_only_allow_delete" in found["settings"]


def wait_until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # the time limit of the test ends it
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
def test_an_engine_that_is_killed_and_started_again_loses_nothing(kind: str, folder: Path):
    restarted: list[Future[str]] = []

    def kill(progress) -> None:
        if progress.indexed >= COUNT // 2 and not restarted:
            os.kill(pid, signal.SIGKILL)
            restarted.append(starter.submit(engine.start))

    with (
        an_own_engine(kind) as engine,
        ThreadPoolExecutor(1) as starter,
        Index.open(parse_spec(SPEC.format(name="killed")), engine.start()) as index,
    ):
        pid = engine.status().pid  # under load it may not answer in time to say it
        index.ingest("in.jsonl", pacing=SMALL, on_progress=kill)
        restarted[0].result()
        check(index, folder, COUNT)
