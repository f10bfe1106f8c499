"""A relay before a real engine, that breaks, refuses or delays some of the requests."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

Fate = Literal["pass", "slow", "busy", "reset", "lost"]
"""What becomes of a request. slow: it takes longer; busy: a 429 in place of the engine's answer; reset: the
connection breaks before the engine gets it; lost: it gets it, but its answer does not arrive.
"""

SLOW_S = 0.1
REFUSAL = b'{"error":{"type":"rejected_execution_exception","reason":"storm"},"status":429}'
HEAD = "HTTP/1.1 429 x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n"
BUSY = HEAD.format(len(REFUSAL)).encode() + REFUSAL


@contextmanager
def relay(
    url: str, decide: Callable[[int], Fate], *, of: str, timeout: float = 60
) -> Iterator[str]:
    """Stand before an engine and hand on its requests; yields the address.

    decide: the number of a request, from 1 -> what becomes of it; `of` is what its target has in it, and
    the others pass.
    """
    stopped = threading.Event()
    carry = _Carrier(url, decide, of.encode()).carry

    def serve(listener: socket.socket, carriers: ThreadPoolExecutor) -> None:
        while not stopped.is_set():
            with suppress(TimeoutError):
                client, _ = listener.accept()
                client.settimeout(timeout)
                carriers.submit(carry, client)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(64) as carriers:
        listener.settimeout(0.02)
        thread = threading.Thread(target=serve, args=(listener, carriers))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopped.set()
            thread.join()


class _Carrier:
    def __init__(self, url: str, decide: Callable[[int], Fate], of: bytes) -> None:
        parts = urlsplit(url)
        self._engine = (parts.hostname, parts.port)
        self._decide = decide
        self._of = of
        self._seen = 0
        self._lock = threading.Lock()

    def carry(self, client: socket.socket) -> None:
        """Hand on what comes over one connection, until either side hangs up."""
        with suppress(OSError), client, socket.create_connection(self._engine) as engine:
            going_on = True
            while going_on:
                request = read_message(client)
                going_on = hand_on(request, self._fate(request), client, engine)

    def _fate(self, request: bytes) -> Fate:
        if self._of not in request.partition(b"\r\n")[0]:
            return "pass"
        with self._lock:
            self._seen += 1
            return self._decide(self._seen)


def hand_on(request: bytes, fate: Fate, client: socket.socket, engine: socket.socket) -> bool:
    """Answer one request; returns whether the connection is still of use."""
    if fate == "busy":
        client.sendall(BUSY)
        return True
    if fate == "slow":
        time.sleep(SLOW_S)
    answer = b""
    if fate != "reset":
        engine.sendall(request)
        answer = read_message(engine)
    if fate in ("reset", "lost"):  # not an orderly end
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    client.sendall(answer)
    return True


def read_message(connection: socket.socket) -> bytes:
    """Return one request or answer; raises ConnectionError where it breaks off."""
    received = bytearray()
    while b"\r\n\r\n" not in received:
        received += receive(connection)
    head = bytes(received).partition(b"\r\n\r\n")[0].lower()
    if b"transfer-encoding: chunked" in head:
        while not received.endswith(b"0\r\n\r\n"):
            received += receive(connection)
        return bytes(received)
    _, _, length = head.partition(b"\r\ncontent-length:")
    size = len(head) + 4 + int(length.split(b"\r\n")[0] or 0)
    while len(received) < size:
        received += receive(connection)
    return bytes(received)


def receive(connection: socket.socket) -> bytes:
    """Return what comes next; raises ConnectionError where nothing more does."""
    if received := connection.recv(65536):
        return received
    raise ConnectionError("closed")
