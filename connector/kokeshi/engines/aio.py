"""Both engines for asyncio, over aiohttp (extra `async`), which both client libraries use there.

Their own ways around it would follow a redirect, which turns a search into a GET without its body, would not
compare a certificate with an IP address, and take a fingerprint that aiohttp refuses.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kokeshi.engines.connection import Connection
from kokeshi.engines.tls import build_context
from kokeshi.engines.transport import POOL, Reply, Request, diagnose
from kokeshi.errors import MissingExtraError

if TYPE_CHECKING:
    import aiohttp


class AioTransport:
    """One session of aiohttp, opened in the loop of the first request."""

    def __init__(self, connection: Connection) -> None:
        try:
            import aiohttp
            import yarl
        except ImportError:
            raise MissingExtraError("asyncio", "async") from None
        self._aiohttp = aiohttp
        self._url = yarl.URL
        self._urls = connection.urls
        self._context = build_context(connection)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, node: int, request: Request, timeout: float) -> Reply:
        """Send to a node; raises TransportError where no answer came."""
        self._session = self._session or self._open()
        try:
            async with self._session.request(
                request.method,
                self._url(self._urls[node] + request.target, encoded=True),
                data=request.content,
                headers=request.headers,
                allow_redirects=False,
                timeout=self._aiohttp.ClientTimeout(total=timeout),
            ) as response:
                content = await response.read()
        except (self._aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise diagnose(error) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status, headers, content)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        connector = self._aiohttp.TCPConnector(limit=POOL, ssl=self._context or True)
        session = self._aiohttp.ClientSession(
            connector=connector, cookie_jar=self._aiohttp.DummyCookieJar(), trust_env=False
        )
        session._retry_connection = (
            False  # it would send a PUT twice, such as the creation of an index
        )
        return session
