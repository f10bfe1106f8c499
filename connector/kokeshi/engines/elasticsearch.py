"""Elasticsearch through the nodes of elasticsearch-py's transport. The only module that imports that client.

The requests are plain JSON, not the client's media type, so a client from 8.19 to 9.x talks to servers of
both major versions.
"""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from elastic_transport import NodeConfig, Urllib3HttpNode

from kokeshi.engines.connection import Connection
from kokeshi.engines.pools import PoolTransport
from kokeshi.engines.tls import build_context
from kokeshi.engines.transport import POOL


def build_transport(connection: Connection) -> PoolTransport:
    """Return the transport of a cluster. Raises EngineError where a certificate cannot be used."""
    context = build_context(connection)
    nodes = [_build_node(url, connection, context) for url in connection.urls]
    return PoolTransport(
        [node.pool for node in nodes], [node.path_prefix for node in nodes], nodes[0].headers
    )


def _build_node(
    url: str, connection: Connection, context: ssl.SSLContext | None
) -> Urllib3HttpNode:
    parts = urlsplit(url)
    config = NodeConfig(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or (443 if context else 80),
        path_prefix=parts.path,
        connections_per_node=POOL,
        ssl_context=context,
        ssl_assert_fingerprint=connection.fingerprint,  # checked by the context too
    )
    node = Urllib3HttpNode(config)
    if context:  # else its own authorities would be trusted beside those of the context
        node.pool.ca_certs = None  # type: ignore[attr-defined]
    return node
