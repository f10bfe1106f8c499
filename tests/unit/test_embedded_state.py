"""A state file is believed only as far as its process is alive and answers."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kokeshi.embedded import EmbeddedEngine, running_engine
from kokeshi.embedded.network import find_free_port
from kokeshi.embedded.process import is_alive, process_identity, stop_process
from kokeshi.embedded.recipe import SERIES
from kokeshi.embedded.state import EngineState, read_state, remove_state, state_path, write_state
from kokeshi.errors import EmbeddedError


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def make_state(pid: int, identity: str | None = None, engine: str = "opensearch") -> EngineState:
    return EngineState(
        engine=engine,
        pid=pid,
        identity=identity or process_identity(pid) or "",
        owner=0,
        owner_identity="",
        node="n",
        port=find_free_port(),
        version="3.6.0",
        java="Java 21",
    )


def test_identity(sleeper: subprocess.Popen[bytes]) -> None:
    identity = process_identity(sleeper.pid)
    assert identity
    assert process_identity(sleeper.pid) == identity
    assert process_identity(os.getpid()) != identity
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert process_identity(sleeper.pid) is None  # a zombie, not reaped yet
    sleeper.wait()
    assert process_identity(sleeper.pid) is None


def test_round_trip(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    assert read_state(tmp_path, "opensearch") is None
    state = make_state(sleeper.pid)
    write_state(tmp_path, state)
    assert read_state(tmp_path, "opensearch") == state
    assert state.url == f"http://127.0.0.1:{state.port}"
    assert dataclasses.replace(state, tls=True).url == f"https://127.0.0.1:{state.port}"
    assert not state.orphaned()


def test_a_home_keeps_one_state_for_each_engine(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    states = [make_state(sleeper.pid, engine=engine) for engine in SERIES]
    for state in states:
        write_state(tmp_path, state)
    assert [read_state(tmp_path, engine) for engine in SERIES] == states


def test_a_dead_process_leaves_no_state(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write_state(tmp_path, make_state(sleeper.pid))
    sleeper.kill()
    sleeper.wait()
    assert read_state(tmp_path, "opensearch") is None
    assert not state_path(tmp_path, "opensearch").exists()


def test_what_a_killed_process_has_left_is_waited_for(tmp_path: Path) -> None:
    command = ["sh", "-c", "sleep 120 & echo ready; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout is not None
        leader.stdout.readline()
        write_state(tmp_path, make_state(leader.pid))
        leader.kill()
        leader.wait()
        os.killpg(leader.pid, 0)  # the other one lives
        ending = threading.Timer(0.5, os.killpg, (leader.pid, signal.SIGKILL))
        ending.start()
        assert read_state(tmp_path, "opensearch", patience=60) is None
        ending.join()
        with pytest.raises(ProcessLookupError):
            os.killpg(leader.pid, 0)


def test_a_pid_used_again_is_another_process(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    write_state(tmp_path, make_state(sleeper.pid, identity="before:1"))
    assert read_state(tmp_path, "opensearch") is None
    EmbeddedEngine(tmp_path).stop()
    assert sleeper.poll() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "unknown": 2}'])
def test_a_broken_file_is_removed(tmp_path: Path, text: str) -> None:
    state_path(tmp_path, "opensearch").write_text(text)
    assert read_state(tmp_path, "opensearch") is None
    assert not state_path(tmp_path, "opensearch").exists()


def test_only_the_expected_state_is_removed(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    state = make_state(sleeper.pid)
    write_state(tmp_path, state)
    remove_state(tmp_path, "opensearch", dataclasses.replace(state, pid=1))
    assert read_state(tmp_path, "opensearch") == state
    remove_state(tmp_path, "opensearch", state)
    assert read_state(tmp_path, "opensearch") is None


def test_an_owner_that_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    state = make_state(sleeper.pid)
    mine = process_identity(os.getpid()) or ""
    owned = dataclasses.replace(state, owner=os.getpid(), owner_identity=mine)
    assert not owned.orphaned()
    assert dataclasses.replace(owned, owner_identity="before:1").orphaned()


def test_a_process_that_does_not_answer_is_not_running(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    write_state(tmp_path, make_state(sleeper.pid))
    assert running_engine(tmp_path) is None
    status = EmbeddedEngine(tmp_path).status()
    assert not status.running
    assert status.home == tmp_path
    assert state_path(tmp_path, "opensearch").exists()  # it may still be starting


def test_one_that_lives_but_does_not_answer_is_left_to_its_user(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kokeshi.embedded.engine.PATIENCE_S", 0.1)
    write_state(tmp_path, make_state(sleeper.pid))
    with pytest.raises(EmbeddedError, match=r"does not answer \(pid \d+\).*kokeshi engine stop"):
        EmbeddedEngine(tmp_path).start()
    assert sleeper.poll() is None


def test_stop_ends_it_and_is_harmless_twice(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    write_state(tmp_path, make_state(sleeper.pid))
    leftover = tmp_path / "opensearch-3" / "tmp" / "x"
    leftover.mkdir(parents=True)
    engine = EmbeddedEngine(tmp_path)
    engine.stop()
    assert sleeper.wait(5) == -signal.SIGTERM
    assert not leftover.exists()
    assert not state_path(tmp_path, "opensearch").exists()
    engine.stop()
    EmbeddedEngine(tmp_path / "never").stop()
    assert not (tmp_path / "never").exists()


def test_a_stubborn_process_is_killed() -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        identity = process_identity(process.pid) or ""
        stop_process(process.pid, identity, seconds=0.3)
        assert not is_alive(process.pid, identity)
    assert process.returncode == -signal.SIGKILL


def test_a_process_of_another_user(unprivileged: Callable[[Callable[[], None]], None]) -> None:
    def check() -> None:
        with pytest.raises(EmbeddedError, match="started by another user"):
            stop_process(1, process_identity(1) or "")

    unprivileged(check)


def test_windows_is_refused_clearly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(EmbeddedError, match="does not run on Windows: use WSL"):
        EmbeddedEngine(tmp_path)
    assert running_engine(tmp_path) is None
