"""Servers that behave as a test wants: real HTTP and TLS on a free port of this machine."""

from __future__ import annotations

import http.server
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import orjson

from kokeshi.engines.http import AsyncHttpEngine, HttpEngine

OPENSEARCH = {"version": {"number": "3.6.0", "distribution": "opensearch"}}
ELASTICSEARCH = {"version": {"number": "9.4.3"}}
EMPTY = {"hits": {"hits": []}, "_shards": {"failures": []}}

Answer = tuple[int, bytes]
Respond = Callable[[str | None, str], Answer]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(self.connection)

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((f"{self.command} {self.path}", headers, body))
        status, body = self.server.respond(self.headers.get("authorization"), self.path)
        self.send_response(status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

    def log_message(self, *_) -> None:
        """Nothing on the terminal."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    """Of 5, the usual number, a hundred clients at once are kept waiting for seconds by the kernel."""


@contextmanager
def serving(
    respond: Respond,
    *,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
) -> Iterator[http.server.ThreadingHTTPServer]:
    """Serve on a port, a free one if 0. respond: the authorization header and the path -> status and body.

    `seen` of the server lists the requests: method and path, headers, body.
    """
    with Server(("127.0.0.1", port), Handler) as server:
        server.respond, server.seen, server.connections = respond, [], []
        server.headers = {"content-type": content_type, **(headers or {})}
        server.handle_error = lambda *_: None  # a client that hangs up in the handshake
        if tls:
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            for connection in server.connections:  # those that clients keep open
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def speaking(*conversations: Callable[[socket.socket, bytes], None]) -> Iterator[str]:
    """Serve connection after connection by hand; yields the address.

    conversations: each is given a connection whose first request has come, and that request; the last
    one serves every further connection.
    """
    stopped = threading.Event()
    opened: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.02)

        def serve() -> None:
            while not stopped.is_set():
                with suppress(TimeoutError):
                    opened.append(listener.accept()[0])
                    talk = conversations[min(len(opened), len(conversations)) - 1]
                    with opened[-1] as connection, suppress(OSError):
                        talk(connection, read_request(connection))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopped.set()
            with suppress(
                OSError
            ):  # the last one can be waiting for a client that is not closed yet
                opened[-1].shutdown(socket.SHUT_RDWR)
            thread.join()


def read_request(connection: socket.socket) -> bytes:
    """Return one request, b"" where the client hangs up."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (chunk := connection.recv(65536)):
            return b""
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0].partition(b":")[2]):
        if not (chunk := connection.recv(65536)):
            return b""
        body += chunk
    return head + b"\r\n\r\n" + body


def reply(connection: socket.socket, body: object, status: int = 200) -> None:
    """Answer one request."""
    content = orjson.dumps(body)
    head = f"HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    connection.sendall(head.encode() + content)


def url_of(server: http.server.HTTPServer, scheme: str = "http", credentials: str = "") -> str:
    return f"{scheme}://{credentials}127.0.0.1:{server.server_port}"


def fixed(status: int, body: object) -> Respond:
    """Answer always the same."""
    return lambda *_: (status, body if isinstance(body, bytes) else orjson.dumps(body))


def closed_port() -> int:
    """Return a port that nobody listens on.

    It lies below those that the system hands out, so that it goes to nobody else before it is used, or
    while who listened on it is away.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def limit(engine: HttpEngine | AsyncHttpEngine, seconds: float) -> None:
    """Give further calls of a client so long; those before it, which must succeed, had all the time."""
    engine.connection = engine._link.connection = replace(engine.connection, timeout=seconds)


def tls_of(folder: Path, name: str) -> ssl.SSLContext:
    """Return how a server speaks TLS with a certificate of the folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context
