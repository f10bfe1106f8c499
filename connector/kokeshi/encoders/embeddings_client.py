"""Sends requests to an embeddings endpoint: connections kept, tries again, errors without the key."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from threading import Event

import urllib3
from urllib3.exceptions import HTTPError, InvalidHeader, NewConnectionError, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as SlowError

from kokeshi.encoders.embeddings_api import parse_error
from kokeshi.encoders.retry import Refusal, Tries
from kokeshi.errors import EncoderError

CONNECT_S = 10.0
BUSY = frozenset({408, 429})


@dataclass(frozen=True)
class Endpoint:
    """Where the requests go and who asks. timeout_s: of one request, with its `retries`."""

    url: str
    key: str | None = field(default=None, repr=False)
    key_variable: str | None = None
    ca_file: str | None = None
    timeout_s: float = 60.0
    retries: int = 5
    connections: int = 1

    @property
    def origin(self) -> str:
        """How errors name it: without a query, which may hold a secret."""
        return f"encoder http: {self.url.partition('?')[0]}"


class EmbeddingsClient:
    """One endpoint, for several threads at once."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._headers = {"content-type": "application/json", "user-agent": "kokeshi"}
        if endpoint.key:
            self._headers["authorization"] = f"Bearer {endpoint.key}"
        tls = _verifying(endpoint.ca_file) if endpoint.url.startswith("https:") else None
        self._pool = urllib3.PoolManager(maxsize=endpoint.connections, block=True, ssl_context=tls)

    def post(self, body: bytes, stopped: Event) -> bytes:
        """Send one request and return the answer. stopped: ends the waiting between tries.

        Raises EncoderError where the server refuses, or does not answer in time.
        """
        tries = Tries(self.endpoint.timeout_s, self.endpoint.retries)
        while True:
            answer = self._try(body, tries.left_s)
            if isinstance(answer, bytes):
                return answer
            wait = tries.wait_after(answer)
            if wait is None or stopped.wait(wait):
                raise EncoderError(self._describe(answer, tries.count))

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()

    def _try(self, body: bytes, left_s: float) -> bytes | Refusal:
        left_s = max(left_s, 0.001)
        timeout = urllib3.Timeout(connect=min(CONNECT_S, left_s), read=left_s)
        try:
            response = self._pool.request(
                "POST",
                self.endpoint.url,
                body=body,
                headers=self._headers,
                timeout=timeout,
                retries=False,  # of the library, which then follows no redirect either
            )
        except HTTPError as error:
            return _no_answer(error)
        if response.status == 200:
            return response.data
        return self._refusal(response)

    def _refusal(self, response: urllib3.BaseHTTPResponse) -> Refusal:
        status = response.status
        # of a wrong key some servers quote a part, which could not be told from other words
        said = "" if status == 401 else parse_error(response.data)
        return Refusal(
            reason=f"answered {status}" + (f" ({said})" if said else ""),
            remedy=self._remedy(status, response.headers.get("location", "")),
            passing=status in BUSY or status >= 500,
            retry_after_s=_retry_after(response),
        )

    def _remedy(self, status: int, location: str) -> str:
        variable = self.endpoint.key_variable
        if status in (401, 403):
            wants = "name the environment variable of its key as key_variable"
            return f"check the key in {variable}" if variable else wants
        if status in (404, 405):
            return "check the options url and model"
        if status == 413:
            return "write a smaller batch"
        if 300 <= status < 400:
            return f"it redirects to {location}; if you trust that, write it as url"
        return "try later, or with a longer timeout" if status in BUSY or status >= 500 else ""

    def _describe(self, refusal: Refusal, tries: int) -> str:
        reason = refusal.reason
        if self.endpoint.key:  # a server may quote what it was sent
            reason = reason.replace(self.endpoint.key, "***")
        more = f", after {tries} tries" if tries > 1 else ""
        remedy = f"; {refusal.remedy}" if refusal.remedy else ""
        return f"{self.endpoint.origin} {reason:.300}{more}{remedy}"


def _no_answer(error: HTTPError) -> Refusal:
    found = error.__cause__ or error
    if isinstance(error, SSLError):
        remedy = "write the file with its authority's certificate as ca_file, or the right url"
        return Refusal(f"has no TLS that can be trusted ({found})", remedy)
    if isinstance(error, SlowError) and not isinstance(error, NewConnectionError):
        return Refusal("did not answer in time", "write a longer timeout", passing=True)
    passing = isinstance(error, NewConnectionError | ProtocolError)
    return Refusal(f"cannot be reached ({found})", "check the option url", passing)


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    try:
        return urllib3.Retry().get_retry_after(response)
    except InvalidHeader:
        return None


def _verifying(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that checks certificates and names, always."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise EncoderError(
            f"encoder http: option ca_file: '{ca_file}' is no file of certificates (PEM): {error}"
        ) from None
