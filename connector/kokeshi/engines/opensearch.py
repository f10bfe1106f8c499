"""OpenSearch through the connections of opensearch-py. The only module that imports that client."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from opensearchpy import Urllib3AWSV4SignerAuth, Urllib3HttpConnection

from kokeshi.engines.connection import Connection
from kokeshi.engines.pools import PoolTransport
from kokeshi.engines.requests import Sign
from kokeshi.engines.tls import build_context
from kokeshi.engines.transport import POOL
from kokeshi.errors import EngineError, MissingExtraError


def build_transport(connection: Connection) -> PoolTransport:
    """Return the transport of a cluster. Raises EngineError where a certificate cannot be used."""
    context = build_context(connection)
    nodes = [_build_node(url, connection, context) for url in connection.urls]
    return PoolTransport(
        [node.pool for node in nodes], [node.url_prefix for node in nodes], nodes[0].headers
    )


def _build_node(
    url: str, connection: Connection, context: ssl.SSLContext | None
) -> Urllib3HttpConnection:
    parts = urlsplit(url)
    return Urllib3HttpConnection(
        host=parts.hostname or "",
        port=parts.port or (443 if context else 80),
        url_prefix=parts.path,
        pool_maxsize=POOL,
        use_ssl=context is not None,
        ssl_context=context,
        ssl_assert_fingerprint=connection.fingerprint,  # checked by the context too
    )


def load_signer(connection: Connection) -> Sign:
    """Return what signs requests for AWS (Signature Version 4) with the credentials that boto3 finds.

    Raises MissingExtraError without boto3, EngineError where it finds no credentials.
    """
    try:
        import boto3
    except ImportError:
        raise MissingExtraError("signing for AWS", "aws") from None
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise EngineError(
            "no AWS credentials found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    sign: Sign = Urllib3AWSV4SignerAuth(
        credentials, connection.aws_region, connection.aws_service or "es"
    )
    return sign
