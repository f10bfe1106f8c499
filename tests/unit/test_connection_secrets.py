"""Secrets never show: in no text, error, traceback, log line or pickle, whatever the engine answers."""

from __future__ import annotations

import asyncio
import logging
import pickle
import string
import traceback
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kokeshi.engines import Connection, calls
from kokeshi.engines.http import AsyncHttpEngine, HttpEngine
from kokeshi.engines.settings import give, resolve
from kokeshi.errors import KokeshiError
from tests.servers import OPENSEARCH, Answer, closed_port, serving, url_of

LOGGERS = (
    "elastic_transport",
    "elastic_transport.node",
    "opensearch",
    "urllib3",
    "aiohttp",
    "asyncio",
)
"""Those of the clients; the second does not hand its lines on to its parent."""

SECRETS = st.text(string.ascii_letters + string.digits + "/+%:@'\"&é藍", min_size=8, max_size=40)
TOKENS = st.text(string.ascii_letters + string.digits + "-_.~+/=", min_size=8, max_size=40)


class Lines(logging.Handler):
    """Keeps every line that is logged, with the traceback of its exception."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(scope="module")
def logged() -> Iterator[Lines]:
    """Every logger of the clients at its chattiest."""
    handler = Lines()
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield handler
    for name, level in before.items():
        logging.getLogger(name).removeHandler(handler)
        logging.getLogger(name).setLevel(level)


def echo(authorization: str | None, path: str) -> Answer:
    """Answer as a careless proxy: with what was sent."""
    if path == "/":
        return 200, orjson.dumps(OPENSEARCH)
    shown = (authorization or "").encode("latin-1").decode("utf-8", "replace")
    status = {"/json": 400, "/login": 401, "/page": 502}[path]
    body = {"error": {"type": "x", "reason": f"you sent {shown}"}}
    return status, shown.encode() if path == "/page" else orjson.dumps(body)


@pytest.fixture(scope="module")
def echoing() -> Iterator[str]:
    with serving(echo) as server:
        yield url_of(server)


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    with serving(lambda *_: (400, b'{"error": {"type": "x", "reason": "y"}}')) as server:
        yield url_of(server)


ASKED = [calls.Call(path, "GET", path, lambda _: None) for path in ("/json", "/login", "/page")]


def errors_of(connection: Connection) -> list[BaseException]:
    """Return the errors that both clients raise for each kind of answer."""

    async def awaiting() -> list[BaseException]:
        async with AsyncHttpEngine(connection) as engine:
            asked = (engine.perform(call) for call in ASKED)
            return await asyncio.gather(*asked, return_exceptions=True)

    with HttpEngine(connection) as engine:
        return [error_of(engine, call) for call in ASKED] + asyncio.run(awaiting())


def error_of(engine: HttpEngine, call: calls.Call) -> BaseException:
    with pytest.raises(KokeshiError) as caught:
        engine.perform(call)
    return caught.value


def text_of(error: BaseException) -> str:
    """Return everything that a report of an error can show, its hidden causes too."""
    shown = [f"{error} {error!r} {error.args}", *traceback.format_exception(error)]
    hidden = [text_of(e) for e in (error.__cause__, error.__context__) if e is not None]
    return "\n".join([*shown, *hidden])


def forms_of(secret: str, user: str) -> list[str]:
    pair = b64encode(f"{user}:{secret}".encode()).decode()
    return [secret, quote(secret, safe=""), pair]


def check_hidden(connection: Connection, forms: list[str]) -> None:
    errors = errors_of(connection)
    assert len(errors) == 6
    shown = [str(connection), repr(connection), f"{connection}", *map(text_of, errors)]
    for form in forms:
        assert not any(form in text for text in shown)
    with pytest.raises(TypeError, match="not pickled") as caught:
        pickle.dumps(connection)
    assert not any(form in text_of(caught.value) for form in forms)


relaxed = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@relaxed
@given(secret=SECRETS)
def test_a_password_never_shows(secret, echoing):
    connection = Connection(echoing, user="ada", password=secret, retries=0)
    check_hidden(connection, forms_of(secret, "ada"))


@relaxed
@given(secret=SECRETS)
def test_a_password_of_an_address_never_shows(secret, echoing):
    url = echoing.replace("//", f"//ada:{quote(secret, safe='')}@")
    check_hidden(Connection(url, retries=0), forms_of(secret, "ada"))


@relaxed
@given(secret=TOKENS, name=st.sampled_from(["api_key", "bearer"]))
def test_a_token_never_shows(secret, name, echoing):
    check_hidden(Connection(echoing, **{name: secret}, retries=0), [secret])


@relaxed
@given(secret=TOKENS, name=st.sampled_from(["api_key", "bearer"]))
def test_the_clients_log_no_token(secret, name, refusing, logged):
    logged.lines.clear()
    for url in (refusing, f"http://127.0.0.1:{closed_port()}"):
        for error in errors_of(Connection(url, **{name: secret}, retries=0)):
            assert secret not in text_of(error)
    assert any("GET" in line for line in logged.lines)
    assert not any(secret in line for line in logged.lines)


@relaxed
@given(secret=SECRETS)
def test_the_clients_log_no_password(secret, refusing, logged):
    logged.lines.clear()
    for engine in ("opensearch", "elasticsearch"):
        errors_of(Connection(refusing, user="ada", password=secret, retries=0, engine=engine))
    assert any("GET" in line for line in logged.lines)
    for form in forms_of(secret, "ada"):
        assert not any(form in line for line in logged.lines)


@relaxed
@given(
    secret=TOKENS,
    wrong=st.sampled_from(
        [
            {"url": "ftp://host"},
            {"url": "http://host", "user": "ada", "password": "x"},
            {"url": "http://host", "ca_file": "absent"},
            {"url": "http://host", "timeout": -1},
            {"url": "http://host", "bearer": "two words"},
            {},
        ]
    ),
)
def test_nor_where_settings_are_refused(secret, wrong):
    with pytest.raises(KokeshiError) as caught:
        resolve(give(**wrong, api_key=secret))
    assert secret not in text_of(caught.value)
