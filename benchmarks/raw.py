"""HTTP without any client library: the floor that clients are measured against."""

from __future__ import annotations

import http.client
import threading
from typing import Any
from urllib.parse import urlsplit

import orjson

from kokeshi.types import Json


class RawClient:
    """Sends bytes and reads JSON, on one kept connection for each thread."""

    def __init__(self, address: str) -> None:
        self._host = urlsplit(address).netloc
        self._local = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def send(self, method: str, path: str, body: bytes | None = None) -> Any:  # noqa: ANN401
        """Return the parsed answer; raises RuntimeError where the engine refuses."""
        connection = self._connection()
        connection.request(method, path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:500].decode()}")
        return orjson.loads(answer)

    def ask(self, method: str, path: str, body: Json | None = None) -> Any:  # noqa: ANN401
        """As `send`, of a JSON body."""
        return self.send(method, path, None if body is None else orjson.dumps(body))

    def close(self) -> None:
        """Close every thread's connection."""
        for connection in self._opened:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._local, "connection"):
            # a merge to one segment answers when it is done
            self._local.connection = http.client.HTTPConnection(self._host, timeout=3600)
            self._opened.append(self._local.connection)
        found: http.client.HTTPConnection = self._local.connection
        return found
