"""What a caller is told when an engine is away, refuses or is none: over real HTTP and TLS, both clients."""

from __future__ import annotations

import asyncio
import pickle
import shutil
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

import orjson
import pytest

from kokeshi.engines import Connection, calls
from kokeshi.engines.http import AsyncHttpEngine, HttpEngine
from kokeshi.errors import CapabilityError, EngineError
from tests.secured import make_authority, sign_certificate
from tests.servers import (
    ELASTICSEARCH,
    EMPTY,
    OPENSEARCH,
    Answer,
    closed_port,
    fixed,
    serving,
    tls_of,
    url_of,
)

HARD = "s3cr3t/@é藍"
QUOTED = "s3cr3t%2F%40%C3%A9%E8%97%8D"
ADA = {"user": "ada", "password": "s3cr3t"}
Perform = Callable[..., object]


def basic(authorization: str | None, _: str) -> Answer:
    expected = b"Basic " + b64encode(f"ada:{HARD}".encode())
    if authorization and authorization.encode() == expected:
        return 200, orjson.dumps(OPENSEARCH)
    return 401, b'{"error": "Unauthorized"}'


def after_root(status: int, body: object) -> Callable[[str | None, str], Answer]:
    """Answer as OpenSearch at `/`, and with this elsewhere."""
    other = fixed(status, body)
    return lambda who, path: fixed(200, OPENSEARCH)() if path == "/" else other(who, path)


@pytest.fixture(params=["threads", "asyncio"])
def perform(request) -> Perform:
    """Open a client, perform calls, close it; returns the last result, or the capabilities without a call."""

    def blocking(connection: Connection, *asked: calls.Call) -> object:
        with HttpEngine(connection) as engine:
            return [engine.capabilities, *(engine.perform(call) for call in asked)][-1]

    async def awaiting(connection: Connection, *asked: calls.Call) -> object:
        async with AsyncHttpEngine(connection) as engine:
            return [await engine.capabilities(), *[await engine.perform(c) for c in asked]][-1]

    if request.param == "threads":
        return blocking
    return lambda *asked: asyncio.run(awaiting(*asked))


@pytest.fixture
def ask(perform) -> Callable[[Connection], str]:
    """Ask who is there: the text of the capabilities, or that of the error."""

    def run(connection: Connection) -> str:
        try:
            return str(perform(connection))
        except EngineError as error:
            return str(error)

    return run


class TestCredentials:
    def test_user_and_password_are_sent(self, ask):
        with serving(basic) as server:
            assert ask(Connection(url_of(server), user="ada", password=HARD)) == "OpenSearch 3.6.0"

    def test_user_and_password_of_the_address_are_sent(self, ask):
        with serving(basic) as server:
            found = ask(Connection(url_of(server, credentials=f"ada:{QUOTED}@")))
        assert found == "OpenSearch 3.6.0"

    @pytest.mark.parametrize(
        ("options", "header"),
        [
            ({"api_key": "a2V5"}, "ApiKey a2V5"),
            ({"api_key": "id:key"}, "ApiKey aWQ6a2V5"),
            ({"bearer": "token"}, "Bearer token"),
            ({}, None),
        ],
    )
    def test_each_way_is_a_header(self, ask, options, header):
        with serving(fixed(200, OPENSEARCH)) as server:
            ask(Connection(url_of(server), **options))
        assert [headers.get("authorization") for _, headers, _ in server.seen] == [header]

    @pytest.mark.parametrize(
        ("options", "who", "where"),
        [
            (ADA, "user 'ada'", "KOKESHI_USER and KOKESHI_PASSWORD"),
            ({"api_key": "s3cr3t"}, "this API key", "KOKESHI_API_KEY"),
            ({"bearer": "s3cr3t"}, "this bearer token", "KOKESHI_BEARER"),
            ({}, "a client without credentials", "KOKESHI_USER, KOKESHI_PASSWORD or"),
        ],
    )
    def test_a_refusal_names_who_and_the_remedy(self, ask, options, who, where):
        with serving(basic) as server:
            message = ask(Connection(url_of(server), **options))
        assert f"wrong credentials for {who}; check {where}" in message

    def test_what_echoes_the_request_shows_no_secret(self, ask):
        def echo(authorization: str | None, _: str) -> Answer:
            return 400, f"<html>you sent {authorization}</html>".encode()

        with serving(echo, content_type="text/html") as server:
            message = ask(Connection(url_of(server), bearer="s3cr3t"))
        assert "Bearer ***" in message


