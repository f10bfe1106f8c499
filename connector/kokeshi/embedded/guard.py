"""Start the engine and make sure that it does not outlive its owner.

Run as a file by a clean interpreter, with the standard library only: `python -I guard.py`.

stdin, line 1: JSON with command, environ, cwd, log, uid, gid, drop, scratch.
stdin after it: the lifeline. The line "detach" lets the engine go and ends the guard; the end of
the stream means that the owner has died or wants the engine stopped.
stdout: one line, {"pid": 123} or {"error": "..."}.
Exit status: the engine's, 0 after "detach".
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

STOP_SECONDS = 30.0
_POLL_SECONDS = 0.25
_LIFELINE = 0  # the descriptor of stdin
_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Start, watch, stop."""
    owner = os.getppid()
    # a flag, not an exception: that could strike between start and watch, where nothing would stop it
    terminated = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    spec = json.loads(_read_line())
    try:
        engine = _start(spec)
    except (OSError, subprocess.SubprocessError) as error:
        _answer({"error": str(error)})
        return 1
    _answer({"pid": engine.pid})
    if _watch(engine, owner, terminated) == "detach":
        return 0
    code = stop(engine)
    shutil.rmtree(spec["scratch"], ignore_errors=True)
    return code


def _read_line() -> bytes:
    """Read up to a newline without buffering past it: `select` must see what follows."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(_LIFELINE, 1)
        if not byte:
            break
        line += byte
    return line


def _answer(message: dict[str, object]) -> None:
    """Tell the owner, who may have died already."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(message).encode() + b"\n")


def _start(spec: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start the engine as the unprivileged user, with its output in the log file."""
    guard = os.getpid()

    def prepare() -> None:  # runs in the child, before the engine
        if spec["drop"]:
            os.setgroups([])
            os.setgid(spec["gid"])
            os.setuid(spec["uid"])
        os.umask(0o077)
        if not spec["detach"]:
            die_with_parent(guard)

    with Path(spec["log"]).open("ab") as log:
        return subprocess.Popen(
            spec["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=spec["environ"],
            cwd=spec["cwd"],
            start_new_session=True,
            preexec_fn=prepare,
        )


def die_with_parent(parent: int) -> None:
    """On Linux, ask the kernel to stop this process when its parent is killed."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died before the request
        os._exit(1)


def _watch(engine: subprocess.Popen[bytes], owner: int, terminated: threading.Event) -> str:
    """Return why the watch ended: "died", "detach" or "orphaned"."""
    while engine.poll() is None:
        ready, _, _ = select.select([_LIFELINE], [], [], _POLL_SECONDS)
        if ready:
            return "detach" if _read_line().strip() == b"detach" else "orphaned"
        # The owner's own children may hold the pipe open after its death.
        if terminated.is_set() or os.getppid() != owner:
            return "orphaned"
    return "died"


def stop(engine: subprocess.Popen[bytes]) -> int:
    """SIGTERM, time to finish, SIGKILL; returns the exit status."""
    if engine.poll() is None:
        engine.terminate()
        try:
            engine.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            engine.kill()
    code = engine.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(engine.pid, signal.SIGKILL)  # what it started, where it died before that
    return code


if __name__ == "__main__":
    sys.exit(main())
