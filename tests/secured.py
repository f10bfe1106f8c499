"""An Elasticsearch as people run it: HTTPS with a certificate of its own authority, and a login.

The fixture needs `openssl` and the accepted licence. A conftest that wants it imports it:
`from tests.secured import secured_engine`, or loads this file where tests are no package.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kokeshi.embedded import EmbeddedEngine
from kokeshi.errors import EmbeddedError

USER = "kokeshi-admin"
VERSION = os.environ.get("KOKESHI_TEST_ELASTICSEARCH_VERSION", "9.4")


@dataclass(frozen=True)
class Secured:
    """How to reach a secured engine as its superuser.

    url: https. ca: the authority's certificate. authority: the folder that signs further ones.
    """

    url: str
    ca: Path
    user: str
    password: str
    authority: Path

    def request(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        method: str = "GET",
        authorization: str | None = None,
    ) -> Any:
        """Send a request as the superuser, or with another Authorization header."""
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {
            "Authorization": authorization or f"Basic {login}",
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        made = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310
        context = ssl.create_default_context(cafile=str(self.ca))
        with urllib.request.urlopen(made, timeout=60, context=context) as response:  # noqa: S310
            return json.loads(response.read())

    def create_api_key(self, name: str, roles: Mapping[str, Any]) -> str:
        """Create a key with these role descriptors; returns it as clients take it, in base64."""
        body = {"name": name, "role_descriptors": dict(roles)}
        return str(self.request("/_security/api_key", body, "POST")["encoded"])


def make_authority(folder: Path) -> Path:
    """Create ca.pem and ca.key in a folder; returns the certificate's path."""
    _openssl(
        folder,
        "req -x509 -newkey rsa:2048 -noenc -days 2 -subj /CN=kokeshi-test-authority "
        "-keyout ca.key -out ca.pem -addext basicConstraints=critical,CA:true "
        "-addext keyUsage=critical,keyCertSign,cRLSign",
    )
    return folder / "ca.pem"


def sign_certificate(folder: Path, name: str, days: int = 2, names: str = "") -> tuple[Path, Path]:
    """Create a key and a certificate signed by the folder's authority; returns both paths.

    days: of validity, from now. 0 makes a certificate that has expired as soon as it is signed.
    names: subject alternative names; default: this machine's loopback ones.
    """
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={names or 'IP:127.0.0.1,DNS:localhost'}\n")
    _openssl(
        folder, f"req -newkey rsa:2048 -noenc -subj /CN={name} -keyout {name}.key -out {name}.csr"
    )
    _openssl(
        folder,
        f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} "
        f"-extfile {name}.ext -out {name}.pem",
    )
    return folder / f"{name}.key", folder / f"{name}.pem"


def _openssl(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)


def hash_password(password: str) -> str:
    """Return a line's hash for the file realm: PBKDF2 with HMAC-SHA512 and 10,000 rounds."""
    salt = secrets.token_bytes(32)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 10000, 32)
    return f"{{PBKDF2}}10000${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


SETTINGS = {
    "xpack.security.enabled": True,
    "xpack.security.http.ssl.enabled": True,
    "xpack.security.http.ssl.key": "http.key",
    "xpack.security.http.ssl.certificate": "http.pem",
    "xpack.security.http.ssl.certificate_authorities": ["ca.pem"],
    # a client's certificate is checked where it sends one
    "xpack.security.http.ssl.client_authentication": "optional",
    "xpack.security.authc.api_key.enabled": True,
    "xpack.security.authc.token.enabled": True,
}


def build_config_files(authority: Path, password: str) -> dict[str, bytes]:
    """Return the engine's key and certificates, and a superuser of the file realm."""
    key, certificate = sign_certificate(authority, "http")
    return {
        "http.key": key.read_bytes(),
        "http.pem": certificate.read_bytes(),
        "ca.pem": (authority / "ca.pem").read_bytes(),
        "users": f"{USER}:{hash_password(password)}\n".encode(),
        "users_roles": f"superuser:{USER}\n".encode(),
    }


@pytest.fixture(scope="session")
def secured_engine() -> Iterator[Secured]:
    """A secured Elasticsearch of its own; skips where its licence is not accepted."""
    if os.environ.get("KOKESHI_ACCEPT_ELASTIC_LICENSE", "").lower() != "yes":
        pytest.skip("no Elasticsearch: KOKESHI_ACCEPT_ELASTIC_LICENSE=yes accepts its licence")
    folder = Path(tempfile.mkdtemp(prefix="kokeshi-secured-"))
    folder.chmod(0o755)  # the engine's own user must get to its home
    authority = folder / "authority"
    authority.mkdir(0o700)
    password = secrets.token_urlsafe(16)
    ca = make_authority(authority)
    engine = EmbeddedEngine(
        folder / "home",
        engine="elasticsearch",
        version=VERSION,
        heap="512m",
        settings=SETTINGS,
        config_files=build_config_files(authority, password),
    )
    try:
        secured = Secured(_start(engine), ca, USER, password, authority)
        wait_for_login(secured)
        yield secured
    finally:
        engine.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _start(engine: EmbeddedEngine) -> str:
    try:
        return engine.start()
    except EmbeddedError as error:
        pytest.skip(f"no Elasticsearch: {error}")


def wait_for_login(secured: Secured, seconds: float = 60.0) -> None:
    """Wait until the superuser is let in and the cluster is ready."""
    deadline = time.monotonic() + seconds
    while trouble := _find_trouble(secured):
        if time.monotonic() > deadline:
            pytest.fail(f"{secured.user} is not let in at {secured.url}: {trouble}")
        time.sleep(0.5)


def _find_trouble(secured: Secured) -> OSError | None:
    try:
        secured.request("/_cluster/health?wait_for_status=yellow&timeout=30s")
    except OSError as error:  # of urllib: refused, no connection, no answer in time
        return error
    return None