class TestPrivileges:
    @pytest.mark.parametrize(
        ("reason", "message"),
        [
            (
                "action [indices:admin/create] is unauthorized for API key id [x] of user [y] on "
                "indices [shop], this action is granted by the index privileges [create_index,all]",
                "user 'ada' may not create_index: it lacks the index privilege create_index on 'shop' "
                "(or all) (security_exception: action",
            ),
            (
                "no permissions for [indices:admin/create] and User [name=ada]",
                "user 'ada' may not create_index: it lacks the permission indices:admin/create (",
            ),
            ("current license is non-compliant for [x]", "security_exception: current license"),
        ],
    )
    def test_what_is_missing_is_named(self, perform, reason, message):
        error = {"error": {"type": "security_exception", "reason": reason}}
        with (
            serving(after_root(403, error)) as server,
            pytest.raises(EngineError) as caught,
        ):
            perform(Connection(url_of(server), **ADA), calls.create_index("shop", {}))
        assert message in str(caught.value)
        assert caught.value.status == 403


class TestWhatAnswers:
    @pytest.mark.parametrize(
        ("version", "message"),
        [
            (
                {"number": "1.3.2", "distribution": "opensearch"},
                "OpenSearch 1.3.2 is too old: 2.19",
            ),
            ({"number": "2.18.0", "distribution": "opensearch"}, "is too old: 2.19 or newer"),
            ({"number": "8.18.1"}, "Elasticsearch 8.18.1 is too old: 8.19 or newer"),
        ],
    )
    def test_an_old_engine_is_refused(self, perform, version, message):
        with (
            serving(fixed(200, {"version": version})) as server,
            pytest.raises(CapabilityError, match=message),
        ):
            perform(Connection(url_of(server)))

    def test_another_engine_than_the_named_one_is_refused(self, ask):
        with serving(fixed(200, OPENSEARCH)) as server:
            message = ask(Connection(url_of(server), engine="elasticsearch"))
        assert "is OpenSearch, not Elasticsearch; leave out the setting 'engine'" in message

    @pytest.mark.parametrize(
        ("product", "found"),
        [({}, "OpenSearch 2.19"), ({"x-elastic-product": "x"}, "Elasticsearch 8.19")],
    )
    def test_who_may_not_know_the_version_gets_the_oldest(self, ask, product, found):
        error = {"error": {"type": "security_exception", "reason": "x"}}
        with serving(fixed(403, error), headers=product) as server:
            assert ask(Connection(url_of(server))) == found

    @pytest.mark.parametrize("leaves", [True, False])
    def test_whether_it_leaves_vectors_out_is_found_without_the_version(self, perform, leaves):
        refused = fixed(403, {"error": {"type": "security_exception", "reason": "x"}})
        unknown = fixed(400, {"error": {"type": "illegal_argument_exception", "reason": "x"}})
        asked = "/kokeshi/_mget?_source_exclude_vectors=false"

        def respond(who: str | None, path: str) -> Answer:
            return (unknown if path == asked and not leaves else refused)(who, path)

        with serving(respond, headers={"x-elastic-product": "x"}) as server:
            assert perform(Connection(url_of(server))).leaves_vectors_out == leaves

    def test_serverless_has_no_version_to_ask_for(self, monkeypatch):
        pytest.importorskip("boto3", reason="the extra aws is not installed")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
        with serving(fixed(404, b"")) as server:
            options = {"aws_region": "eu-west-1", "aws_service": "aoss"}
            with HttpEngine(Connection(url_of(server), **options)) as engine:
                assert str(engine.capabilities) == "OpenSearch 2.19"
        assert server.seen == []

    @pytest.mark.parametrize(
        ("number", "version", "derived_source", "base64"),
        [
            ("2.19.1", (2, 19, 1), False, None),
            ("3.5.0", (3, 5, 0), False, None),
            ("3.6.0", (3, 6, 0), True, None),
            ("3.9.0", (3, 9, 0), True, "<f4"),
            ("3.10.0-SNAPSHOT", (3, 10, 0), True, "<f4"),
            ("4.0.0-rc1", (4, 0, 0), True, "<f4"),
        ],
    )
    def test_capabilities_go_by_the_version(self, perform, number, version, derived_source, base64):
        root = {"version": {"number": number, "distribution": "opensearch"}}
        with serving(fixed(200, root)) as server:
            found = perform(Connection(url_of(server)))
        assert (found.version, found.derived_source) == (version, derived_source)
        assert found.base64_vectors == base64

    @pytest.mark.parametrize(
        "body", [b'{"hello": 1}', b'{"version": "1"}', b"[]", b'{"version": {"number": 1}}']
    )
    def test_what_is_no_search_engine_is_said_to_be_none(self, ask, body):
        with serving(fixed(200, body)) as server:
            assert "is no search engine; check the address" in ask(Connection(url_of(server)))

    @pytest.mark.parametrize("status", [200, 404])
    @pytest.mark.parametrize(
        ("body", "content_type", "shown"),
        [
            (b"no json", "text/plain", "text/plain 'no json'"),
            (
                b"<html><style>a{}</style><h1>Sign\n in</h1></html>",
                "text/html",
                "text/html 'Sign in'",
            ),
        ],
    )
    def test_an_answer_of_a_proxy_is_shown_in_one_line(
        self, ask, status, body, content_type, shown
    ):
        with serving(fixed(status, body), content_type=content_type) as server:
            message = ask(Connection(url_of(server)))
        assert shown in message
        assert "\n" not in message

    def test_a_redirect_is_not_followed_but_told(self, ask):
        to = {"location": "https://ada:s3cr3t@other:9200/login?token=s3cr3t"}
        with serving(fixed(301, b""), headers=to) as server:
            message = ask(Connection(url_of(server)))
        assert message.endswith(
            "redirected (status 301) to https://other:9200; give the address of the engine itself"
        )
        assert len(server.seen) == 1

    def test_the_status_of_a_refusal_is_kept(self, perform):
        with (
            serving(after_root(400, {"error": {"type": "bad", "reason": "body"}})) as server,
            pytest.raises(EngineError, match="bad: body") as caught,
        ):
            perform(Connection(url_of(server)), calls.refresh("a"))
        assert (caught.value.status, caught.value.retryable) == (400, False)

    def test_a_shard_that_failed_is_an_error_though_others_answered(self, perform):
        failure = {"reason": {"type": "outer", "caused_by": {"type": "inner", "reason": "why"}}}
        answer = {"hits": {"hits": []}, "_shards": {"failures": [failure]}}
        with (
            serving(after_root(200, answer)) as server,
            pytest.raises(EngineError, match="search of 'a': inner: why"),
        ):
            perform(Connection(url_of(server)), calls.search("a", {}))

    def test_every_item_of_a_bulk_request_is_parsed(self, perform):
        error = {"type": "mapper_parsing_exception", "reason": "failed", "caused_by": {"type": "x"}}
        items = [
            {"index": {"status": 201}},
            {"index": {"status": 400, "error": error}},
            {"index": {"status": 429, "error": {"type": "busy", "reason": "full"}}},
        ]
        with serving(after_root(200, {"errors": True, "items": items})) as server:
            found = perform(Connection(url_of(server)), calls.bulk("a", b"{}\n"))
        assert [(item.status, item.retryable) for item in found] == [
            (201, False),
            (400, False),
            (429, True),
        ]
        reasons = [None, "failed; x: no reason given", "busy: full"]
        assert [item.reason for item in found] == reasons

    @pytest.mark.parametrize(
        ("status", "type_"),
        [
            (403, "cluster_block_exception"),
            (429, "cluster_block_exception"),
            (400, "index_closed_exception"),
        ],
    )
    def test_an_index_that_takes_nothing_for_now_is_no_fault_of_a_document(
        self, perform, status, type_
    ):
        error = {"type": type_, "reason": "blocked"}
        items = [{"index": {"status": status, "error": error}}]
        with serving(after_root(200, {"errors": True, "items": items})) as server:
            (found,) = perform(Connection(url_of(server)), calls.bulk("a", b"{}\n"))
        assert (found.status, found.retryable) == (503, True)
        assert found.reason == f"{type_}: blocked"

    @pytest.mark.parametrize(
        ("status", "type_"), [(403, "security_exception"), (404, "index_not_found_exception")]
    )
    def test_what_is_refused_of_the_index_is_an_error_of_the_request(self, perform, status, type_):
        items = [{"index": {"status": status, "error": {"type": type_, "reason": "why"}}}]
        with (
            serving(after_root(200, {"errors": True, "items": items})) as server,
            pytest.raises(EngineError, match=f"bulk of 'a': {type_}: why") as caught,
        ):
            perform(Connection(url_of(server)), calls.bulk("a", b"{}\n"))
        assert (caught.value.status, caught.value.retryable) == (status, False)

    def test_a_slow_engine_is_given_up_after_the_timeout(self, ask):
        waiting = threading.Event()
        with serving(lambda *_: (waiting.wait(60), fixed(200, OPENSEARCH)())[1]) as server:
            message = ask(Connection(url_of(server), timeout=0.1))
            waiting.set()
        assert "no answer within 0.1 s" in message

    def test_a_closed_port_says_how_to_start_an_engine(self, ask):
        url = f"http://127.0.0.1:{closed_port()}"
        message = ask(Connection(url, **ADA))
        assert f"{url}: engine not reachable (connection refused" in message
        assert message.endswith("or start one with: kokeshi engine start")

    def test_an_unknown_host_is_named(self, ask):
        message = ask(Connection("http://absent.invalid:9200", retries=0))
        assert "http://absent.invalid:9200: engine not reachable (unknown host)" in message

    def test_a_text_that_is_no_unicode_cannot_be_sent(self, perform):
        with (
            serving(after_root(200, EMPTY)) as server,
            pytest.raises(EngineError, match=r"the search cannot be sent: .*surrogates"),
        ):
            perform(Connection(url_of(server)), calls.search("a", {"query": "\ud800"}))


