"""OpenSearch with the k-NN plugin, through opensearch-py. The only module that imports that client."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import quote

import orjson
from opensearchpy import OpenSearch
from opensearchpy import exceptions as client_errors
from opensearchpy.serializer import JSONSerializer

from kokeshi.engines.base import BulkItem, Capabilities, Connection, describe_cause
from kokeshi.errors import CapabilityError, EngineError
from kokeshi.types import Json

OLDEST = (2, 19)
DERIVED_SOURCE_SINCE = (3, 6)
"""Derived source exists from 3.0 on, but until 3.5 a scroll or re-index of some hundred documents leaves
the shard closed (already_closed_exception). tests/conformance/test_vectors_kept.py decides this line."""


class _OrjsonSerializer(JSONSerializer):
    """orjson in both directions: the standard library takes longer for a vector than the search does."""

    def loads(self, s: str) -> Any:  # noqa: ANN401
        try:
            return orjson.loads(s)
        except orjson.JSONDecodeError as error:
            raise client_errors.SerializationError(f"the answer is not JSON: {error}") from None

    def dumps(self, data: Any) -> Any:  # noqa: ANN401
        try:
            return data if isinstance(data, str | bytes) else orjson.dumps(data)
        except TypeError as error:
            raise client_errors.SerializationError(f"cannot be sent: {error}") from None


class OpenSearchEngine:
    """One OpenSearch cluster. Use as a context manager, or call `close`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._client = OpenSearch(**_client_options(connection))

    def __enter__(self) -> OpenSearchEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    @cached_property
    def capabilities(self) -> Capabilities:
        """What this engine can do, from its version. Raises CapabilityError where it is too old."""
        found: Any = self._send("GET", "/")
        version = found.get("version") if isinstance(found, dict) else None
        if not isinstance(version, dict) or "number" not in version:
            raise CapabilityError(f"{self.connection.url} is no search engine; check the address")
        if version.get("distribution") != "opensearch":
            raise CapabilityError(
                f"{self.connection.url} is not OpenSearch but "
                f"{version.get('distribution', 'Elasticsearch')} {version.get('number')}; "
                "this version of Kokeshi speaks to OpenSearch 2.19 or newer"
            )
        number = tuple(int(part) for part in re.findall(r"\d+", version["number"])[:3])
        if number < OLDEST:
            raise CapabilityError(
                f"OpenSearch {version['number']} is too old: 2.19 or newer is needed"
            )
        return Capabilities(
            dialect="opensearch",
            version=number,
            derived_source=number >= DERIVED_SOURCE_SINCE,
            rank_eval=True,
        )

    def create_index(self, index: str, body: Json) -> None:
        """Create an index from settings and mappings."""
        self._send("PUT", f"/{quote(index)}", body)

    def delete_index(self, index: str) -> None:
        """Delete an index; one that does not exist is no error."""
        self._send("DELETE", f"/{quote(index)}", params={"ignore_unavailable": "true"})

    def get_mapping(self, index: str) -> dict[str, Json] | None:
        """Return the mappings by concrete index name; None where nothing has that name."""
        try:
            found = self._client.transport.perform_request("GET", f"/{quote(index)}/_mapping")
        except client_errors.NotFoundError:
            return None
        except client_errors.OpenSearchException as error:
            raise _translate(error, self.connection) from None
        return {name: body["mappings"] for name, body in found.items()}

    def bulk(self, index: str, body: bytes) -> list[BulkItem]:
        """Send newline-delimited actions and documents; returns one item for each, in order."""
        response = self._send(
            "POST", f"/{quote(index)}/_bulk", body, params={"filter_path": _BULK_PATHS}
        )
        return [_parse_item(item) for item in response.get("items", [])]

    def refresh(self, index: str) -> None:
        """Make everything sent so far visible to searches."""
        self._send("POST", f"/{quote(index)}/_refresh")

    def count(self, index: str, query: Json | None = None) -> int:
        """Count the documents that match."""
        body = {"query": query} if query else None
        return int(self._send("POST", f"/{quote(index)}/_count", body)["count"])

    def search(self, index: str, body: Json) -> Json:
        """Send one search; raises EngineError also where only some shards answered."""
        response = self._send("POST", f"/{quote(index)}/_search", body)
        if failures := response["_shards"].get("failures"):
            raise EngineError(
                f"search of '{index}': {describe_cause(failures[0].get('reason', {}))}"
            )
        return response

    def rank_eval(self, index: str, body: Json) -> Json:
        """Send one ranking evaluation; returns the engine's response."""
        return self._send("POST", f"/{quote(index)}/_rank_eval", body)

    def _send(
        self,
        method: str,
        path: str,
        body: Json | bytes | None = None,
        params: dict[str, str] | None = None,
    ) -> Json:
        with _translated(self.connection):
            response: Json = self._client.transport.perform_request(
                method, path, params=params, body=body
            )
            return response


