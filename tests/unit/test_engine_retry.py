"""Servers that restart, hang up, are busy or slow: tried again within the deadline, then one clear error."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace

import orjson
import pytest

from kokeshi.engines import Connection, calls, retry
from kokeshi.engines.http import AsyncHttpEngine, HttpEngine
from kokeshi.engines.nodes import Nodes
from kokeshi.engines.requests import RequestBuilder
from kokeshi.engines.transport import Reply, TransportError
from kokeshi.errors import EngineError
from tests.servers import (
    ELASTICSEARCH,
    EMPTY,
    OPENSEARCH,
    closed_port,
    fixed,
    limit,
    read_request,
    reply,
    serving,
    speaking,
    url_of,
)

SEARCH = calls.search("a", {})
CREATE = calls.create_index("a", {})
ANSWER = OPENSEARCH | EMPTY


class Client:
    """Either engine, driven from a test that does not wait for anything else."""

    def __init__(self, connection: Connection, *, threads: bool) -> None:
        self._loop = None if threads else asyncio.new_event_loop()
        self._engine = HttpEngine(connection) if threads else AsyncHttpEngine(connection)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._loop:
            self._loop.close()

    def perform(self, call: calls.Call) -> object:
        done = self._engine.perform(call)
        return self._loop.run_until_complete(done) if self._loop else done

    def limit(self, seconds: float) -> None:
        limit(self._engine, seconds)

    def close(self) -> None:
        done = self._engine.close()
        if self._loop:
            self._loop.run_until_complete(done)


@pytest.fixture(params=["threads", "asyncio"])
def client(request) -> Callable[..., Client]:
    """Open a client; it is closed at the end, and nothing of it may be left then."""
    with ExitStack() as stack:

        def build(url: str | list[str], **options: object) -> Client:
            threads = request.param == "threads"
            return stack.enter_context(Client(Connection(url, **options), threads=threads))

        yield build
    gc.collect()  # what was left open warns now, and warnings are errors


class TestAway:
    def test_an_engine_that_restarts_is_waited_for(self, client):
        back = threading.Event()

        def restart(port: int) -> None:
            with serving(fixed(200, ANSWER), port=port):
                back.wait(60)

        with serving(fixed(200, ANSWER), port=closed_port()) as server:
            asking = client(url_of(server))
            asking.perform(SEARCH)
            port = server.server_port
        later = threading.Timer(0.5, restart, [port])
        later.start()
        assert asking.perform(SEARCH) == ANSWER
        assert asking.perform(CREATE) is None
        back.set()
        later.join()

    def test_one_that_stays_away_ends_in_one_error(self, client):
        with serving(fixed(200, ANSWER)) as server:
            asking = client(url_of(server))
            asking.perform(SEARCH)
        asking.limit(2)
        tried = r"engine not reachable \(connection refused, tried \d+ times in \d+\.\d s\)"
        with pytest.raises(EngineError, match=tried):
            asking.perform(SEARCH)

    def test_one_that_never_answered_is_tried_briefly(self, client):
        with pytest.raises(EngineError, match=r"tried 4 times in \d+\.\d s\); check the address"):
            client(f"http://127.0.0.1:{closed_port()}").perform(SEARCH)

    def test_without_retries_it_is_tried_once(self, client):
        with pytest.raises(EngineError, match=r"not reachable \(connection refused\); check"):
            client(f"http://127.0.0.1:{closed_port()}", retries=0).perform(SEARCH)


def answering(times: int) -> Callable[[socket.socket, bytes], None]:
    """Answer so many requests of a connection, read one more, and hang up."""

    def talk(connection: socket.socket, request: bytes) -> None:
        for _ in range(times):
            if request:
                reply(connection, ANSWER)
                request = read_request(connection)

    return talk


def cutting(connection: socket.socket, request: bytes) -> None:
    """Answer who is there, and half of anything else."""
    while request.startswith(b"GET / "):
        reply(connection, OPENSEARCH)
        request = read_request(connection)
    if request:
        connection.sendall(b"HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\n{")


class TestHangingUp:
    def test_a_connection_closed_before_the_answer_is_opened_again(self, client):
        with speaking(answering(1), answering(1), answering(5)) as url:
            assert client(url).perform(SEARCH) == ANSWER

    @pytest.mark.parametrize("engine", ["opensearch", None])
    def test_an_answer_that_ends_too_early_is_asked_for_again(self, client, engine):
        with speaking(cutting, cutting, answering(5)) as url:
            assert client(url, engine=engine).perform(SEARCH) == ANSWER

    def test_what_may_have_been_done_is_not_done_twice(self, client):
        with speaking(answering(1), answering(1), answering(5)) as url:
            asking = client(url, engine="opensearch")
            with pytest.raises(EngineError, match=r"closed without an answer$"):
                asking.perform(CREATE)

    def test_in_the_end_it_is_one_error(self, client):
        with (
            speaking(cutting) as url,
            pytest.raises(
                EngineError, match=r"closed without an answer, tried 3 times in \d+\.\d s"
            ),
        ):
            client(url, retries=1).perform(SEARCH)


class Busy:
    """Refuses the first so many requests that are not `GET /`."""

    def __init__(self, times: int, status: int) -> None:
        self.left, self.status = times, status

    def __call__(self, _: str | None, path: str) -> tuple[int, bytes]:
        if path == "/" or self.left == 0:
            return 200, orjson.dumps(ANSWER)
        self.left -= 1
        return self.status, b'{"error": {"type": "busy", "reason": "later"}}'


class TestBusy:
    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_a_busy_engine_is_asked_again(self, client, status):
        with serving(Busy(2, status)) as server:
            assert client(url_of(server)).perform(SEARCH) == ANSWER

    @pytest.mark.parametrize("status", [429, 503])
    def test_a_busy_search_of_several_is_asked_again_with_the_others(self, client, status):
        error = {"error": {"type": "busy", "reason": "queue full"}, "status": status}
        answers = iter([[EMPTY, error], [EMPTY, EMPTY]])

        def respond(_: str | None, path: str) -> tuple[int, bytes]:
            answer = ANSWER if path == "/" else {"responses": next(answers)}
            return 200, orjson.dumps(answer)

        with serving(respond) as server:
            assert client(url_of(server)).perform(calls.msearch("a", [{}, {}])) == [EMPTY, EMPTY]

    def test_a_field_that_looks_like_a_status_is_none(self, client):
        hits = EMPTY | {"_source": {"status": 429}}
        with serving(fixed(200, ANSWER | {"responses": [hits]})) as server:
            assert client(url_of(server)).perform(calls.msearch("a", [{}])) == [hits]
            assert sum("msearch" in what for what, _, _ in server.seen) == 1

    def test_a_client_that_is_closed_meanwhile_says_so(self, client):
        with serving(Busy(99, 503)) as server:
            opened = client(url_of(server))
            closing = threading.Timer(0.3, lambda: setattr(opened._engine._link, "closed", True))
            closing.start()
            with pytest.raises(EngineError, match="this client was closed; open another one"):
                opened.perform(SEARCH)
            closing.join()

    @pytest.mark.parametrize(
        ("call", "status"), [(SEARCH, 500), (SEARCH, 400), (CREATE, 503), (CREATE, 429)]
    )
    def test_not_where_it_does_not_help_or_does_harm(self, client, call, status):
        with serving(Busy(1, status)) as server:
            with pytest.raises(EngineError, match="busy: later$") as caught:
                client(url_of(server)).perform(call)
            asked = [what for what, _, _ in server.seen if not what.endswith(" /")]
        assert len(asked) == 1
        assert caught.value.status == status

    def test_in_the_end_it_is_one_error_with_its_status(self, client):
        with (
            serving(Busy(99, 503)) as server,
            pytest.raises(
                EngineError, match=r"busy: later \(tried 3 times in \d+\.\d s\)"
            ) as caught,
        ):
            client(url_of(server), retries=2).perform(SEARCH)
        assert (caught.value.status, caught.value.retryable) == (503, True)

    def test_the_deadline_ends_it_too(self, client):
        busy = Busy(0, 429)
        with serving(busy) as server:
            asking = client(url_of(server))
            asking.perform(SEARCH)
            busy.left = 99
            asking.limit(2)
            with pytest.raises(EngineError, match=r"busy: later \(tried \d+ times in \d+\.\d s\)"):
                asking.perform(SEARCH)


class TestSlow:
    def test_a_slow_search_is_not_repeated(self, client):
        come, done = threading.Event(), threading.Event()

        def slow(_: str | None, path: str) -> tuple[int, bytes]:
            if "_search" in path:
                come.set()
                done.wait(60)
            return 200, orjson.dumps(ANSWER)

        with serving(slow) as server:
            asking = client(url_of(server))
            asking.perform(CREATE)
            asking.limit(0.4)
            with pytest.raises(EngineError, match="no answer within 0.4 s; is it busy"):
                asking.perform(SEARCH)
            assert come.wait(60)  # the server may be behind
            done.set()
            asked = [what for what, _, _ in server.seen if what.startswith("POST")]
        assert len(asked) == 1

    def test_an_answer_in_drops_does_not_outlive_the_deadline(self):
        def drip(connection: socket.socket, _: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 x\r\ncontent-length: 1000\r\n\r\n")
            for _ in range(50):
                connection.sendall(b" ")
                stopped.wait(0.1)

        stopped = threading.Event()
        with speaking(drip) as url, Client(Connection(url, timeout=0.5), threads=False) as asking:
            with pytest.raises(EngineError, match=r"no answer within 0\.5 s"):
                asking.perform(SEARCH)
            stopped.set()


class TestNodes:
    def test_after_the_deadline_no_other_node_is_asked(self, monkeypatch):
        now = [0.0]
        monkeypatch.setattr(retry, "time", SimpleNamespace(monotonic=lambda: now[0]))
        nodes = Nodes(3)
        for _ in range(3):
            nodes.settle(nodes.pick(), Reply(200, {}, b"{}"))
        builder = RequestBuilder(Connection("http://127.0.0.1:1"))
        steps = retry.Exchange(SEARCH, builder, nodes, timeout=60, retries=3).steps()
        assert next(steps).timeout == 60
        now[0] = 60.0
        with pytest.raises(StopIteration) as ended:
            steps.send(TransportError("timeout", "timed out"))
        assert ended.value.value.times == 1

    @pytest.mark.parametrize("first", [True, False])
    def test_a_dead_one_is_passed_over(self, client, first):
        dead = f"http://127.0.0.1:{closed_port()}"
        with serving(fixed(200, ANSWER)) as server:
            urls = [dead, url_of(server)] if first else [url_of(server), dead]
            asking = client(urls)
            assert [asking.perform(SEARCH) for _ in range(4)] == [ANSWER] * 4
            assert asking.perform(CREATE) is None

    def test_one_that_accepts_and_hangs_does_not_use_up_the_deadline(self, client, monkeypatch):
        # short, but enough for the other one on any machine
        monkeypatch.setattr(retry, "PROBE_S", 2.0)
        with (
            socket.create_server(("127.0.0.1", 0)) as hanging,
            serving(fixed(200, ANSWER)) as server,
        ):
            asking = client([f"http://127.0.0.1:{hanging.getsockname()[1]}", url_of(server)])
            assert [asking.perform(SEARCH) for _ in range(3)] == [ANSWER] * 3

    def test_all_are_asked_in_turn(self, client):
        with serving(fixed(200, ANSWER)) as one, serving(fixed(200, ANSWER)) as other:
            asking = client([url_of(one), url_of(other)])
            for _ in range(4):
                asking.perform(SEARCH)
            asked = [[what for what, _, _ in s.seen if "_search" in what] for s in (one, other)]
        assert [len(searches) for searches in asked] == [2, 2]

    def test_where_all_are_dead_the_error_names_them(self, client):
        urls = [f"http://127.0.0.1:{closed_port()}" for _ in range(2)]
        with pytest.raises(EngineError, match=", ".join(urls) + ": engine not reachable"):
            client(urls).perform(SEARCH)


class TestClosing:
    @pytest.mark.parametrize("root", [OPENSEARCH, ELASTICSEARCH])
    def test_it_closes_every_socket(self, client, root):
        ended = threading.Semaphore(0)

        def talk(connection: socket.socket, request: bytes) -> None:
            while request:
                reply(connection, root | EMPTY)
                request = read_request(connection)
            ended.release()

        with speaking(talk) as url:
            asking = client(url)
            asking.perform(SEARCH)
            asking.close()
            assert ended.acquire(timeout=60)

    def test_also_after_an_error(self, client):
        ended = threading.Semaphore(0)

        def talk(connection: socket.socket, request: bytes) -> None:
            reply(connection, {"error": {"type": "x", "reason": "y"}}, 400)
            if not read_request(connection):
                ended.release()

        with speaking(talk) as url:
            asking = client(url)
            with pytest.raises(EngineError, match="x: y"):
                asking.perform(SEARCH)
            asking.close()
            assert ended.acquire(timeout=60)

    def test_a_second_time_does_nothing_and_use_is_one_error(self, client):
        with serving(fixed(200, ANSWER)) as server:
            asking = client(url_of(server))
            asking.perform(SEARCH)
            asking.close()
            asking.close()
            with pytest.raises(EngineError, match="this client was closed; open another one"):
                asking.perform(SEARCH)

    def test_one_that_was_never_used_has_nothing_to_close(self, client):
        client("http://127.0.0.1:1").close()


class TestThreads:
    def test_share_one_engine_that_asks_once_who_is_there(self):
        with (
            serving(fixed(200, ANSWER)) as server,
            HttpEngine(Connection(url_of(server))) as engine,
            ThreadPoolExecutor(16) as pool,
        ):
            found = list(pool.map(lambda _: engine.perform(SEARCH), range(200)))
            roots = [what for what, _, _ in server.seen if what == "GET /"]
        assert found == [ANSWER] * 200
        assert len(roots) <= 2  # one by each client library

    def test_tasks_share_one_engine_too(self):
        async def run(url: str) -> list[object]:
            async with AsyncHttpEngine(Connection(url)) as engine:
                return await asyncio.gather(*(engine.perform(SEARCH) for _ in range(100)))

        with serving(fixed(200, ANSWER)) as server:
            assert asyncio.run(run(url_of(server))) == [ANSWER] * 100
            assert [what for what, _, _ in server.seen].count("GET /") == 1
