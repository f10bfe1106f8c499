"""From a call to the request on the wire: JSON, gzip, who asks."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import orjson

from kokeshi.engines.calls import Call
from kokeshi.engines.connection import Connection
from kokeshi.engines.transport import Request
from kokeshi.errors import EngineError

Sign = Callable[[str, str, "bytes | None"], "dict[str, str]"]
"""From method, URL and content of a request to the headers that sign it."""

_LEVEL = 1
"""Of gzip: vectors as decimal digits shrink to half at every level, and higher ones take far longer."""

_SMALLEST = 1024
"""Bytes of a body that is worth compressing."""


class RequestBuilder:
    """Builds the requests of one connection. sign: of AWS, which signs each request by its node."""

    def __init__(self, connection: Connection, sign: Sign | None = None) -> None:
        self._connection = connection
        self._sign = sign
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        self._headers |= {"accept-encoding": "gzip"} if connection.compress else {}
        if connection.authorization:
            self._headers["authorization"] = connection.authorization

    def build(self, call: Call[Any]) -> Request:
        """Return the request of a call, not yet signed. Raises EngineError where its body is no JSON."""
        try:
            content = call.content
        except orjson.JSONEncodeError as error:
            raise EngineError(f"the {call.operation} cannot be sent: {error}") from None
        headers = self._headers
        if self._connection.compress and content and len(content) >= _SMALLEST:
            content = gzip.compress(content, _LEVEL)
            headers = headers | {"content-encoding": "gzip"}
        return Request(call.method, call.target, headers, content)

    def address(self, request: Request, node: int) -> Request:
        """Return the request as it is sent to one node."""
        if self._sign is None:
            return request
        url = self._connection.urls[node] + request.target
        signed = self._sign(request.method, url, request.content)
        return Request(
            request.method, request.target, {**request.headers, **signed}, request.content
        )
