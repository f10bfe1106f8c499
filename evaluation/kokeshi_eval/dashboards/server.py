"""Import through the HTTP API of Kibana and of OpenSearch Dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import certifi
import orjson
import urllib3

from kokeshi.errors import EngineError, InputError
from kokeshi.types import Json
from kokeshi_eval.dashboards.objects import Product, build_ndjson

_NAMES: Final[Mapping[Product, str]] = {
    "kibana": "Kibana",
    "opensearch-dashboards": "OpenSearch Dashboards",
}
_REFUSED: Final[Mapping[int, str]] = {
    400: "it does not know such an import; is this the address of {name}, and not of the engine?",
    401: "it does not know this user; set KOKESHI_DASHBOARDS_USER and KOKESHI_DASHBOARDS_PASSWORD, or "
    "KOKESHI_DASHBOARDS_API_KEY",
    403: "this user may not import saved objects; give the role that may",
    404: "there is no such API at this address; name the address of {name} with its base path, and a "
    "space or workspace that exists (--space)",
    413: "the file is larger than it takes; raise its limit of imports (maxImportPayloadBytes)",
}


@dataclass(frozen=True)
class Dashboards:
    """A server. url: with its base path, if it has one. space: of Kibana, or a workspace's id.

    user and password, or api_key: none where security is off. tenant: of OpenSearch's security.
    ca_file: certificates to trust in place of the usual ones. timeout: seconds.
    """

    url: str
    product: Product
    space: str | None = None
    user: str | None = None
    password: str | None = None
    api_key: str | None = None
    tenant: str | None = None
    ca_file: str | None = None
    timeout: float = 30.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise InputError(
                "--url: write the address of the dashboards in full and without credentials, like "
                "http://localhost:5601"
            )
        if self.user is not None and self.api_key is not None:
            raise InputError("--user and --api-key: give one of them")
        if (self.user is None) != (self.password is None):
            raise InputError("--user and --password: give both (KOKESHI_DASHBOARDS_PASSWORD)")

    @property
    def path(self) -> str:
        """The address with the space, or with the workspace, before the API."""
        prefix = "s" if self.product == "kibana" else "w"
        space = f"/{prefix}/{quote(self.space, safe='')}" if self.space else ""
        return f"{self.url.rstrip('/')}{space}"

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries; a request without the first one is refused."""
        found = {"kbn-xsrf" if self.product == "kibana" else "osd-xsrf": "true"}
        if self.user is not None:
            found |= urllib3.make_headers(basic_auth=f"{self.user}:{self.password}")
        if self.api_key is not None:
            found["authorization"] = f"ApiKey {self.api_key}"
        if self.tenant is not None:
            found["securitytenant"] = self.tenant
        return found


def import_objects(server: Dashboards, *, overwrite: bool) -> int:
    """Import the data view, the charts and the dashboard; returns how many objects that were.

    Raises EngineError where the server is away or refuses, naming each object that it did not take.
    """
    parameters = urlencode({"overwrite": str(overwrite).lower()})
    file = ("kokeshi.ndjson", build_ndjson(server.product), "application/ndjson")
    answer = _post(server, f"{server.path}/api/saved_objects/_import?{parameters}", file)
    if not answer.get("success"):
        raise EngineError(f"{_name(server)}: {_describe(answer)}")
    return int(answer["successCount"])


def _post(server: Dashboards, url: str, file: tuple[str, bytes, str]) -> Json:
    trusted = server.ca_file or certifi.where()
    try:
        with urllib3.PoolManager(ca_certs=trusted, retries=False, timeout=server.timeout) as pool:
            response = pool.request("POST", url, fields={"file": file}, headers=server.headers)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise EngineError(f"{_name(server)}: cannot be reached: {_reason(error)}") from None
    return _read(server, response.status, response.data)


def _read(server: Dashboards, status: int, content: bytes) -> Json:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = {}
    if status == 200 and isinstance(body, dict) and "success" in body:
        return body
    said = body.get("message", "") if isinstance(body, dict) else ""
    why = _REFUSED.get(status, "its answer is not that of an import; look at its log")
    why = why.format(name=_NAMES[server.product])
    raise EngineError(
        f"{_name(server)}: HTTP {status}{f' ({said})' if said else ''}: {why}", status=status
    )


def _describe(answer: Json) -> str:
    errors = answer.get("errors") or []
    listed = "; ".join(f"{one['type']} '{one['id']}': {_cause(one['error'])}" for one in errors)
    conflicts = any("conflict" in one["error"].get("type", "") for one in errors)
    remedy = "; replace what is there with --overwrite" if conflicts else ""
    taken = answer.get("successCount", 0)
    return f"{taken} objects were imported, others were not: {listed}{remedy}"


def _cause(error: Mapping[str, Any]) -> str:
    kind = str(error.get("type", "unknown")).replace("_", " ")
    missing = ", ".join(f"{one['type']} '{one['id']}'" for one in error.get("references", []))
    return " ".join(part for part in (kind, missing, error.get("message", "")) if part)


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None) or error
    return " ".join(str(inner).split()).rpartition(": ")[2]


def _name(server: Dashboards) -> str:
    return f"{_NAMES[server.product]} at {server.url}"
