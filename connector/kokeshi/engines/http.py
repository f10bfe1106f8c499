"""Engines over HTTP: the right client library for whoever answers, tries again, one clear error."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TypeVar

from kokeshi.engines.base import AsyncEngine, Capabilities, Dialect, Engine
from kokeshi.engines.calls import Call
from kokeshi.engines.connection import Connection
from kokeshi.engines.identify import QUESTIONS, identify
from kokeshi.engines.nodes import Nodes
from kokeshi.engines.refusals import read_result
from kokeshi.engines.requests import RequestBuilder, Sign
from kokeshi.engines.retry import Exchange, Send, Tried
from kokeshi.engines.transport import AsyncTransport, Reply, Transport, TransportError
from kokeshi.errors import EngineError

T = TypeVar("T")


class _Link:
    """What both kinds of engine hold: the connection, its nodes, how requests are built."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.nodes = Nodes(len(connection.urls))
        self.builder = RequestBuilder(connection, _load_signer(connection))
        self.closed = False

    def check_open(self) -> None:
        """Raise EngineError after `close`."""
        if self.closed:
            raise EngineError(f"{self.connection.url}: this client was closed; open another one")

    def start(self, call: Call[T]) -> Exchange:
        """Begin a call. Raises EngineError after `close`."""
        self.check_open()
        options = self.connection
        return Exchange(
            call, self.builder, self.nodes, timeout=options.timeout, retries=options.retries
        )


class HttpEngine(Engine):
    """An OpenSearch or Elasticsearch cluster. Threads can share it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._link = _Link(connection)
        self._transport = _load_transport(_first_guess(connection), connection)
        self._capabilities: Capabilities | None = None
        self._asking = threading.RLock()

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do; asks once. Raises CapabilityError where it is none, or too old."""
        with self._asking:
            if self._capabilities is None:
                found = self.run(identify(self.connection))
                if found.dialect != _first_guess(self.connection):
                    self._transport.close()
                    self._transport = _load_transport(found.dialect, self.connection)
                self._capabilities = found
            return self._capabilities

    def perform(self, call: Call[T]) -> T:
        """Send one call and return its result."""
        if self._capabilities is None and call.operation not in QUESTIONS:
            _ = self.capabilities
        return read_result(call, self._exchange(self._link.start(call)), self.connection)

    def _exchange(self, exchange: Exchange) -> Tried:
        steps = exchange.steps()
        outcome: Reply | TransportError | None = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                tried: Tried = end.value
                return tried
            self._link.check_open()  # it can be closed by another thread meanwhile
            if isinstance(step, Send):
                outcome = self._send(step)
            else:
                time.sleep(step.seconds)

    def _send(self, step: Send) -> Reply | TransportError:
        try:
            return self._transport.send(step.node, step.request, step.timeout)
        except TransportError as error:
            return error

    def close(self) -> None:
        """Close every connection; a second time does nothing."""
        self._link.closed = True
        self._transport.close()


class AsyncHttpEngine(AsyncEngine):
    """An OpenSearch or Elasticsearch cluster, for the tasks of one event loop."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._link = _Link(connection)
        self._transport = _load_async_transport(connection)
        self._capabilities: Capabilities | None = None
        self._asking = asyncio.Lock()

    async def capabilities(self) -> Capabilities:
        """What this engine can do; asks once. Raises CapabilityError where it is none, or too old."""
        if self._capabilities is not None:
            return self._capabilities
        async with self._asking:
            if self._capabilities is None:
                self._capabilities = await self.run(identify(self.connection))
            return self._capabilities

    async def perform(self, call: Call[T]) -> T:
        """Send one call and return its result."""
        if self._capabilities is None and call.operation not in QUESTIONS:
            await self.capabilities()
        return read_result(call, await self._exchange(self._link.start(call)), self.connection)

    async def _exchange(self, exchange: Exchange) -> Tried:
        steps = exchange.steps()
        outcome: Reply | TransportError | None = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                tried: Tried = end.value
                return tried
            self._link.check_open()  # it can be closed by another task meanwhile
            if isinstance(step, Send):
                outcome = await self._send(step)
            else:
                await asyncio.sleep(step.seconds)

    async def _send(self, step: Send) -> Reply | TransportError:
        try:
            return await self._transport.send(step.node, step.request, step.timeout)
        except TransportError as error:
            return error

    def blocking(self) -> HttpEngine:
        """Return the same engine for a thread of its own, to be closed by the caller."""
        return HttpEngine(self.connection)

    async def close(self) -> None:
        """Close every connection; a second time does nothing."""
        self._link.closed = True
        await self._transport.close()


# the client libraries take longer to import than a search: each is imported where it is used


def _first_guess(connection: Connection) -> Dialect:
    """Return whose client asks who is there."""
    return connection.engine or ("opensearch" if connection.aws_region else "elasticsearch")


def _load_transport(dialect: Dialect, connection: Connection) -> Transport:
    if dialect == "opensearch":
        from kokeshi.engines.opensearch import build_transport
    else:
        from kokeshi.engines.elasticsearch import build_transport
    return build_transport(connection)


def _load_async_transport(connection: Connection) -> AsyncTransport:
    from kokeshi.engines.aio import AioTransport

    return AioTransport(connection)


def _load_signer(connection: Connection) -> Sign | None:
    if connection.aws_region is None:
        return None
    from kokeshi.engines.opensearch import load_signer

    return load_signer(connection)
