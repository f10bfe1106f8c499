"""Whether tests can use containers: a package and the ping of a Docker engine decide."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import yaml

from tests import containers


class _Docker(BaseHTTPRequestHandler):
    """The part of a Docker engine that answers a ping."""

    def do_GET(self) -> None:
        body = b"OK" if self.path.endswith("_ping") else b'{"ApiVersion": "1.44"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def docker_host(monkeypatch) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Docker) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()
        thread.join()


def test_a_docker_engine_that_answers_is_used(docker_host):
    assert containers.docker_answers()
    assert containers.container_url("opensearch") is not None


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:9"])
def test_without_a_docker_engine_there_is_no_container(monkeypatch, host):
    monkeypatch.setenv("DOCKER_HOST", host)
    assert containers.container_url("opensearch") is None


def test_without_testcontainers_there_is_no_container(monkeypatch, docker_host):
    monkeypatch.setitem(sys.modules, "testcontainers.core.docker_client", None)
    assert containers.container_url("opensearch") is None


@pytest.mark.parametrize("engine", containers.SETTINGS)
def test_a_container_is_the_pinned_engine(engine):
    file = yaml.safe_load((containers.DOCKER / f"{engine}.yml").read_text("utf-8"))
    assert containers.image_of(engine) == file["services"][engine]["image"]
    assert file["services"][engine]["ports"][0].endswith(f":{containers.PORT}")
