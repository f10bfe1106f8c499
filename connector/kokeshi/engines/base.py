"""What Kokeshi asks of an engine. Bodies are built elsewhere, by pure functions; an engine sends them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import unquote, urlsplit

from kokeshi.errors import EngineError
from kokeshi.types import Json

Dialect = Literal["opensearch"]


@dataclass(frozen=True)
class Capabilities:
    """What the live engine can do, read from its version.

    derived_source: vectors can be left out of the stored `_source` and still come back in full from
    a get, a scroll, a re-index and an update. rank_eval: the ranking evaluation API answers.
    """

    dialect: Dialect
    version: tuple[int, ...]
    derived_source: bool
    rank_eval: bool

    def __str__(self) -> str:
        return f"{self.dialect} {'.'.join(map(str, self.version))}"


@dataclass(frozen=True)
class BulkItem:
    """What became of one document of a bulk request. reason: None where it was indexed."""

    id: str
    status: int
    reason: str | None = None

    @property
    def retryable(self) -> bool:
        """Whether the same document can succeed later: the engine was busy or a node was away."""
        return self.status == 429 or self.status >= 500


class Engine(Protocol):
    """One engine. Every method raises EngineError with a remedy where the engine refuses or is away."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do; asks once."""

    def create_index(self, index: str, body: Json) -> None:
        """Create an index from settings and mappings."""

    def delete_index(self, index: str) -> None:
        """Delete an index; one that does not exist is no error."""

    def get_mapping(self, index: str) -> dict[str, Json] | None:
        """Return the mappings by concrete index name, more than one behind an alias; None without."""

    def bulk(self, index: str, body: bytes) -> list[BulkItem]:
        """Send newline-delimited actions and documents; returns one item for each, in order."""

    def refresh(self, index: str) -> None:
        """Make everything sent so far visible to searches."""

    def count(self, index: str, query: Json | None = None) -> int:
        """Count the documents that match."""

    def search(self, index: str, body: Json) -> Json:
        """Send one search; returns the engine's response."""

    def rank_eval(self, index: str, body: Json) -> Json:
        """Send one ranking evaluation; returns the engine's response."""

    def close(self) -> None:
        """Close every connection."""


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # of the port
        return False
    return parts.scheme in ("http", "https") and bool(named) and not re.search(r"\s", url)


@dataclass(frozen=True)
class Connection:
    """Where an engine is and who asks. Secrets are left out of its text form."""

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    timeout: float = 60.0

    def __post_init__(self) -> None:
        self._split_credentials()
        if not _is_url(self.url):
            raise EngineError(f"url '{self.url}' is not one; write it like https://host:9200")
        if self.api_key and self.user:
            raise EngineError("give either an API key or a user with a password, not both")
        if self.ca_file and not Path(self.ca_file).is_file():
            raise EngineError(f"CA file '{self.ca_file}': no such file")

    def _split_credentials(self) -> None:
        """Take user and password out of the URL, or every message that names it would show them."""
        credentials, at, host = self.url.rpartition("@")
        if not at:
            return
        scheme, _, pair = credentials.rpartition("//")
        user, _, password = pair.partition(":")
        object.__setattr__(self, "url", f"{scheme}//{host}" if scheme else host)
        object.__setattr__(self, "user", self.user or unquote(user) or None)
        object.__setattr__(self, "password", self.password or unquote(password) or None)

    @classmethod
    def from_environment(
        cls,
        url: str | None = None,
        *,
        user: str | None = None,
        password: str | None = None,
        api_key: str | None = None,
        ca_file: str | None = None,
    ) -> Connection | None:
        """Fill what is not given from KOKESHI_URL, _USER, _PASSWORD, _API_KEY, _CA_FILE.

        Credentials given here are not mixed with those of the environment. Returns None where no
        URL is given at all.
        """
        url = url or os.environ.get("KOKESHI_URL")
        if not url:
            return None
        if not (user or api_key):
            user = os.environ.get("KOKESHI_USER")
            api_key = os.environ.get("KOKESHI_API_KEY")
        if user and not password:
            password = os.environ.get("KOKESHI_PASSWORD")
        ca_file = ca_file or os.environ.get("KOKESHI_CA_FILE")
        return cls(url, user=user, password=password, api_key=api_key, ca_file=ca_file)


def describe_cause(error: Json) -> str:
    """Return `type: reason` of the innermost cause, which is the one that helps."""
    for shard in error.get("failed_shards", [])[:1]:
        return describe_cause(shard.get("reason", {}))
    while isinstance(error.get("caused_by"), dict):
        error = error["caused_by"]
    return f"{error.get('type', 'error')}: {error.get('reason', 'no reason given')}"