class TestRequests:
    def test_requests_can_be_compressed(self, perform):
        with serving(after_root(200, EMPTY)) as server:
            body = {"query": "x" * 5000}
            perform(Connection(url_of(server), compress=True), calls.search("a", body))
        _, headers, content = server.seen[-1]
        assert headers["content-encoding"] == "gzip"
        assert len(content) < 500

    def test_a_path_before_the_engine_is_kept(self, perform):
        respond = fixed(200, OPENSEARCH | EMPTY)
        with serving(respond) as server:
            perform(Connection(f"{url_of(server)}/search/"), calls.search("a", {}))
        assert [what for what, _, _ in server.seen][-1] == "POST /search/a/_search"

    @pytest.mark.parametrize("service", ["es", None])
    def test_aws_signs_each_request(self, perform, monkeypatch, service):
        pytest.importorskip("boto3", reason="the extra aws is not installed")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
        with serving(after_root(200, EMPTY)) as server:
            options = {"aws_region": "eu-west-1", "aws_service": service}
            perform(Connection(url_of(server), **options), calls.search("a", {"size": 1}))
        signatures = {headers["authorization"] for _, headers, _ in server.seen}
        assert len(signatures) == len(server.seen)
        assert all("/eu-west-1/es/aws4_request, SignedHeaders=" in s for s in signatures)
        assert all("x-amz-content-sha256" in headers for _, headers, _ in server.seen)
        assert not any("s3cr3t" in str(headers) for _, headers, _ in server.seen)

    @pytest.mark.parametrize("root", [OPENSEARCH, ELASTICSEARCH])
    def test_vectors_are_sent_once(self, perform, root):
        with serving(fixed(200, root | EMPTY)) as server:
            perform(Connection(url_of(server)), calls.search("a", {"v": [0.25, 1]}))
        assert [body for what, _, body in server.seen if "_search" in what] == [b'{"v":[0.25,1]}']


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Certificates: of the server, expired, for another host, of a client; and another authority."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("tls")
    make_authority(folder)
    sign_certificate(folder, "server")
    sign_certificate(folder, "expired", days=-1)
    sign_certificate(folder, "elsewhere", names="DNS:elsewhere,IP:10.0.0.1")
    sign_certificate(folder, "client")
    return folder