_BULK_PATHS = "errors,items.*._id,items.*.status,items.*.error"


def _client_options(connection: Connection) -> Json:
    options: Json = {
        "hosts": [connection.url],
        "serializer": _OrjsonSerializer(),
        "timeout": connection.timeout,
        "max_retries": 2,
        "retry_on_timeout": False,
    }
    if connection.url.startswith("https"):
        options |= {"use_ssl": True, "verify_certs": True, "ca_certs": connection.ca_file}
    if connection.user:
        # as UTF-8, in which engines read it; the client would send Latin-1
        pair = f"{connection.user}:{connection.password or ''}".encode()
        options["headers"] = {"authorization": f"Basic {b64encode(pair).decode()}"}
    elif connection.api_key:
        options["headers"] = {"authorization": f"ApiKey {connection.api_key}"}
    return options


def _parse_item(item: Json) -> BulkItem:
    (result,) = item.values()
    error = result.get("error")
    return BulkItem(result["_id"], result["status"], describe_cause(error) if error else None)


@contextmanager
def _translated(connection: Connection) -> Iterator[None]:
    try:
        yield
    except client_errors.OpenSearchException as error:
        # the client's own text can hold the whole request; ours names what to do
        raise _translate(error, connection) from None


def _translate(error: Exception, connection: Connection) -> EngineError:
    url = connection.url
    if isinstance(error, client_errors.SSLError):
        if "certificate" not in str(error.info).lower():
            return EngineError(f"{url}: no TLS ({_short(error)}); is it an http:// address?")
        by = f" by {connection.ca_file}" if connection.ca_file else ""
        return EngineError(f"{url}: certificate not trusted{by}; give its authority with --ca-file")
    if isinstance(error, client_errors.ConnectionTimeout):
        return EngineError(f"{url}: no answer within {connection.timeout:g} s")
    if isinstance(error, client_errors.ConnectionError):
        return EngineError(
            f"{url}: engine not reachable ({_short(error)}); check the address, "
            "or start one with: kokeshi engine start"
        )
    if isinstance(error, client_errors.AuthenticationException):
        return EngineError(
            f"{url}: wrong credentials for {_who(connection)}; check KOKESHI_USER, "
            "KOKESHI_PASSWORD or KOKESHI_API_KEY"
        )
    if isinstance(error, client_errors.AuthorizationException):
        return EngineError(f"{url}: {_who(connection)} may not do this: {_reason(error)}")
    if isinstance(error, client_errors.NotFoundError) and "index_not_found" in str(error.error):
        return EngineError(f"{url}: {_reason(error)}; create it with: kokeshi ingest FILE")
    status = error.status_code if isinstance(error, client_errors.TransportError) else None
    return EngineError(
        f"{url}: {_reason(error)}", status=status if isinstance(status, int) else None
    )


def _who(connection: Connection) -> str:
    if connection.user:
        return f"user '{connection.user}'"
    return "this API key" if connection.api_key else "a client without credentials"


def _short(error: client_errors.ConnectionError) -> str:
    return re.sub(r"^<?.*?(Connection(Pool)?\(.*?\)|object at 0x\w+>?): ", "", str(error.info))[
        :160
    ]


def _reason(error: Exception) -> str:
    if not isinstance(error, client_errors.TransportError):
        return str(error)
    info = error.info
    if isinstance(info, dict) and isinstance(info.get("error"), dict):
        return describe_cause(info["error"])
    return f"status {error.status_code}: {str(info)[:300]}"
