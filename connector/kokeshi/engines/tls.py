"""TLS as one context for every client library: verified by authorities or by a fingerprint, never not at all.

The clients' own ways differ: some take the system's authorities beside the given one, some do not compare
a certificate with an IP address, some accept a fingerprint of any certificate that the server sends along.
"""

from __future__ import annotations

import ssl
from hashlib import sha256
from hmac import compare_digest

import certifi

from kokeshi.engines.connection import Connection
from kokeshi.errors import EngineError


class FingerprintError(ssl.SSLCertVerificationError):
    """The server's certificate is another. found: its SHA-256 in hexadecimal."""

    def __init__(self, found: str) -> None:
        super().__init__(1, "fingerprint mismatch")
        self.found = found


def build_context(connection: Connection) -> ssl.SSLContext | None:
    """Return how TLS is spoken, None for http. Raises EngineError where a file cannot be used."""
    if not connection.urls[0].startswith("https:"):
        return None
    if connection.fingerprint:
        context: ssl.SSLContext = _PinnedContext(connection.fingerprint)
    else:
        context = _trusting(connection.ca_file)
    if connection.client_cert:
        _load_client_certificate(context, connection.client_cert, connection.client_key)
    return context


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (ssl.SSLError, OSError) as error:
        raise EngineError(f"CA file '{ca_file}' holds no certificate ({_reason(error)})") from None
    if ca_file is None:
        context.load_verify_locations(certifi.where())  # some systems have none of their own
    return context


def _load_client_certificate(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    try:
        # a key with a passphrase would ask the terminal for it
        context.load_cert_chain(cert, key, password=lambda: b"")
    except (ssl.SSLError, OSError) as error:
        files = f"'{cert}'" + (f" with key '{key}'" if key else "")
        raise EngineError(
            f"client certificate {files} cannot be used ({_reason(error)}); "
            "give PEM files, the key without a passphrase"
        ) from None


def _reason(error: OSError) -> str:
    return (getattr(error, "reason", None) or error.strerror or "unreadable").lower()


class _PinnedContext(ssl.SSLContext):
    """Trusts one certificate by its fingerprint, checked in each handshake, before a byte is sent."""

    fingerprint: str

    def __new__(cls, fingerprint: str) -> _PinnedContext:
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context.fingerprint = fingerprint
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.sslsocket_class = _PinnedSocket
        context.sslobject_class = _PinnedObject
        return context

    def check(self, certificate: bytes | None) -> None:
        """Raise FingerprintError where the certificate (DER) is another."""
        found = sha256(certificate or b"").hexdigest()
        if not compare_digest(found, self.fingerprint):
            raise FingerprintError(found)


class _PinnedSocket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        _check(self)


class _PinnedObject(ssl.SSLObject):
    def do_handshake(self) -> None:
        super().do_handshake()
        _check(self)


def _check(connected: _PinnedSocket | _PinnedObject) -> None:
    context = connected.context
    if isinstance(context, _PinnedContext):
        context.check(connected.getpeercert(binary_form=True))
