"""What a client library does for Kokeshi: send bytes to one node, return what came or why nothing did."""

from __future__ import annotations

import asyncio
import errno
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from kokeshi.engines.tls import FingerprintError

POOL = 64
"""Connections that are kept to one node: as many threads can search at once without one waiting."""

Trouble = Literal[
    "unreachable", "dropped", "timeout", "tls", "untrusted", "expired", "hostname", "fingerprint"
]


@dataclass(frozen=True)
class Request:
    """One request, ready for the wire. target: the path with its parameters."""

    method: str
    target: str
    headers: Mapping[str, str]
    content: bytes | None


@dataclass(frozen=True)
class Reply:
    """What came back, a refusal too. headers: by lower-case name."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class TransportError(Exception):
    """No answer came. trouble: why; detail: the reason, in a few words, without secrets.

    unreachable: nothing was sent, since no connection came about. dropped: the connection ended before
    the whole answer had come. timeout: nothing came in time.
    """

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(f"{trouble}: {detail}")
        self.trouble = trouble
        self.detail = detail


class Transport(Protocol):
    """One client library. `send` raises TransportError where no answer came."""

    def send(self, node: int, request: Request, timeout: float) -> Reply:
        """Send to a node, by its place in the list of addresses; timeout: in seconds."""

    def close(self) -> None:
        """Close every connection."""


class AsyncTransport(Protocol):
    """One client library, for asyncio."""

    async def send(self, node: int, request: Request, timeout: float) -> Reply:
        """Send to a node, by its place in the list of addresses; timeout: in seconds."""

    async def close(self) -> None:
        """Close every connection."""


def diagnose(error: BaseException) -> TransportError:
    """Return why no answer came, read from the standard errors beneath those of a client library."""
    for cause in _causes(error):
        if found := _diagnose_tls(cause) or _diagnose_connection(cause):
            return found
    return TransportError("dropped", "connection closed")


_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EHOSTDOWN}
_HOSTNAME = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_EXPIRED = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


def _diagnose_tls(cause: BaseException) -> TransportError | None:
    if isinstance(cause, FingerprintError):
        return TransportError("fingerprint", cause.found)
    if isinstance(cause, ssl.SSLCertVerificationError):
        code = getattr(cause, "verify_code", None)
        trouble: Trouble = "untrusted"
        if code is None or code in _HOSTNAME:  # without a code it is the client's own comparison
            trouble = "hostname"
        elif code in _EXPIRED:
            trouble = "expired"
        return TransportError(trouble, getattr(cause, "verify_message", None) or str(cause))
    if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return TransportError("dropped", "connection closed")
    if isinstance(cause, ssl.SSLError):
        return TransportError("tls", (cause.reason or "handshake failed").lower().replace("_", " "))
    return None


def _diagnose_connection(cause: BaseException) -> TransportError | None:
    if isinstance(cause, TimeoutError | asyncio.TimeoutError):
        return TransportError("timeout", "timed out")
    if isinstance(cause, ConnectionRefusedError):
        return TransportError("unreachable", "connection refused")
    if isinstance(cause, socket.gaierror):
        return TransportError("unreachable", "unknown host")
    if isinstance(cause, OSError) and cause.errno in _UNREACHABLE:
        return TransportError("unreachable", (cause.strerror or "no route").lower())
    if isinstance(cause, ConnectionError | http.client.HTTPException):
        return TransportError("dropped", "connection closed")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors beneath an error, the innermost first, then itself.

    Not what was being handled when it was raised: that can be the caller's own affair.
    """
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, BaseException) and found not in seen:
            seen.append(found)
            waiting += [found.__cause__, *found.args, *(getattr(found, "errors", None) or ())]
    return reversed(seen)
