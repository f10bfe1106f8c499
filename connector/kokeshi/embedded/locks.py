"""A lock between processes: a file that the kernel unlocks when its holder dies."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kokeshi.errors import EmbeddedError


@contextmanager
def hold_lock(
    path: Path, on_wait: Callable[[], None] = lambda: None, timeout: float = 1800.0
) -> Iterator[None]:
    """Hold the lock of a file; the file itself stays, because removing it would race.

    on_wait: called once when another process holds it.
    timeout: seconds.

    Raises:
        EmbeddedError: the other process still holds it after `timeout`.
    """
    try:
        # The descriptor is not inheritable: no child process can keep the lock by accident.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise EmbeddedError(f"Cannot lock {path}: {error.strerror}") from error
    try:
        if not _try_lock(descriptor):
            on_wait()
            _wait_for_lock(descriptor, path, timeout)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    import fcntl  # absent on Windows, where this module must still import

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for_lock(descriptor: int, path: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not _try_lock(descriptor):
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"Another process has held {path} for {timeout:.0f} s: stop it and try again"
            )
        time.sleep(0.1)
