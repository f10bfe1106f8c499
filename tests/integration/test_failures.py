"""Real engines that restart, hang or break connections during searches: asked again, then one clear error."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from kokeshi import EmbeddedEngine
from kokeshi.connect import connect, connect_async
from kokeshi.engines import Connection, calls
from kokeshi.errors import EmbeddedError, EngineError
from tests.relay import relay
from tests.servers import closed_port, limit

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

INDEX = "failures"
SEARCH = calls.search(INDEX, {"size": 3, "sort": ["n"]})
EXPECTED = ["0", "1", "2"]


def fill(url: str) -> None:
    lines = [
        line for number in range(20) for line in ({"index": {"_id": str(number)}}, {"n": number})
    ]
    with connect(Connection(url)) as engine:
        engine.delete_index(INDEX)
        engine.create_index(INDEX, {"mappings": {"properties": {"n": {"type": "integer"}}}})
        engine.bulk(INDEX, b"\n".join([*map(orjson.dumps, lines), b""]))
        engine.refresh(INDEX)


def ids(answer: dict) -> list[str]:
    return [hit["_id"] for hit in answer["hits"]["hits"]]


@contextmanager
def breaking(url: str, *, every: int) -> Iterator[str]:
    """Stand before an engine and reset the connection at every so many searches."""
    with relay(url, lambda n: "pass" if n % every else "reset", of="_search") as address:
        yield address


class TestBrokenConnections:
    @pytest.fixture
    def broken(self, engine_url: str) -> Iterator[str]:
        fill(engine_url)
        with breaking(engine_url, every=5) as url:
            yield url

    def test_threads_get_every_answer(self, broken: str):
        with connect(Connection(broken)) as engine, ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: ids(engine.perform(SEARCH)), range(60)))
        assert found == [EXPECTED] * 60

    def test_tasks_get_every_answer(self, broken: str):
        async def run() -> list[dict]:
            async with connect_async(Connection(broken)) as engine:
                return [await engine.perform(SEARCH) for _ in range(30)]

        assert [ids(answer) for answer in asyncio.run(run())] == [EXPECTED] * 30


def test_where_every_search_breaks_it_is_one_error(engine_url: str):
    fill(engine_url)
    with (
        breaking(engine_url, every=1) as url,
        connect(Connection(url, retries=2)) as engine,
        pytest.raises(EngineError, match=r"closed without an answer, tried 4 times in \d+\.\d s"),
    ):
        engine.perform(SEARCH)


@pytest.fixture(scope="module")
def own_engine() -> Iterator[EmbeddedEngine]:
    """An engine that these tests may stop."""
    home = Path(tempfile.mkdtemp(prefix="kokeshi-failures-"))
    home.chmod(0o755)
    engine = EmbeddedEngine(home / "engine", port=closed_port(), heap="512m")
    try:
        fill(engine.start())
    except EmbeddedError as error:
        pytest.skip(f"no engine: {error}")
    yield engine
    engine.stop()
    shutil.rmtree(home, ignore_errors=True)


class TestRestart:
    def test_searches_outlast_a_restart(self, own_engine: EmbeddedEngine):
        url = own_engine.start()
        patient = Connection(url, timeout=240, retries=200)  # the start may take a minute and more
        with connect(patient) as engine, ThreadPoolExecutor(2) as pool:
            assert ids(engine.perform(SEARCH)) == EXPECTED
            own_engine.stop()
            waiting = [pool.submit(engine.perform, SEARCH) for _ in range(2)]
            assert own_engine.start() == url
            assert [ids(one.result()) for one in waiting] == [EXPECTED] * 2

    def test_an_engine_that_hangs_ends_in_one_error_and_is_used_again(
        self, own_engine: EmbeddedEngine
    ):
        url = own_engine.start()
        pid = own_engine.status().pid
        with connect(Connection(url)) as engine:
            assert ids(engine.perform(SEARCH)) == EXPECTED
            limit(engine, 2)
            os.kill(pid, signal.SIGSTOP)
            try:
                with pytest.raises(EngineError, match="no answer within 2 s; is it busy"):
                    engine.perform(SEARCH)
            finally:
                os.kill(pid, signal.SIGCONT)
            limit(engine, 60)
            assert ids(engine.perform(SEARCH)) == EXPECTED
