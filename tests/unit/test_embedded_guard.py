"""The guard with a small process in the engine's place: nothing outlives its owner unasked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kokeshi.embedded.launch import Guard
from kokeshi.embedded.process import is_alive, process_identity, stop_process, wait_until_gone
from kokeshi.errors import EmbeddedError

OWNER = """
import json, os, sys, time
from kokeshi.embedded.launch import Guard
guard = Guard(json.loads(sys.argv[1]))
if len(sys.argv) > 2: guard.detach()
child = os.fork()
if child == 0: time.sleep(120); os._exit(0)  # it holds the lifeline open
print(guard.pid, guard._process.pid, child, flush=True)
time.sleep(60)
"""


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return {
        "command": ["sleep", "120"],
        "environ": {"PATH": os.environ["PATH"]},
        "cwd": str(scratch),
        "log": str(tmp_path / "log"),
        "uid": 65534,
        "gid": 65534,
        "drop": False,
        "detach": False,
        "scratch": str(scratch),
    }


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_stop(spec: dict[str, Any]) -> None:
    guard = Guard(spec)
    assert process_identity(guard.pid)
    assert guard.status() is None
    guard.stop()
    assert process_identity(guard.pid) is None
    assert not Path(spec["scratch"]).exists()
    guard.stop()


def test_the_exit_status_is_handed_on(spec: dict[str, Any]) -> None:
    guard = Guard({**spec, "command": ["sh", "-c", "echo said; exit 7"]})
    assert eventually(lambda: guard.status() == 7)
    guard.stop()
    assert Path(spec["log"]).read_text() == "said\n"


def test_a_command_that_does_not_exist(spec: dict[str, Any]) -> None:
    with pytest.raises(EmbeddedError, match=r"Cannot start the engine: .*no-such-java"):
        Guard({**spec, "command": ["/no-such-java"]})


def test_detach_lets_it_live(spec: dict[str, Any]) -> None:
    guard = Guard({**spec, "detach": True})
    identity = process_identity(guard.pid) or ""
    guard.detach()
    assert guard.status() == 0
    assert is_alive(guard.pid, identity)
    stop_process(guard.pid, identity)
    assert not is_alive(guard.pid, identity)


def test_detach_of_what_has_ended(spec: dict[str, Any]) -> None:
    guard = Guard({**spec, "command": ["true"]})
    assert eventually(lambda: guard.status() is not None)
    guard.detach()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_survives_the_owner(spec: dict[str, Any], number: signal.Signals) -> None:
    import json

    command = [sys.executable, "-c", OWNER, json.dumps(spec)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as owner:
        assert owner.stdout is not None
        *pids, child = [int(word) for word in owner.stdout.readline().split()]
        identities = [process_identity(pid) or "" for pid in pids]
        assert all(identities)
        owner.send_signal(number)
        owner.wait()
        gone = [wait_until_gone(p, i, 30.0) for p, i in zip(pids, identities, strict=True)]
        os.kill(child, signal.SIGKILL)  # it was there all the time
    assert gone == [True, True]
    assert not Path(spec["scratch"]).exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is of Linux")
def test_it_does_not_survive_a_killed_guard_either(spec: dict[str, Any]) -> None:
    guard = Guard(spec)
    identity = process_identity(guard.pid) or ""
    guard._process.kill()
    assert wait_until_gone(guard.pid, identity, 30.0)
    guard.stop()


def test_a_terminated_guard_stops_it_in_order(spec: dict[str, Any]) -> None:
    guard = Guard(spec)
    guard._process.terminate()
    assert eventually(lambda: guard.status() is not None)
    assert process_identity(guard.pid) is None
    assert not Path(spec["scratch"]).exists()
    guard.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another user")
def test_root_starts_it_as_another_user(spec: dict[str, Any]) -> None:
    guard = Guard({**spec, "drop": True, "cwd": "/", "command": ["sh", "-c", "id -u; id -G"]})
    assert eventually(lambda: guard.status() == 0)
    guard.stop()
    assert Path(spec["log"]).read_text() == "65534\n65534\n"


@pytest.mark.parametrize("victim", ["engine", "guard"])
def test_what_the_engine_has_started_does_not_survive_either(
    spec: dict[str, Any], tmp_path: Path, victim: str
) -> None:
    written = tmp_path / "child"
    script = f"sleep 120 & echo $! > {written}; wait"
    guard = Guard({**spec, "command": ["sh", "-c", script]})
    assert eventually(lambda: written.exists() and written.read_text() != "")
    child = int(written.read_text())
    identity = process_identity(child) or ""
    assert identity
    os.kill(guard.pid if victim == "engine" else guard._process.pid, signal.SIGKILL)
    assert eventually(lambda: guard.status() is not None)
    guard.stop()
    assert wait_until_gone(child, identity, 30.0)
