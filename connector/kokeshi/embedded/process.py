"""Recognise a process beyond doubt, and stop one that is not our child."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from kokeshi.errors import EmbeddedError


def process_identity(pid: int) -> str | None:
    """Return a text that no other process ever has, None when there is no such live process.

    A pid is used again; a pid with its start time and the boot is not. Zombies are not alive.
    """
    return _linux_identity(pid) if sys.platform.startswith("linux") else _ps_identity(pid)


def _linux_identity(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the command in parentheses may contain spaces
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _ps_identity(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    shown = subprocess.run(command, capture_output=True, text=True)
    state, _, started = shown.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def is_alive(pid: int, identity: str) -> bool:
    """Whether the process that had this identity still runs."""
    return process_identity(pid) == identity


def wait_until_gone(pid: int, identity: str, seconds: float) -> bool:
    """Wait for the end of a process; returns whether it came."""
    deadline = time.monotonic() + seconds
    while is_alive(pid, identity):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def wait_until_group_gone(leader: int, seconds: float) -> bool:
    """Wait for the end of what a process that has died left in its group; returns whether it came.

    Elasticsearch's server outlives its killed launcher for a moment, with the port and the data folder.
    """
    deadline = time.monotonic() + seconds
    while process_identity(leader) is None and _group_exists(leader):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _group_exists(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True


def stop_process(pid: int, identity: str, seconds: float = 30.0) -> None:
    """SIGTERM, wait up to `seconds` for a clean exit, SIGKILL.

    Raises:
        EmbeddedError: it belongs to another user, or does not end.
    """
    for signal_number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10.0)):
        if not is_alive(pid, identity):
            return
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            return
        except PermissionError as error:
            message = f"The engine (pid {pid}) was started by another user: stop it as that user"
            raise EmbeddedError(message) from error
        if wait_until_gone(pid, identity, patience):
            return
    raise EmbeddedError(f"The engine (pid {pid}) does not end even after SIGKILL")
