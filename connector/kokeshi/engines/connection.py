"""Where an engine is, who asks, and how: one checked value."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from kokeshi.engines.addresses import check_urls, read_cloud_id, split_credentials, split_urls
from kokeshi.errors import EngineError

SECRETS: Final = ("password", "api_key", "bearer")
"""The fields that nothing shows."""

WAYS: Final = ("user", "api_key", "bearer", "aws_region")
"""The fields that each say who asks: one of them at most."""

_TLS: Final = ("ca_file", "client_cert", "client_key", "fingerprint")
_SHORTEST = 4
"""Shorter texts are not blotted out: they occur in every message by chance."""


@dataclass(frozen=True)
class Connection:
    """Where an engine is, who asks, and how. Its text form leaves secrets out; it is not pickled with them.

    url: one address or several, of nodes of one cluster; as a text, parted by commas. cloud_id: of Elastic
    Cloud, in place of addresses. One way to authenticate: user and password (also in the address), api_key,
    bearer (a token), or aws_region with aws_service (`es`, `aoss` for serverless), which signs every
    request with the credentials that boto3 finds.

    ca_file: authorities (PEM) in place of the system's; fingerprint: SHA-256 of the server's own
    certificate, in place of authorities and host name. client_cert, client_key: PEM files.

    timeout: seconds that one call may take with all its tries. retries: how often a call waits for an
    engine that is away or busy. compress: gzip the requests. engine: which it is; None asks.

    Raises EngineError where a field is unusable, or two contradict each other.
    """

    url: str | Sequence[str] = ""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    bearer: str | None = field(default=None, repr=False)
    aws_region: str | None = None
    aws_service: Literal["es", "aoss"] | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    fingerprint: str | None = None
    cloud_id: str | None = None
    timeout: float = 60.0
    retries: int = 20
    compress: bool = False
    engine: Literal["opensearch", "elasticsearch"] | None = None
    urls: tuple[str, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        if self.url and self.cloud_id:
            raise EngineError("give either url or cloud_id, not both")
        self._read_addresses()
        self._check_credentials()
        self._check_tls()
        self._check_manner()

    def _read_addresses(self) -> None:
        given = [read_cloud_id(self.cloud_id)] if self.cloud_id else split_urls(self.url)
        parted = [split_credentials(url) for url in given]
        urls = tuple(url for url, _ in parted)
        check_urls(urls)
        self._set(urls=urls, url=", ".join(urls))
        found = [credentials for _, credentials in parted if credentials]
        if any(credentials != found[0] for credentials in found):
            raise EngineError(f"url '{self.url}': the addresses hold different credentials")
        if found and self.user is None:  # what is given wins, as a whole
            self._set(**found[0])

    def _check_credentials(self) -> None:
        given = [name for name in WAYS if getattr(self, name) is not None]
        if len(given) > 1:
            raise EngineError(f"give one way to authenticate, not {' and '.join(given)}")
        if (self.user is None) != (self.password is None):
            name, other = ("user", "password") if self.password is None else ("password", "user")
            raise EngineError(f"{name} is given without {other}; give both in the same place")
        if self.user and ":" in self.user:
            raise EngineError(f"user '{self.user}': basic authentication knows no ':' in a user")
        for name in ("api_key", "bearer"):
            if not re.fullmatch(r"[!-~]+", getattr(self, name) or "x"):
                raise EngineError(f"{name} has a space, a line break or an accent; copy it again")
        self._check_aws()

    def _check_aws(self) -> None:
        if self.aws_service and not self.aws_region:
            raise EngineError(f"aws_service '{self.aws_service}' needs aws_region, like eu-west-1")
        _check_one_of("aws_service", self.aws_service, ("es", "aoss"))
        if self.aws_region and self.engine == "elasticsearch":
            raise EngineError("aws_region signs for OpenSearch; leave out engine 'elasticsearch'")

    def _check_tls(self) -> None:
        for name in _TLS:
            if getattr(self, name) and not self.urls[0].startswith("https:"):
                raise EngineError(f"{name} needs an https:// address, not {self.urls[0]}")
        if self.ca_file and self.fingerprint:
            raise EngineError("give either ca_file or fingerprint, not both")
        if self.client_key and not self.client_cert:
            raise EngineError("client_key is given without client_cert; give both")
        _check_file("CA file", self.ca_file)
        _check_file("client certificate", self.client_cert)
        _check_file("client key", self.client_key)
        if self.fingerprint:
            digits = self.fingerprint.replace(":", "").lower()
            if not re.fullmatch("[0-9a-f]{64}", digits):
                raise EngineError(
                    f"fingerprint '{self.fingerprint}' is no SHA-256; give the 64 hexadecimal digits "
                    "of: openssl x509 -fingerprint -sha256 -in FILE"
                )
            self._set(fingerprint=digits)

    def _check_manner(self) -> None:
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise EngineError(f"timeout {self.timeout} is no number of seconds above 0")
        if self.retries < 0:
            raise EngineError(f"retries {self.retries}: 0 or more is expected")
        _check_one_of("engine", self.engine, ("opensearch", "elasticsearch"))

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def authorization(self) -> str | None:
        """The header that says who asks, as UTF-8, in which engines read it; None where AWS signs."""
        if self.user is not None:
            return f"Basic {_encode(f'{self.user}:{self.password}')}"
        if self.api_key:
            # the pair `id:key` as engines send it, and its base64 as they send it beside
            return f"ApiKey {_encode(self.api_key) if ':' in self.api_key else self.api_key}"
        return f"Bearer {self.bearer}" if self.bearer else None

    @property
    def who(self) -> str:
        """Who asks, for messages."""
        if self.user is not None:
            return f"user '{self.user}'"
        if self.api_key or self.bearer:
            return "this API key" if self.api_key else "this bearer token"
        if self.aws_region:
            return f"the AWS credentials (region {self.aws_region})"
        return "a client with a certificate" if self.client_cert else "a client without credentials"

    def blot_out(self, text: str) -> str:
        """Return a text of the engine, or of a proxy that echoes the request, without the secrets."""
        secrets = [getattr(self, name) for name in SECRETS]
        if self.authorization:
            secrets.append(self.authorization.partition(" ")[2])
        for secret in filter(None, secrets):
            if len(secret) >= _SHORTEST:
                for form in (
                    secret,
                    quote(secret, safe=""),
                    secret.encode("unicode_escape").decode(),
                ):
                    text = text.replace(form, "***")
        return text

    def __getstate__(self) -> dict[str, Any]:
        """Refuse to be pickled with secrets."""
        if any(getattr(self, name) for name in SECRETS):
            raise TypeError(
                "a connection with credentials is not pickled; build it where it is used"
            )
        return dict(self.__dict__)

    def __copy__(self) -> Connection:
        return self

    def __deepcopy__(self, _: object) -> Connection:
        return self


def _encode(text: str) -> str:
    return b64encode(text.encode()).decode()


def _check_file(what: str, path: str | None) -> None:
    if path and not Path(path).is_file():
        raise EngineError(f"{what} '{path}': no such file")


def _check_one_of(name: str, value: str | None, choices: Sequence[str]) -> None:
    if value is not None and value not in choices:
        raise EngineError(f"{name} '{value}' is not known; choose {' or '.join(choices)}")
