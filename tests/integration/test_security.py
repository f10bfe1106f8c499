"""Elasticsearch with security on: least privileges, keys, certificates, and clear errors."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import ssl
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from kokeshi.cli.main import app
from kokeshi.connect import connect, connect_async
from kokeshi.engines import Connection, calls
from kokeshi.errors import EngineError, KokeshiError
from tests.secured import VERSION, Secured, make_authority, sign_certificate

pytestmark = [pytest.mark.engine, pytest.mark.elasticsearch]

INDEX = "secured-shop"
NAMES = [INDEX, f"{INDEX}-kokeshi-trial"]
SPEC = f"""\
index: {INDEX}
text: [title]
metadata: {{price: float}}
vectors:
  v: {{encoder: wordllama, source: "{{title}}", dimension: 256, prefixes: [64]}}
"""
WRITE = ("index", "read", "view_index_metadata", "maintenance")
SEARCH = ("read", "view_index_metadata")

COMMANDS: dict[str, tuple[tuple[str, ...], bool]] = {
    "mapping show": ((), True),
    "ingest products.jsonl": ((*WRITE, "create_index"), False),
    "ingest products.jsonl --json": (WRITE, True),
    "ingest products.jsonl --recreate": ((*WRITE, "create_index", "delete_index"), True),
    "apply changes.jsonl": ((*WRITE, "delete"), True),
    "search jacket": (SEARCH, True),
    "search jacket --filter 'price < 9'": (SEARCH, True),
    "search jacket --plan bm25": (("read",), True),
    "tune curve --queries queries.txt": (("read",), True),
    "eval compare --judgments judgments.csv --baseline bm25 --candidate two-stage": (SEARCH, True),
}
"""Command -> the index privileges it needs, and whether the index is there before."""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with a spec, products, queries and judgments; nothing is set in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KOKESHI_URL", raising=False)
    (tmp_path / "kokeshi.yaml").write_text(SPEC)
    (tmp_path / "queries.txt").write_text("jacket\n")
    (tmp_path / "changes.jsonl").write_text(
        '{"op": "update", "id": "3", "version": 9, "document": {"title": "coat", "price": 1}}\n'
        '{"op": "update", "id": "4", "document": {"price": 1}}\n'
        '{"op": "delete", "id": "5"}\n'
    )
    (tmp_path / "judgments.csv").write_text("query,doc_id,grade\njacket,1,2\njacket,2,1\n")
    with (tmp_path / "products.jsonl").open("w") as file:
        for number in range(30):
            product = {"id": str(number), "title": f"jacket {number}", "price": number}
            file.write(json.dumps(product) + "\n")
    return tmp_path


@pytest.fixture
def kokeshi(secured_engine: Secured, folder: Path):
    """Run a command with a key; the URL and the authority are given, nothing else."""

    def run(command: str, api_key: str) -> Result:
        where = {"KOKESHI_URL": secured_engine.url, "KOKESHI_CA_FILE": str(secured_engine.ca)}
        return CliRunner().invoke(
            app, shlex.split(command), env=where | {"KOKESHI_API_KEY": api_key}
        )

    return run


def prepare(secured: Secured, folder: Path, *, exists: bool) -> None:
    """Make the index as a superuser, or see that there is none."""
    options = {"user": secured.user, "password": secured.password, "ca_file": str(secured.ca)}
    with connect(Connection(secured.url, **options)) as engine:
        for name in NAMES:
            engine.delete_index(name)
    if exists:
        login = [
            "--user",
            secured.user,
            "--password",
            secured.password,
            "--ca-file",
            str(secured.ca),
        ]
        words = ["ingest", "products.jsonl", "--url", secured.url, *login]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output


def key_with(secured: Secured, privileges: tuple[str, ...]) -> str:
    indices = [{"names": NAMES, "privileges": privileges or ("none",)}]
    return secured.create_api_key("least", {"least": {"cluster": [], "indices": indices}})


class TestLeastPrivileges:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_each_command_works_with_what_the_docs_list(
        self, secured_engine, folder, kokeshi, name
    ):
        privileges, exists = COMMANDS[name]
        prepare(secured_engine, folder, exists=exists)
        result = kokeshi(name, key_with(secured_engine, privileges))
        assert result.exit_code == 0, (result.output, result.exception)

    @pytest.mark.parametrize(
        ("name", "missing"),
        [(name, one) for name, (all_, _) in COMMANDS.items() for one in all_],
    )
    def test_without_one_of_them_it_is_named(self, secured_engine, folder, kokeshi, name, missing):
        privileges, exists = COMMANDS[name]
        prepare(secured_engine, folder, exists=exists)
        fewer = tuple(one for one in privileges if one != missing)
        error = kokeshi(name, key_with(secured_engine, fewer)).exception
        assert isinstance(error, KokeshiError)
        whole = rf"it lacks the index privilege {missing} on '{INDEX}"
        of_one = (
            rf"\[{INDEX}\], this action is granted by the index privileges \[[\w,]*\b{missing}\b"
        )
        assert re.search(f"{whole}|{of_one}", str(error)), error
        assert "\n" not in str(error)

    def test_the_docs_list_them(self):
        text = (Path(__file__).parents[2] / "docs" / "engine.md").read_text()
        rows = [line.split("|")[2] for line in text.splitlines() if line.startswith("| `kokeshi ")]
        listed = [set(re.findall(r"`([a-z_]+)`", row)) for row in rows]
        for privileges, _ in COMMANDS.values():
            assert set(privileges) in listed


def ask(connection: Connection) -> list[str]:
    """Ask both clients who is there: two texts, of the capabilities or of the error."""
    found = []
    with connect(connection) as engine:
        try:
            found.append(str(engine.capabilities))
        except EngineError as error:
            found.append(str(error))

    async def awaiting() -> str:
        async with connect_async(connection) as engine:
            try:
                return str(await engine.capabilities())
            except EngineError as error:
                return str(error)

    return [*found, asyncio.run(awaiting())]


def test_an_update_keeps_the_vectors_where_the_version_is_not_told(
    secured_engine: Secured, folder: Path, kokeshi
):
    """An update with a version is read, changed and sent whole, so what is not read would be lost."""
    prepare(secured_engine, folder, exists=True)
    line = '{"op": "update", "id": "6", "version": 9, "document": {"price": 1}}\n'
    (folder / "changes.jsonl").write_text(line)

    def stored() -> dict:
        secured_engine.request(f"/{INDEX}/_refresh", method="POST")
        body = {"query": {"ids": {"values": ["6"]}}, "_source": {"exclude_vectors": False}}
        found = secured_engine.request(f"/{INDEX}/_search", body, "POST")
        return found["hits"]["hits"][0]["_source"]

    before = stored()
    assert {"v", "v_64"} <= before.keys()
    result = kokeshi("apply changes.jsonl", key_with(secured_engine, (*WRITE, "delete")))
    assert result.exit_code == 0, result.output
    assert stored() == before | {"price": 1}


class TestLogin:
    def test_each_way_to_authenticate_is_accepted(self, secured_engine: Secured):
        token = (
            secured_engine.request(
                "/_security/oauth2/token", {"grant_type": "client_credentials"}, "POST"
            )
            if _has_tokens(secured_engine)
            else None
        )
        ways = [
            {"user": secured_engine.user, "password": secured_engine.password},
            {"api_key": secured_engine.create_api_key("all", {})},
        ]
        ways += [{"bearer": token["access_token"]}] if token else []
        for way in ways:
            found = ask(Connection(secured_engine.url, ca_file=str(secured_engine.ca), **way))
            assert all(text.startswith(f"Elasticsearch {VERSION}.") for text in found)

    @pytest.mark.parametrize(
        ("way", "who"),
        [
            ({"api_key": "bm9ib2R5Om5vYm9keQ=="}, "this API key; check KOKESHI_API_KEY"),
            ({"user": "nobody", "password": "s3cr3t"}, "user 'nobody'; check KOKESHI_USER"),
            ({"bearer": "s3cr3t"}, "this bearer token; check KOKESHI_BEARER"),
            ({}, "a client without credentials; check"),
        ],
    )
    def test_wrong_credentials_are_one_clear_error(self, secured_engine: Secured, way, who):
        url = secured_engine.url
        for text in ask(Connection(url, ca_file=str(secured_engine.ca), **way)):
            assert text.startswith(f"{url}: wrong credentials for {who}")
            assert "s3cr3t" not in text
            assert "\n" not in text

    def test_a_key_that_was_withdrawn_is_refused(self, secured_engine: Secured):
        key = secured_engine.create_api_key("withdrawn", {})
        secured_engine.request("/_security/api_key", {"name": "withdrawn"}, "DELETE")
        for text in ask(
            Connection(secured_engine.url, ca_file=str(secured_engine.ca), api_key=key)
        ):
            assert "wrong credentials for this API key" in text

    def test_a_key_for_indices_alone_is_told_which_engine_it_is(self, secured_engine: Secured):
        key = key_with(secured_engine, SEARCH)
        connection = Connection(secured_engine.url, ca_file=str(secured_engine.ca), api_key=key)
        assert ask(connection) == ["Elasticsearch 8.19"] * 2


def _has_tokens(secured: Secured) -> bool:
    """Whether the licence has tokens: basic has not."""
    return secured.request("/_license")["license"]["type"] in ("trial", "platinum", "enterprise")


class TestTLS:
    @pytest.fixture
    def login(self, secured_engine: Secured) -> dict[str, str]:
        return {"user": secured_engine.user, "password": secured_engine.password}

    def test_without_its_authority_it_is_not_trusted(self, secured_engine: Secured, login):
        for text in ask(Connection(secured_engine.url, **login)):
            assert "certificate not trusted" in text
            assert text.endswith("give its authority with --ca-file")

    def test_another_authority_does_not_do(self, secured_engine: Secured, login, tmp_path):
        authority = make_authority(tmp_path)
        for text in ask(Connection(secured_engine.url, ca_file=str(authority), **login)):
            assert f"certificate not trusted by {authority}" in text

    def test_a_fingerprint_pins_it(self, secured_engine: Secured, login):
        host, port = secured_engine.url.removeprefix("https://").split(":")
        der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))
        right = Connection(secured_engine.url, fingerprint=sha256(der).hexdigest(), **login)
        assert all(text.startswith(f"Elasticsearch {VERSION}.") for text in ask(right))
        wrong = Connection(secured_engine.url, fingerprint="ab" * 32, **login)
        for text in ask(wrong):
            assert f"its SHA-256 fingerprint is {sha256(der).hexdigest()}" in text

    def test_a_client_certificate_is_accepted_or_named(
        self, secured_engine: Secured, login, tmp_path
    ):
        key, certificate = sign_certificate(secured_engine.authority, "client")
        options = login | {"ca_file": str(secured_engine.ca)}
        pair = {"client_cert": str(certificate), "client_key": str(key)}
        found = ask(Connection(secured_engine.url, **options, **pair))
        assert all(text.startswith(f"Elasticsearch {VERSION}.") for text in found)
        make_authority(tmp_path)
        key, certificate = sign_certificate(tmp_path, "stranger")
        pair = {"client_cert": str(certificate), "client_key": str(key)}
        for text in ask(Connection(secured_engine.url, **options, **pair, retries=0)):
            assert text.startswith(f"{secured_engine.url}: ")
            assert "Elasticsearch" not in text

    def test_plain_http_is_told_to_be_https(self, secured_engine: Secured):
        url = secured_engine.url.replace("https:", "http:")
        for text in ask(Connection(url, retries=0)):
            assert "is it an https:// address?" in text


def test_both_clients_search(secured_engine: Secured, folder: Path):
    prepare(secured_engine, folder, exists=True)
    key = key_with(secured_engine, SEARCH)
    connection = Connection(secured_engine.url, ca_file=str(secured_engine.ca), api_key=key)
    body = {"size": 3, "sort": ["price"], "_source": ["id"]}

    async def awaiting() -> dict:
        async with connect_async(connection) as engine:
            return await engine.perform(calls.search(INDEX, body))

    with connect(connection) as engine:
        found = engine.search(INDEX, body)["hits"]["hits"]
    assert [hit["_id"] for hit in found] == ["0", "1", "2"]
    assert asyncio.run(awaiting())["hits"]["hits"] == found
