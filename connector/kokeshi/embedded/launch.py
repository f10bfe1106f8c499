"""Start the engine under its guard, wait until it answers, and tell why when it does not."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, cast

from kokeshi.embedded.layout import Layout
from kokeshi.embedded.logs import read_logs
from kokeshi.embedded.network import Endpoint
from kokeshi.embedded.progress import OnProgress, Progress
from kokeshi.errors import EmbeddedError

_GUARD = Path(__file__).with_name("guard.py")
# The guard gives the engine 30 s to end, then kills it.
_GUARD_PATIENCE = 45.0
_REASONS = (
    ("Address already in use", "the port was taken meanwhile"),
    ("BindHttpException", "the port was taken meanwhile"),
    ("No space left on device", "the disk is full"),
    ("failed to obtain node locks", "another engine uses the data folder"),
    ("java.lang.OutOfMemoryError", "the heap is too small"),
)


class EngineDiedError(EmbeddedError):
    """The engine ended before it answered; `port_taken` says whether another port may help."""

    def __init__(self, message: str, port_taken: bool) -> None:
        super().__init__(message)
        self.port_taken = port_taken


class Guard:
    """Our end of the lifeline: closing it, or dying, stops the engine."""

    def __init__(self, spec: dict[str, Any]) -> None:
        """Start the guard, and through it the engine; see guard.py for the keys of `spec`.

        Raises:
            EmbeddedError: the engine's process could not be created.
        """
        self.pid = 0
        with Path(spec["log"]).open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", _GUARD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for the owner, who then stops us in order
            )
        try:
            self.pid = self._hand_over(spec)
        except BaseException:
            self.stop()
            raise

    def _hand_over(self, spec: dict[str, Any]) -> int:
        stdin = cast("IO[bytes]", self._process.stdin)
        stdout = cast("IO[bytes]", self._process.stdout)
        try:
            stdin.write(json.dumps(spec).encode() + b"\n")
            stdin.flush()
            answer = json.loads(stdout.readline() or b"{}")
        except (BrokenPipeError, ValueError):
            answer = {}
        if "pid" not in answer:
            reason = answer.get("error", f"{sys.executable} could not run the guard")
            raise EmbeddedError(f"Cannot start the engine: {reason}")
        return int(answer["pid"])

    def status(self) -> int | None:
        """Return the engine's exit status, None while it runs."""
        return self._process.poll()

    def detach(self) -> None:
        """Let the engine live on without a guard."""
        stdin = cast("IO[bytes]", self._process.stdin)
        try:
            stdin.write(b"detach\n")
            stdin.flush()
        except BrokenPipeError:
            pass  # it has ended already
        self.stop()

    def stop(self) -> None:
        """Stop the engine and reap the guard; harmless when both have ended."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue  # unsent bytes for a guard that has ended
        try:
            self._process.wait(_GUARD_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
        if self._process.wait() < 0 and self.pid:
            self._end_group()

    def _end_group(self) -> None:
        """Kill what a killed guard has left: the kernel ends the engine, not what that started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def wait_until_ready(
    guard: Guard,
    layout: Layout,
    node: str,
    endpoint: Endpoint,
    timeout: float,
    on_progress: OnProgress,
) -> None:
    """Wait until the engine that calls itself `node` answers and its indices can be read.

    Indices that stay red are reported and let pass: only a running engine can repair them.

    Raises:
        EngineDiedError: it ended; with the reason and its last log lines.
        EmbeddedError: it did not answer in `timeout` seconds.
    """
    begin = time.monotonic()
    answered = False
    while time.monotonic() - begin < timeout:
        status = guard.status()
        if status is not None:
            raise _explain(layout, status)
        answered = answered or endpoint.is_node(node, 2.0)
        if answered and endpoint.is_healthy():
            return
        on_progress(Progress("Waiting for the engine to answer", int(time.monotonic() - begin)))
        time.sleep(0.2)
    if answered:
        on_progress(Progress("The engine runs, but its health is red: some index is damaged"))
        return
    raise EmbeddedError(
        f"The engine did not answer within {timeout:.0f} s. Its last lines:\n{_last_lines(layout)}"
    )


def _explain(layout: Layout, status: int) -> EngineDiedError:
    lines = _last_lines(layout)
    known = next((reason for sign, reason in _REASONS if sign in lines), f"exit status {status}")
    message = f"The engine ended while starting ({known}). Its last lines:\n{lines}"
    return EngineDiedError(message, port_taken="port was taken" in known)


def _last_lines(layout: Layout) -> str:
    """Without the stack frames, which would push the message out of sight."""
    lines = read_logs(layout, 400).splitlines()
    told = [line for line in lines if not line.lstrip().startswith(("at ", "... "))]
    return "\n".join(told[-12:]) or "(none)"
