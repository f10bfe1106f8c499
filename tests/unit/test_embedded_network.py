"""Ports that are taken, and servers that answer something else."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from kokeshi.embedded.network import choose_port, find_free_port, get_json, is_free
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


ANSWERS = {"/object": (200, b'{"a": 1}'), "/list": (200, b"[]"), "/text": (200, b"<html>")}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWERS.get(self.path, (404, b"{}"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def test_get_json_ignores_proxies_and_survives_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        answers = [
            get_json(server.server_port, path, 5.0)
            for path in ("/object", "/list", "/text", "/missing")
        ]
        server.shutdown()
        thread.join()
    assert answers == [{"a": 1}, None, None, None]
    assert get_json(find_free_port(), "/", 1.0) is None


def test_get_json_gives_up_on_a_silent_server(taken: int) -> None:
    assert get_json(taken, "/", 0.2) is None
