"""Local ports, and the few requests that say whether the engine answers."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from kokeshi.errors import EmbeddedError

HOST = "127.0.0.1"
DEFAULT_PORT = 9200


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the engine does: connections of a server that has just stopped are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def find_free_port() -> int:
    """Return a free port that the system picks."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def choose_port(port: int | None) -> int:
    """Return the given port, else 9200, else a free one.

    Raises:
        EmbeddedError: the given port is taken or no port at all.
    """
    if port is None:
        return DEFAULT_PORT if is_free(DEFAULT_PORT) else find_free_port()
    if not 1 <= port <= 65535:
        raise EmbeddedError(f"Port {port} does not exist: choose one from 1 to 65535")
    if not is_free(port):
        raise EmbeddedError(
            f"Port {port} is taken by another process: stop it, or choose another port"
        )
    return port


@dataclass(frozen=True)
class Endpoint:
    """Where an engine answers on this machine.

    tls: it talks HTTPS. login: it asks for credentials, which Kokeshi does not have.
    """

    port: int
    tls: bool = False
    login: bool = False

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.tls else 'http'}://{HOST}:{self.port}"

    def is_node(self, name: str, timeout: float) -> bool:
        """Whether the engine that calls itself `name` answers.

        One that asks for credentials does not say its name: that it asks must do.
        """
        answer = self._get("/", timeout)
        if answer is None:
            return False
        status, body = answer
        return (status == 200 and body.get("name") == name) or self._is_closed(status)

    def is_healthy(self) -> bool:
        """Whether its indices can be read; taken for granted behind a login."""
        answer = self._get("/_cluster/health?wait_for_status=yellow&timeout=1s", 5.0)
        if answer is None:
            return False
        status, body = answer
        return body.get("status") in {"yellow", "green"} or self._is_closed(status)

    def _is_closed(self, status: int) -> bool:
        return self.login and status == 401

    def _get(self, path: str, timeout: float) -> tuple[int, dict[str, Any]] | None:
        """GET from the loopback address, never through a proxy; None when nothing answers."""
        connection = self._connect(timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()
        return response.status, body if isinstance(body, dict) else {}

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection(HOST, self.port, timeout=timeout)
        # Whether it answers is all that is asked: nothing secret is sent, so any certificate does.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(HOST, self.port, timeout=timeout, context=context)
