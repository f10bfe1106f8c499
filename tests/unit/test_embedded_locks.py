"""The lock holds between processes, and dies with its holder."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kokeshi.embedded.locks import hold_lock
from kokeshi.errors import EmbeddedError

HOLDER = """
import sys, pathlib
from kokeshi.embedded.locks import hold_lock
with hold_lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_waits_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    told: list[float] = []
    with holder(path) as process:
        begin = time.monotonic()

        def release() -> None:
            told.append(time.monotonic() - begin)
            assert process.stdin is not None
            process.stdin.close()

        with hold_lock(path, release):
            pass
    assert len(told) == 1


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as process:
        process.kill()
        process.wait()
        with hold_lock(tmp_path / "lock", on_wait=lambda: pytest.fail("nobody holds it")):
            pass


def test_patience_ends(tmp_path: Path) -> None:
    with (
        holder(tmp_path / "lock"),
        pytest.raises(EmbeddedError, match=r"Another process has held .*lock for 0 s"),
        hold_lock(tmp_path / "lock", timeout=0.2),
    ):
        pytest.fail("it was held twice")


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="Cannot lock"), hold_lock(tmp_path / "no" / "lock"):
        pass
