"""Which engine answers, and what it can do."""

from __future__ import annotations

import re
from typing import Final

from kokeshi.engines.base import NAMES, Capabilities, Dialect, Flow
from kokeshi.engines.calls import Answer, Call, licence, root
from kokeshi.engines.connection import Connection
from kokeshi.errors import CapabilityError
from kokeshi.types import Base64Floats

OLDEST: dict[Dialect, tuple[int, ...]] = {
    "opensearch": (2, 19),
    "elasticsearch": (8, 19),
}
PACKAGES: Final = frozenset({"docker", "tar", "zip", "deb", "rpm"})
"""Build types of OpenSearch; one that was put together otherwise, as the embedded one, has none."""
QUESTIONS: Final = frozenset({"root", "licence", "authenticate", "takes_parameter"})
"""The operations that `identify` performs."""
DERIVED_SOURCE_SINCE = (3, 6)
"""Derived source exists from OpenSearch 3.0 on, but until 3.5 a scroll or re-index of some hundred
documents leaves the shard closed (already_closed_exception); test_vectors_kept.py decides."""

ES_DERIVED_SOURCE_SINCE = (9, 2)
"""From here on Elasticsearch leaves vectors out of the stored `_source` by itself."""

FILTER_HEURISTIC_SINCE = (9, 1)
"""The setting `index.dense_vector.hnsw_filter_heuristic` of Elasticsearch."""

BASE64_VECTORS: Final[dict[Dialect, tuple[tuple[int, ...], Base64Floats]]] = {
    "opensearch": ((3, 9), "<f4"),
    "elasticsearch": ((9, 3), ">f4"),
}
"""From which version on a vector is taken as base64 of which numbers. That of OpenSearch is from the
description of its change (k-NN#3350): no such version was there to test on."""


def identify(connection: Connection) -> Flow[Capabilities]:
    """Ask an engine for its version and licence.

    Raises CapabilityError where it is none, too old, or not the one that the connection names. A user who
    may only use some indices is not told the version: it is then taken for the oldest supported one, but
    for what would lose vectors, which is found out otherwise.
    """
    if connection.aws_service == "aoss":  # serverless: it has no version, and no such address
        return Capabilities("opensearch", OLDEST["opensearch"], derived_source=False)
    answer: Answer = yield root()
    if answer.status == 403:
        login: Answer = yield authenticate()
        hidden: Dialect = "elasticsearch" if login.product else "opensearch"
        dialect, version = connection.engine or hidden, OLDEST[connection.engine or hidden]
    else:
        dialect, version = read_root(answer, connection)
    if connection.engine and dialect != connection.engine:
        raise CapabilityError(
            f"{connection.url} is {NAMES[dialect]}, not {NAMES[connection.engine]}; "
            "leave out the setting 'engine'"
        )
    if dialect == "opensearch":
        derived = version >= DERIVED_SOURCE_SINCE
        return Capabilities(
            dialect,
            version,
            derived_source=derived,
            native=_is_packaged(answer),
            base64_vectors=_base64_vectors(dialect, version),
        )
    derived = version >= ES_DERIVED_SOURCE_SINCE
    if answer.status == 403:
        derived = yield takes_parameter("_source_exclude_vectors")
    type_: str | None = yield licence()
    return Capabilities(
        dialect,
        version,
        derived_source=derived,
        filter_heuristic=version >= FILTER_HEURISTIC_SINCE,
        base64_vectors=_base64_vectors(dialect, version),
        licence=type_,
    )


def _base64_vectors(dialect: Dialect, version: tuple[int, ...]) -> Base64Floats | None:
    since, numbers = BASE64_VECTORS[dialect]
    return numbers if version >= since else None


def _is_packaged(answer: Answer) -> bool:
    """Whether it is one of OpenSearch's own packages, which bring the native libraries."""
    version = answer.body.get("version") if isinstance(answer.body, dict) else None
    return isinstance(version, dict) and version.get("build_type") in PACKAGES


def authenticate() -> Call[Answer]:
    """Whom the engine takes the client for: who may nothing else may ask Elasticsearch that.

    A refusal of `GET /` does not say which engine refuses; this answer does, by its header.
    """
    refused = frozenset({400, 403, 404, 405})
    return Call(
        "authenticate", "GET", "/_security/_authenticate", lambda answer: answer, accept=refused
    )


def takes_parameter(name: str) -> Call[bool]:
    """Whether a read by ids takes this parameter; the engine says so before it looks at privileges.

    Elasticsearch has known `_source_exclude_vectors` there for as long as it leaves vectors out. The index
    need not exist.
    """
    return Call(
        "takes_parameter",
        "POST",
        "/kokeshi/_mget",
        lambda answer: answer.status != 400,
        body={"ids": ["0"]},
        params={name: "false"},
        accept=frozenset({400, 403, 404}),
    )


def read_root(answer: Answer, connection: Connection) -> tuple[Dialect, tuple[int, ...]]:
    """Return what engine answers, and its version. Raises CapabilityError where it is not supported."""
    version = answer.body.get("version") if isinstance(answer.body, dict) else None
    number = version.get("number") if isinstance(version, dict) else None
    if not isinstance(version, dict) or not isinstance(number, str):
        raise CapabilityError(f"{connection.url} is no search engine; check the address")
    parts = tuple(int(part) for part in re.findall(r"\d+", number)[:3])
    dialect: Dialect = (
        "opensearch" if version.get("distribution") == "opensearch" else "elasticsearch"
    )
    if parts < OLDEST[dialect]:
        oldest = ".".join(map(str, OLDEST[dialect]))
        raise CapabilityError(
            f"{connection.url}: {NAMES[dialect]} {number} is too old: {oldest} or newer is needed"
        )
    return dialect, parts
