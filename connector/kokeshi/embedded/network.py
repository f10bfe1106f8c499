"""Local ports, and the few requests that say whether the engine answers."""

from __future__ import annotations

import http.client
import json
import socket
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


def get_json(port: int, path: str, timeout: float) -> dict[str, Any] | None:
    """GET from the loopback address, never through a proxy; None when there is no good answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        answer = json.loads(body) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None
