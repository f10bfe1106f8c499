"""The encoder that asks a server, against a real server on this machine that plays each part."""

from __future__ import annotations

import json
import math
import random
import ssl
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kokeshi.encoders import embed_query
from kokeshi.encoders.http import build
from kokeshi.encoders.retry import Refusal, Tries
from kokeshi.errors import EncoderError
from kokeshi.schema import VectorSpec

KEY = "sk-very-secret-0123456789"
Answer = tuple[int, dict[str, str], bytes]


def vector_of(text: str) -> list[float]:
    return [float(len(text)), float(sum(map(ord, text)))]


def embeddings(request: dict[str, Any]) -> Answer:
    """What a good server answers; the rows come in any order, as the format allows."""
    rows = [
        {"object": "embedding", "index": index, "embedding": vector_of(text)}
        for index, text in enumerate(request["input"])
    ]
    random.shuffle(rows)
    return 200, {}, json.dumps({"object": "list", "data": rows}).encode()


def status(code: int, message: str = "", **headers: str) -> Callable[[dict[str, Any]], Answer]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: (code, names, json.dumps({"error": {"message": message}}).encode())


class Server(ThreadingHTTPServer):
    """Plays its script, one part for each request, and then answers as a good server does."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Callable[[dict[str, Any]], Answer | None]] = []
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.connections = 0
        self.hang_up = False
        self.lock = threading.Lock()
        self.all_closed = threading.Event()
        self.end = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/embeddings"

    @property
    def inputs(self) -> list[list[str]]:
        return [request["input"] for request in self.requests]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def finish(self) -> None:
        super().finish()
        self.server.all_closed.set()

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            self.server.requests.append(request)
            self.server.headers.append({k.lower(): v for k, v in self.headers.items()})
            play = self.server.script.pop(0) if self.server.script else embeddings
        answer = play(request)
        self.close_connection = answer is None or self.server.hang_up
        if answer is None:
            return
        code, headers, body = answer
        self.send_response(code)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def serve(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.end.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    yield from serve(Server())


@pytest.fixture
def load(server, monkeypatch):
    """Build an encoder for the server; what it opens is closed."""
    monkeypatch.setattr("kokeshi.encoders.retry.FIRST_WAIT_S", 0.001)
    made = []

    def load(dimension: int = 2, **options):
        given = {"url": server.url, "model": "small", "key_variable": None, **options}
        made.append(build(dimension=dimension, **given))
        return made[-1]

    yield load
    for encoder in made:
        encoder.close()


def test_rows_have_the_order_of_the_texts(load):
    texts = [f"{number:x}" * (number % 7) for number in range(100)]
    found = load(batch=9, concurrency=3).encode(texts)
    assert found.dtype == "float32"
    assert found.tolist() == [vector_of(text) for text in texts]


def test_a_request_has_the_model_and_at_most_a_batch_of_texts(server, load):
    load(batch=2, concurrency=1).encode(["a", "b", "日本"])
    assert server.requests == [
        {"model": "small", "input": ["a", "b"]},
        {"model": "small", "input": ["日本"]},
    ]


def test_no_texts_send_nothing(server, load):
    assert load().encode([]).shape == (0, 2)
    assert server.requests == []


def test_the_server_is_asked_to_shorten_only_where_the_option_says_so(server, load):
    load(send_dimensions=True).encode(["a"])
    assert server.requests[0]["dimensions"] == 2


def test_queries_and_documents_have_their_own_prefix(server, load):
    encoder = load(query_prefix="query: ", document_prefix="passage: ")
    encoder.encode(["shoe"])
    embed_query(encoder, VectorSpec(encoder="http", source="{t}", dimension=2), "shoe")
    assert server.inputs == [["passage: shoe"], ["query: shoe"]]


def test_the_model_is_the_identity(load):
    names = {load().name, load(query_prefix="q").name, load(batch=3).name}
    assert names == {"http-small"}
    assert load(model="large").name == "http-large"
    assert load(document_prefix="d").name not in names


class TestKey:
    @pytest.fixture(autouse=True)
    def _exported(self, monkeypatch):
        monkeypatch.setenv(
            "OPENAI_API_KEY", f"{KEY}\n"
        )  # as `export X=$(cat file)` never leaves it
        monkeypatch.setenv("OTHER_KEY", "other")
        monkeypatch.delenv("NO_KEY", raising=False)

    @pytest.mark.parametrize(
        ("options", "header"),
        [
            ({"key_variable": "OPENAI_API_KEY"}, f"Bearer {KEY}"),
            ({"key_variable": "OTHER_KEY"}, "Bearer other"),
            ({"key_variable": None}, None),
        ],
    )
    def test_it_is_sent_as_bearer(self, server, load, options, header):
        load(**options).encode(["a"])
        assert server.headers[0].get("authorization") == header

    def test_the_usual_variable_is_the_default(self, server):
        encoder = build(dimension=2, url=server.url, model="small")
        encoder.encode(["a"])
        encoder.close()
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"

    def test_a_variable_that_is_not_set_says_what_to_do(self, load):
        with pytest.raises(
            EncoderError, match="variable NO_KEY is not set; export .* write key_variable: null"
        ):
            load(key_variable="NO_KEY")

    @pytest.mark.parametrize("key", ["sk-a\r\nx: y", "sk-ä", "sk a"])
    def test_one_that_no_header_can_hold_is_refused_unquoted(self, load, monkeypatch, key):
        monkeypatch.setenv("OTHER_KEY", key)
        with pytest.raises(EncoderError, match="OTHER_KEY holds no key") as caught:
            load(key_variable="OTHER_KEY")
        assert "sk" not in str(caught.value)

    @pytest.mark.parametrize("code", [400, 401, 403, 429, 500])
    def test_no_error_holds_it(self, server, load, code):
        server.script = [status(code, f"bad key {KEY} in Bearer {KEY}")] * 2
        encoder = load(key_variable="OPENAI_API_KEY", retries=1)
        with pytest.raises(EncoderError, match=f"answered {code}") as caught:
            encoder.encode(["a"])
        assert KEY not in "".join(traceback.format_exception(caught.value))
        assert KEY not in repr(encoder._client.endpoint)

    def test_a_wrong_one_names_its_variable(self, server, load):
        server.script = [status(401, "Incorrect API key provided: sk-ve*****789")]
        with pytest.raises(EncoderError, match=r"answered 401; check the key in OPENAI_API_KEY$"):
            load(key_variable="OPENAI_API_KEY").encode(["a"])

    def test_a_missing_one_names_the_option(self, server, load):
        server.script = [status(401)]
        with pytest.raises(EncoderError, match="name the environment variable .* as key_variable"):
            load().encode(["a"])


class TestRefusals:
    """What will not pass is one error, at once."""

    @pytest.mark.parametrize(
        ("part", "message"),
        [
            (status(400, "input[0]\n is empty"), r"answered 400 \(input\[0\] is empty\)$"),
            (status(404, "no such model"), r"answered 404 \(no such model\); .* url and model"),
            (status(413), "answered 413; write a smaller batch"),
            (
                status(302, location="https://elsewhere.example/v1"),
                "answered 302; it redirects to https://elsewhere.example/v1; if you trust that",
            ),
            (lambda _: (404, {}, b"<h1>Not found</h1>"), r"404 \(<h1>Not found</h1>\)"),
            (lambda _: (422, {}, b'{"detail": "too long"}'), r"answered 422 \(too long\)"),
            (lambda _: (422, {}, b'{"error": "too long"}'), r"answered 422 \(too long\)"),
        ],
    )
    def test_it_says_what_the_server_says(self, server, load, part, message):
        server.script = [part]
        with pytest.raises(EncoderError, match=f"^encoder http: {server.url} .*{message}"):
            load().encode(["a"])
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"", "did not answer as an embeddings endpoint does, but b''; check the option url"),
            (b"<html>", "but b'<html>'"),
            (b"[]", "but b'\\[\\]'"),
            (b'{"data": [{"embedding": [1, 2]}]}', "did not answer as an embeddings endpoint"),
            (b'{"data": null}', "did not answer as an embeddings endpoint"),
            (b'{"data": []}', "answered 0 embeddings with the indices .* for 1 texts"),
            (b'{"data": [{"index": 1, "embedding": [1, 2]}]}', r"the indices \['1'\] for 1 texts"),
            (b'{"data": [{"index": [], "embedding": []}]}', "did not answer as an embeddings"),
            (
                b'{"data": [{"index": 0, "embedding": [1, 2]}, {"index": 0, "embedding": [3, 4]}]}',
                "answered 2 embeddings",
            ),
            (b'{"data": [{"index": 0, "embedding": "AACAPw=="}]}', "no list of numbers"),
            (b'{"data": [{"index": 0, "embedding": [1, {}]}]}', "no list of numbers"),
            (b'{"data": [{"index": 0, "embedding": [1, 1e39]}]}', "NaN or infinite components"),
            (b'{"data": [{"index": 0, "embedding": [1, null]}]}', "NaN or infinite components"),
        ],
    )
    def test_an_answer_that_is_none_is_refused(self, server, load, body, message):
        server.script = [lambda _: (200, {}, body)]
        with pytest.raises(EncoderError, match=message):
            load().encode(["a"])
        assert len(server.requests) == 1

    def test_another_dimension_than_the_spec_says(self, load):
        with pytest.raises(
            EncoderError, match=r"makes 2 dimensions, .* dimension: 3; .* send_dimensions: true"
        ):
            load(dimension=3).encode(["a"])

    def test_rows_of_different_lengths(self, server, load):
        rows = [{"index": 0, "embedding": [1, 2]}, {"index": 1, "embedding": [1]}]
        server.script = [lambda _: (200, {}, json.dumps({"data": rows}).encode())]
        with pytest.raises(EncoderError, match="no list of numbers"):
            load().encode(["a", "b"])

    @pytest.mark.parametrize("url", ["host/v1", "ftp://host/v1", "https://", "http://h:x/", "a b"])
    def test_a_url_that_is_none(self, load, url):
        with pytest.raises(EncoderError, match="option url: .* is not one; write it in full"):
            load(url=url)

    def test_a_url_with_a_password_is_refused_unquoted(self, load):
        with pytest.raises(EncoderError, match="holds a user or a password") as caught:
            load(url="https://user:hush@host/v1/embeddings")
        assert "hush" not in str(caught.value)

    def test_the_query_of_a_url_is_sent_and_not_shown(self, server, load):
        server.script = [status(400)]
        with pytest.raises(EncoderError, match="answered 400") as caught:
            load(url=f"{server.url}?token=hush").encode(["a"])
        assert "hush" not in str(caught.value)


class TestTries:
    """What passes is tried again."""

    @pytest.mark.parametrize(
        "part",
        [
            status(429, retry_after="0"),
            status(429, retry_after=formatdate(usegmt=True)),
            status(429, retry_after="soon"),
            status(500),
            status(503),
            lambda _: None,  # hangs up
        ],
    )
    def test_a_busy_server_is_asked_again(self, server, load, part):
        server.script = [part, part]
        assert load().encode(["abc"]).tolist() == [vector_of("abc")]
        assert server.inputs == [["abc"]] * 3

    def test_after_the_last_try_it_says_how_many(self, server, load):
        server.script = [status(503, "overloaded")] * 9
        with pytest.raises(EncoderError, match=r"503 \(overloaded\), after 3 tries; try later"):
            load(retries=2).encode(["a"])
        assert len(server.requests) == 3

    def test_a_wait_beyond_the_deadline_is_not_waited(self, server, load):
        server.script = [status(429, "slow down", retry_after="3600")]
        with pytest.raises(EncoderError, match=r"answered 429 \(slow down\); try later"):
            load(timeout=30).encode(["a"])
        assert len(server.requests) == 1

    def test_a_server_that_never_answers(self, server, load):
        server.script = [lambda _: server.end.wait() and None]
        with pytest.raises(EncoderError, match="did not answer in time; write a longer timeout"):
            load(timeout=0.2).encode(["a"])

    def test_nobody_there(self, load):
        with pytest.raises(
            EncoderError, match="cannot be reached .*refused.*, after 3 tries; check the option url"
        ):
            load(url="http://127.0.0.1:1/v1/embeddings", retries=2).encode(["a"])

    @pytest.mark.parametrize("texts", [["bad", "busy"], ["busy", "bad"]])
    def test_after_an_error_the_other_batches_wait_no_longer(self, server, load, texts):
        waiting = threading.Event()

        def play(request: dict[str, Any]) -> Answer:
            if request["input"] == ["busy"]:
                waiting.set()
                return status(503, retry_after="30")(request)
            waiting.wait()
            return status(400, "bad")(request)

        server.script = [play] * 502
        with pytest.raises(EncoderError, match="answered 400"):
            load(batch=1, concurrency=2).encode([*texts, *"abcde" * 100])
        assert server.inputs.count(["busy"]) == 1
        assert len(server.inputs) < 500  # nor are those sent that had not begun

    def test_waits_double_with_a_random_part(self, monkeypatch):
        monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2)
        tries, busy = Tries(60, 3), Refusal("busy", passing=True)
        assert [tries.wait_after(busy) for _ in range(4)] == [0.375, 0.75, 1.5, None]
        assert tries.count == 4

    def test_the_servers_own_wait_is_waited(self):
        assert Tries(60, 3).wait_after(Refusal("busy", passing=True, retry_after_s=7)) == 7

    def test_what_does_not_pass_is_not_waited_for(self):
        assert Tries(math.inf, 3).wait_after(Refusal("wrong")) is None


class TestConnections:
    def test_they_are_kept(self, server, load):
        encoder = load(concurrency=1)
        for _ in range(5):
            encoder.encode(["a"])
        assert server.connections == 1

    def test_one_that_the_server_dropped_is_opened_again(self, server, load):
        server.hang_up = True
        encoder = load()
        assert [encoder.encode(["a"]).tolist() for _ in range(3)] == [[vector_of("a")]] * 3

    def test_close_closes_them_and_the_next_text_opens_one(self, server, load):
        encoder = load()
        encoder.encode(["a"])
        assert not server.all_closed.is_set()
        encoder.close()
        assert server.all_closed.wait(30)
        assert encoder.encode(["b"]).tolist() == [vector_of("b")]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that only itself vouches for, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=test"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.pem")]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return folder


class TestTls:
    @pytest.fixture
    def port(self, certificate) -> Iterator[int]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "ca.pem", certificate / "key.pem")
        server = Server()
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield from (running.server_port for running in serve(server))

    def test_a_trusted_certificate_is_enough(self, load, certificate, port):
        url = f"https://127.0.0.1:{port}/v1/embeddings"
        encoder = load(url=url, ca_file=str(certificate / "ca.pem"))
        assert encoder.encode(["a"]).tolist() == [vector_of("a")]

    def test_one_that_nobody_vouches_for_is_refused(self, load, port):
        with pytest.raises(
            EncoderError, match="no TLS that can be trusted .*; write the file .* as ca_file"
        ):
            load(url=f"https://127.0.0.1:{port}/v1/embeddings").encode(["a"])

    def test_one_of_another_name_is_refused(self, load, certificate, port):
        url = f"https://localhost:{port}/v1/embeddings"
        with pytest.raises(EncoderError, match="no TLS that can be trusted .*localhost"):
            load(url=url, ca_file=str(certificate / "ca.pem")).encode(["a"])

    def test_a_file_without_certificates_is_named(self, load, tmp_path):
        (tmp_path / "ca.pem").write_text("nothing")
        for name in ("ca.pem", "absent.pem"):
            with pytest.raises(
                EncoderError, match=f"option ca_file: '.*{name}' is no file of cert"
            ):
                load(url="https://127.0.0.1:1/v1", ca_file=str(tmp_path / name))
