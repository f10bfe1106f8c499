"""Ports that are taken, and servers that answer something else."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kokeshi.embedded.network import Endpoint, choose_port, find_free_port, is_free
from kokeshi.errors import EmbeddedError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_named(taken: int) -> None:
    assert not is_free(taken)
    with pytest.raises(EmbeddedError, match=f"Port {taken} is taken"):
        choose_port(taken)


def test_a_port_taken_on_all_addresses() -> None:
    with socket.create_server(("", 0)) as server:
        assert not is_free(server.getsockname()[1])


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_ports_that_do_not_exist(port: int) -> None:
    with pytest.raises(EmbeddedError, match=f"Port {port} does not exist"):
        choose_port(port)


def test_free_ports() -> None:
    port = find_free_port()
    assert choose_port(port) == port
    assert is_free(choose_port(None))


HEALTH = "/_cluster/health?wait_for_status=yellow&timeout=1s"
OURS = {"/": (200, b'{"name": "n"}'), HEALTH: (200, b'{"status": "yellow"}')}
RED = {**OURS, HEALTH: (408, b'{"status": "red"}')}
CLOSED = {"/": (401, b"{}"), HEALTH: (401, b"{}")}
STRANGERS = [{"/": (200, body)} for body in (b'{"name": "m"}', b"[]", b"<html>")] + [{}]


@contextmanager
def serve(answers: dict[str, tuple[int, bytes]]) -> Iterator[int]:
    """Yield the port of a server that gives these answers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, b"{}"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_engine_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serve(OURS) as port:
        assert Endpoint(port).is_node("n", 5.0)
        assert Endpoint(port).is_healthy()
    with serve(RED) as port:
        assert not Endpoint(port).is_healthy()


@pytest.mark.parametrize("answers", STRANGERS)
def test_strangers_are_not_the_engine(answers: dict[str, tuple[int, bytes]]) -> None:
    with serve(answers) as port:
        assert not Endpoint(port).is_node("n", 5.0)
        assert not Endpoint(port).is_healthy()
        assert not Endpoint(port, login=True).is_node("n", 5.0)


def test_who_asks_for_credentials_answers_where_that_is_expected() -> None:
    with serve(CLOSED) as port:
        assert Endpoint(port, login=True).is_node("n", 5.0)
        assert Endpoint(port, login=True).is_healthy()
        assert not Endpoint(port).is_node("n", 5.0)
        assert not Endpoint(port).is_healthy()


def test_plain_http_is_no_https() -> None:
    with serve(OURS) as port:
        assert not Endpoint(port, tls=True).is_node("n", 5.0)
        assert Endpoint(port, tls=True).url == f"https://127.0.0.1:{port}"


def test_nobody_answers(taken: int) -> None:
    assert not Endpoint(find_free_port()).is_node("n", 1.0)
    assert not Endpoint(taken).is_node("n", 0.2)  # it accepts, and says nothing
