"""What a caller is told when an engine is away, refuses or is none: over real HTTP and TLS."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson
import pytest

from kokeshi.connect import connect
from kokeshi.engines import Connection
from kokeshi.engines.opensearch import OpenSearchEngine
from kokeshi.errors import CapabilityError, EngineError

HARD = "s3cr3t/@:é藍"
QUOTED = "s3cr3t%2F%40%3A%C3%A9%E8%97%8D"
ADA = {"user": "ada", "password": "s3cr3t"}
EVE = {"user": "eve", "password": "two"}
ROOT = {"version": {"number": "3.6.0", "distribution": "opensearch"}}
Answer = tuple[int, bytes]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.seen.append(dict(self.headers))
        status, body = self.server.respond(self.headers.get("authorization"), self.path)
        self.send_response(status)
        self.send_header("content-type", self.server.content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

    def log_message(self, *_) -> None:
        """Nothing on the terminal."""


@contextmanager
def serving(
    respond: Callable[[str | None, str], Answer],
    *,
    content_type: str = "application/json",
    tls: ssl.SSLContext | None = None,
) -> Iterator[http.server.ThreadingHTTPServer]:
    """Serve on a free port. respond: the authorization header and the path -> status and body."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.respond, server.content_type, server.seen = respond, content_type, []
        server.handle_error = lambda *_: None  # a client that hangs up in the handshake
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def url_of(server, scheme: str = "http", credentials: str = "") -> str:
    return f"{scheme}://{credentials}127.0.0.1:{server.server_port}"


def fixed(status: int, body: object) -> Callable[[str | None, str], Answer]:
    return lambda *_: (status, body if isinstance(body, bytes) else orjson.dumps(body))


def basic(authorization: str | None, _: str) -> Answer:
    expected = b"Basic " + b64encode(f"ada:{HARD}".encode())
    if authorization and authorization.encode() == expected:
        return 200, orjson.dumps(ROOT)
    return 401, b'{"error": "Unauthorized"}'


def ask(connection: Connection) -> str:
    """Ask for the capabilities: their text, or that of the error."""
    with OpenSearchEngine(connection) as engine:
        try:
            return str(engine.capabilities)
        except EngineError as error:
            return str(error)


class TestConnection:
    @pytest.mark.parametrize(
        "url",
        [
            "",
            "localhost",
            "localhost:9200",
            "ftp://host",
            "http://",
            "http://:9200",
            "http://host:port",
            "http://host:99999",
            "http://a b:9200",
            "//host",
        ],
    )
    def test_an_address_that_is_none_is_refused(self, url):
        with pytest.raises(EngineError, match="is not one; write it like https://host:9200"):
            Connection(url)

    @pytest.mark.parametrize(
        ("url", "bare"),
        [
            ("http://ada:{}@host:9200", "http://host:9200"),
            ("https://ada:{}@[::1]:9200/path", "https://[::1]:9200/path"),
            ("http://ada:{}@host", "http://host"),
        ],
    )
    def test_credentials_leave_the_address(self, url, bare):
        connection = Connection(url.format(QUOTED))
        assert (connection.url, connection.user, connection.password) == (bare, "ada", HARD)

    def test_a_password_alone_leaves_the_address_too(self):
        connection = Connection("http://:s3cr3t@host")
        assert (connection.url, connection.user) == ("http://host", None)

    def test_what_is_given_wins_over_the_address(self):
        connection = Connection("http://ada:one@host", **EVE)
        assert (connection.user, connection.password) == ("eve", "two")

    @pytest.mark.parametrize(
        "url", ["ftp://ada:s3cr3t@host", "ada:s3cr3t@host", "http://a:s3cr3t@h:x"]
    )
    def test_an_address_that_is_refused_shows_no_password(self, url):
        with pytest.raises(EngineError) as caught:
            Connection(url)
        assert "s3cr3t" not in str(caught.value)

    def test_secrets_are_left_out_of_its_text(self):
        assert "s3cr3t" not in repr(Connection("http://ada:s3cr3t@host"))
        assert "s3cr3t" not in repr(Connection("http://host", api_key="s3cr3t"))

    @pytest.mark.parametrize(
        "options", [{"url": "http://host", "user": "ada"}, {"url": "http://ada:x@host"}]
    )
    def test_an_api_key_and_a_user_exclude_each_other(self, options):
        with pytest.raises(EngineError, match="either an API key or a user with a password"):
            Connection(**options, api_key="key")

    def test_a_ca_file_must_exist(self):
        with pytest.raises(EngineError, match=r"CA file 'absent.pem': no such file"):
            Connection("https://host", ca_file="absent.pem")

    def test_the_environment_fills_what_is_not_given(self, monkeypatch):
        monkeypatch.setenv("KOKESHI_URL", "http://host:1")
        monkeypatch.setenv("KOKESHI_USER", "ada")
        monkeypatch.setenv("KOKESHI_PASSWORD", "two")
        found = Connection.from_environment(user="eve")
        assert found == Connection("http://host:1", **EVE)

    def test_without_an_address_there_is_none(self, monkeypatch):
        monkeypatch.delenv("KOKESHI_URL", raising=False)
        assert Connection.from_environment() is None

    def test_an_engine_is_made_of_an_address(self):
        engine = connect("http://host:1")
        assert engine.connection.url == "http://host:1"
        engine.close()


