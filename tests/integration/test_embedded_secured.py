"""Elasticsearch with HTTPS and a login: found, reached with its authority alone, and stopped."""

from __future__ import annotations

import shutil
import subprocess
import urllib.error
import urllib.request

import pytest

from kokeshi.embedded import running_engine
from tests.secured import Secured, sign_certificate

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


def test_the_embedded_engine_knows_it_though_it_has_no_credentials(
    secured_engine: Secured,
) -> None:
    found = running_engine(secured_engine.authority.parent / "home")
    assert found is not None
    assert (found.engine, found.url) == ("elasticsearch", secured_engine.url)
    assert secured_engine.url.startswith("https://127.0.0.1:")


def test_the_superuser_is_let_in_and_others_are_not(secured_engine: Secured) -> None:
    me = secured_engine.request("/_security/_authenticate")
    assert (me["username"], me["roles"]) == (secured_engine.user, ["superuser"])
    with pytest.raises(urllib.error.HTTPError, match="401"):
        secured_engine.request("/", authorization="Basic bm9ib2R5Om5v")


def test_curl_needs_the_authority(secured_engine: Secured) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    login = f"{secured_engine.user}:{secured_engine.password}"
    command = ["curl", "--silent", "--show-error", "--user", login, secured_engine.url]
    trusting = subprocess.run([*command, "--cacert", secured_engine.ca], capture_output=True)
    assert b'"number" : "9.4' in trusting.stdout
    doubting = subprocess.run(command, capture_output=True)
    assert doubting.returncode == 60  # the certificate's authority is not known


def test_an_unknown_authority_is_refused(secured_engine: Secured) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(secured_engine.url, timeout=30)  # noqa: S310


def test_an_api_key_may_do_no_more_than_its_roles(secured_engine: Secured) -> None:
    roles = {"one": {"indices": [{"names": ["secured-one"], "privileges": ["read", "write"]}]}}
    secured_engine.request("/secured-one", {}, "PUT")
    key = secured_engine.create_api_key("one", roles)
    authorization = f"ApiKey {key}"
    document = "/secured-one/_doc/1?refresh=true"
    written = secured_engine.request(document, {"a": 1}, "PUT", authorization)
    assert written["result"] == "created"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        secured_engine.request("/_cluster/health", authorization=authorization)


def test_further_certificates_are_signed(secured_engine: Secured) -> None:
    _, certificate = sign_certificate(secured_engine.authority, "client")
    verified = subprocess.run(
        ["openssl", "verify", "-CAfile", secured_engine.ca, certificate], capture_output=True
    )
    assert verified.returncode == 0
