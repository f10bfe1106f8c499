"""The addresses of an engine: checked, and parted from the credentials that a URL may hold."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from kokeshi.errors import EngineError


def split_urls(urls: str | Sequence[str]) -> list[str]:
    """Return the addresses of a list, or of a text that parts them by commas."""
    listed = urls.split(",") if isinstance(urls, str) else urls
    return [url.strip().rstrip("/") for url in listed]


def split_credentials(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL without its user and password, and those: every message that names it would show them."""
    credentials, at, host = url.rpartition("@")
    scheme, slashes, pair = credentials.rpartition("//")
    if not at or "/" in pair:  # an @ further back belongs to the path
        return url, {}
    user, _, password = pair.partition(":")
    found = {"user": unquote(user), "password": unquote(password)}
    return f"{scheme}{slashes}{host}", {name: value for name, value in found.items() if value}


def check_urls(urls: Sequence[str]) -> None:
    """Raise EngineError where one is no address, or where some are https and others not."""
    for url in urls:
        if not _is_url(url):
            raise EngineError(f"url '{url}' is not one; write it like https://host:9200")
    if len({urlsplit(url).scheme for url in urls}) > 1:
        raise EngineError(f"url '{', '.join(urls)}': give either https:// for all, or http://")
    if len(set(urls)) < len(urls):
        raise EngineError(f"url '{', '.join(urls)}': one address stands twice")


def read_cloud_id(cloud_id: str) -> str:
    """Return the address of Elasticsearch in a cloud id: `name:base64(domain[:port]$elasticsearch$…)`."""
    try:
        domain, cluster = b64decode(cloud_id.rpartition(":")[2]).decode().split("$")[:2]
    except ValueError:  # of base64, of the text, of its parts
        cluster = domain = ""
    host, _, port = domain.partition(":")
    url = f"https://{cluster}.{host}:{port or 443}"
    if not cluster or not _is_url(url):
        raise EngineError(
            f"cloud_id '{cloud_id}' is not one; copy it from the deployment's page, name and all"
        )
    return url


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # of the port, of an IPv6 address
        return False
    plain = not (parts.query or parts.fragment or re.search(r"\s", url))
    return parts.scheme in ("http", "https") and bool(named) and plain