class TestCredentials:
    def test_user_and_password_are_sent(self):
        with serving(basic) as server:
            found = ask(Connection(url_of(server), user="ada", password=HARD))
        assert found == "opensearch 3.6.0"

    def test_user_and_password_of_the_address_are_sent(self):
        with serving(basic) as server:
            found = ask(Connection(url_of(server, credentials=f"ada:{QUOTED}@")))
        assert found == "opensearch 3.6.0"

    def test_an_api_key_is_sent_as_a_header(self):
        with serving(fixed(200, ROOT)) as server:
            ask(Connection(url_of(server), api_key="a2V5"))
            headers = {name.lower(): value for name, value in server.seen[0].items()}
        assert headers["authorization"] == "ApiKey a2V5"

    @pytest.mark.parametrize(
        ("options", "who"),
        [
            (ADA, "user 'ada'"),
            ({"user": "ada"}, "user 'ada'"),
            ({"api_key": "s3cr3t"}, "this API key"),
            ({}, "a client without credentials"),
        ],
    )
    def test_a_refusal_names_who_and_the_remedy_and_no_secret(self, options, who):
        with serving(basic) as server:
            message = ask(Connection(url_of(server), **options))
        assert f"wrong credentials for {who}; check KOKESHI_USER, KOKESHI_PASSWORD or" in message
        assert "s3cr3t" not in message

    def test_a_refusal_shows_no_password_of_the_address(self):
        with serving(basic) as server:
            message = ask(Connection(url_of(server, credentials="ada:s3cr3t@")))
        assert "wrong credentials" in message
        assert "s3cr3t" not in message

    def test_a_missing_permission_is_named(self):
        error = {"error": {"type": "security_exception", "reason": "no permissions for [x]"}}
        with serving(fixed(403, error)) as server:
            message = ask(Connection(url_of(server), **ADA))
        assert "user 'ada' may not do this: security_exception: no permissions for [x]" in message
        assert "s3cr3t" not in message