class TestTLS:
    @pytest.fixture
    def server(self, folder):
        with serving(basic, tls=tls_of(folder, "server")) as server:
            yield server

    def test_a_certificate_of_an_unknown_authority_is_not_trusted(self, ask, server):
        message = ask(Connection(url_of(server, "https"), user="ada", password=HARD))
        assert "certificate not trusted (" in message
        assert message.endswith("give its authority with --ca-file")
        assert not server.seen

    def test_its_authority_makes_it_trusted(self, ask, server, folder):
        options = {"user": "ada", "password": HARD, "ca_file": str(folder / "ca.pem")}
        assert ask(Connection(url_of(server, "https"), **options)) == "OpenSearch 3.6.0"

    def test_other_authorities_are_not_trusted_beside_it(
        self, ask, server, folder, tmp_path, monkeypatch
    ):
        make_authority(tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
        for known in ("elastic_transport._node._http_urllib3", "elastic_transport._node._base"):
            monkeypatch.setattr(f"{known}.DEFAULT_CA_CERTS", str(folder / "ca.pem"))
        message = ask(Connection(url_of(server, "https"), ca_file=str(tmp_path / "ca.pem")))
        assert f"certificate not trusted by {tmp_path / 'ca.pem'}" in message

    def test_without_one_those_of_the_system_are_trusted(self, ask, server, folder, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
        message = ask(Connection(url_of(server, "https")))
        assert "wrong credentials" in message

    def test_a_file_that_holds_no_authority_is_named(self, ask, server, tmp_path):
        (tmp_path / "ca.pem").write_text("no certificate")
        message = ask(Connection(url_of(server, "https"), ca_file=str(tmp_path / "ca.pem")))
        assert f"CA file '{tmp_path / 'ca.pem'}' holds no certificate" in message

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("expired", "certificate not valid now (certificate has expired); renew it"),
            ("elsewhere", "the certificate is for another host ("),
        ],
    )
    def test_what_is_wrong_with_a_certificate_is_said(self, ask, folder, name, message):
        with serving(basic, tls=tls_of(folder, name)) as server:
            found = ask(Connection(url_of(server, "https"), ca_file=str(folder / "ca.pem")))
        assert message in found
        assert not server.seen

    @pytest.mark.parametrize("name", ["server", "expired", "elsewhere"])
    def test_a_fingerprint_pins_a_certificate_whatever_else_it_says(self, ask, folder, name):
        with serving(basic, tls=tls_of(folder, name)) as server:
            pinned = fingerprint(folder / f"{name}.pem")
            options = {"user": "ada", "password": HARD, "fingerprint": pinned}
            assert ask(Connection(url_of(server, "https"), **options)) == "OpenSearch 3.6.0"

    @pytest.mark.parametrize("engine", ["opensearch", "elasticsearch"])
    @pytest.mark.parametrize("other", ["client", "ca"])
    def test_another_fingerprint_is_refused_also_that_of_the_authority(
        self, ask, folder, tmp_path, engine, other
    ):
        chain = tmp_path / "chain.pem"
        chain.write_bytes((folder / "server.pem").read_bytes() + (folder / "ca.pem").read_bytes())
        tls = tls_of(folder, "server")
        tls.load_cert_chain(chain, folder / "server.key")
        with serving(basic, tls=tls) as server:
            pinned = fingerprint(folder / f"{other}.pem")
            message = ask(Connection(url_of(server, "https"), fingerprint=pinned, engine=engine))
        found = fingerprint(folder / "server.pem").replace(":", "").lower()
        assert f"the certificate is another: its SHA-256 fingerprint is {found}" in message
        assert not server.seen

    @pytest.mark.parametrize("trust", ["ca_file", "fingerprint"])
    def test_a_client_certificate_is_shown(self, ask, folder, trust):
        tls = tls_of(folder, "server")
        tls.load_verify_locations(folder / "ca.pem")
        tls.verify_mode = ssl.CERT_REQUIRED
        by = {"ca_file": str(folder / "ca.pem"), "fingerprint": fingerprint(folder / "server.pem")}
        options = {trust: by[trust]}
        with serving(fixed(200, OPENSEARCH), tls=tls) as server:
            url = url_of(server, "https")
            without = ask(Connection(url, **options, retries=0))
            pair = {
                "client_cert": str(folder / "client.pem"),
                "client_key": str(folder / "client.key"),
            }
            assert ask(Connection(url, **options, **pair)) == "OpenSearch 3.6.0"
        assert without.startswith(f"{url}: ")

    def test_a_client_certificate_without_its_key_is_named(self, ask, folder):
        options = {"client_cert": str(folder / "client.pem"), "ca_file": str(folder / "ca.pem")}
        message = ask(Connection("https://127.0.0.1:1", **options))
        assert f"client certificate '{folder / 'client.pem'}' cannot be used" in message

    def test_https_to_a_plain_port_asks_for_http(self, ask):
        with serving(fixed(200, OPENSEARCH)) as server:
            assert "is it an http:// address?" in ask(Connection(url_of(server, "https")))

    def test_http_to_a_port_of_tls_asks_for_https(self, ask, server):
        assert "is it an https:// address?" in ask(Connection(url_of(server), retries=0))


def fingerprint(file) -> str:
    """Return what `openssl x509 -fingerprint -sha256` prints after the `=`."""
    digits = sha256(ssl.PEM_cert_to_DER_cert(file.read_text())).hexdigest().upper()
    return ":".join(digits[i : i + 2] for i in range(0, 64, 2))


def test_a_connection_with_secrets_is_not_pickled():
    with pytest.raises(TypeError, match="a connection with credentials is not pickled"):
        pickle.dumps(Connection("http://host", **ADA))
    plain = Connection("http://host", timeout=3)
    assert pickle.loads(pickle.dumps(plain)) == plain  # noqa: S301