class TestWhatAnswers:
    @pytest.mark.parametrize(
        ("version", "message"),
        [
            ({"number": "9.4.3"}, "is not OpenSearch but Elasticsearch 9.4.3"),
            (
                {"number": "1.3.2", "distribution": "opensearch"},
                "OpenSearch 1.3.2 is too old: 2.19",
            ),
            ({"number": "2.18.0", "distribution": "opensearch"}, "is too old: 2.19 or newer"),
        ],
    )
    def test_another_engine_is_refused(self, version, message):
        with (
            serving(fixed(200, {"version": version})) as server,
            OpenSearchEngine(Connection(url_of(server))) as engine,
            pytest.raises(CapabilityError, match=message),
        ):
            engine.capabilities  # noqa: B018

    @pytest.mark.parametrize(
        ("number", "version", "derived_source"),
        [
            ("2.19.1", (2, 19, 1), False),
            ("3.5.0", (3, 5, 0), False),
            ("3.6.0", (3, 6, 0), True),
            ("3.10.0-SNAPSHOT", (3, 10, 0), True),
            ("4.0.0-rc1", (4, 0, 0), True),
        ],
    )
    def test_capabilities_go_by_the_version(self, number, version, derived_source):
        root = {"version": {"number": number, "distribution": "opensearch"}}
        with (
            serving(fixed(200, root)) as server,
            OpenSearchEngine(Connection(url_of(server))) as engine,
        ):
            found = engine.capabilities
        assert (found.version, found.derived_source) == (version, derived_source)

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b'{"hello": 1}', "application/json"),
            (b'{"version": "1"}', "application/json"),
            (b"[]", "application/json"),
            (b"hello", "text/plain"),
        ],
    )
    def test_what_is_no_search_engine_is_said_to_be_none(self, body, content_type):
        with serving(fixed(200, body), content_type=content_type) as server:
            assert "is no search engine; check the address" in ask(Connection(url_of(server)))

    @pytest.mark.parametrize(
        ("body", "content_type", "message"),
        [
            (b"no json", "application/json", "the answer is not JSON"),
            (b"<html>", "text/html", "text/html"),
        ],
    )
    def test_an_answer_that_cannot_be_read_is_an_engine_error(self, body, content_type, message):
        with serving(fixed(200, body), content_type=content_type) as server:
            assert message in ask(Connection(url_of(server)))

    @pytest.mark.parametrize(("status", "retryable"), [(503, True), (429, True), (400, False)])
    def test_the_status_of_a_refusal_is_kept(self, status, retryable):
        with (
            serving(fixed(status, {"error": {"type": "busy", "reason": "later"}})) as server,
            OpenSearchEngine(Connection(url_of(server))) as engine,
            pytest.raises(EngineError, match="busy: later") as caught,
        ):
            engine.refresh("a")
        assert (caught.value.status, caught.value.retryable) == (status, retryable)

    def test_a_shard_that_failed_is_an_error_though_others_answered(self):
        failure = {"reason": {"type": "outer", "caused_by": {"type": "inner", "reason": "why"}}}
        answer = {"hits": {"hits": []}, "_shards": {"failures": [failure]}}
        with (
            serving(fixed(200, answer)) as server,
            OpenSearchEngine(Connection(url_of(server))) as engine,
            pytest.raises(EngineError, match="search of 'a': inner: why"),
        ):
            engine.search("a", {})

    def test_every_item_of_a_bulk_request_is_parsed(self):
        error = {"type": "mapper_parsing_exception", "reason": "failed", "caused_by": {"type": "x"}}
        items = [
            {"index": {"_id": "1", "status": 201}},
            {"index": {"_id": "2", "status": 400, "error": error}},
            {"index": {"_id": "3", "status": 429, "error": {"type": "busy", "reason": "full"}}},
        ]
        with (
            serving(fixed(200, {"errors": True, "items": items})) as server,
            OpenSearchEngine(Connection(url_of(server))) as engine,
        ):
            found = engine.bulk("a", b"{}\n")
        assert [(item.id, item.status, item.retryable) for item in found] == [
            ("1", 201, False),
            ("2", 400, False),
            ("3", 429, True),
        ]
        assert [item.reason for item in found] == [None, "x: no reason given", "busy: full"]

    def test_a_slow_engine_is_given_up_after_the_timeout(self):
        waiting = threading.Event()
        with serving(lambda *_: (waiting.wait(5), fixed(200, ROOT)())[1]) as server:
            message = ask(Connection(url_of(server), timeout=0.1))
            waiting.set()
        assert "no answer within 0.1 s" in message

    def test_a_closed_port_says_how_to_start_an_engine(self):
        with serving(fixed(200, ROOT)) as server:
            url = url_of(server)
        message = ask(Connection(url, **ADA))
        assert f"{url}: engine not reachable (" in message
        assert "Connection refused" in message
        assert message.endswith("or start one with: kokeshi engine start")

    def test_a_text_that_is_no_unicode_cannot_be_sent(self):
        with (
            serving(fixed(200, ROOT)) as server,
            OpenSearchEngine(Connection(url_of(server))) as engine,
            pytest.raises(EngineError, match=r"cannot be sent: .*surrogates"),
        ):
            engine.search("a", {"query": "\ud800"})


class TestTLS:
    @pytest.fixture(scope="module")
    @staticmethod
    def certificate(tmp_path_factory) -> Path:
        """A certificate for 127.0.0.1 that signs itself; its key is in the same file."""
        folder = tmp_path_factory.mktemp("tls")
        request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        names = ["-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.pem")]
        with suppress(FileNotFoundError):
            subprocess.run(
                ["openssl", *request.split(), *names, *files], check=True, capture_output=True
            )
            return folder
        pytest.skip("no openssl to make a certificate with")

    @pytest.fixture
    def server(self, certificate):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate / "ca.pem", certificate / "key.pem")
        with serving(basic, tls=tls) as server:
            yield server

    def test_a_certificate_of_an_unknown_authority_is_not_trusted(self, server):
        message = ask(Connection(url_of(server, "https"), user="ada", password=HARD))
        assert message.endswith("certificate not trusted; give its authority with --ca-file")
        assert not server.seen

    def test_its_authority_makes_it_trusted(self, server, certificate):
        authority = str(certificate / "ca.pem")
        url = url_of(server, "https")
        found = ask(Connection(url, user="ada", password=HARD, ca_file=authority))
        assert found == "opensearch 3.6.0"

    def test_a_file_that_holds_no_authority_is_named(self, server, tmp_path):
        (tmp_path / "ca.pem").write_text("no certificate")
        message = ask(Connection(url_of(server, "https"), ca_file=str(tmp_path / "ca.pem")))
        assert f"certificate not trusted by {tmp_path / 'ca.pem'}" in message

    def test_https_to_a_plain_port_asks_for_http(self):
        with serving(fixed(200, ROOT)) as server:
            assert "is it an http:// address?" in ask(Connection(url_of(server, "https")))
