"""The embedded engine: a real OpenSearch with k-NN on this machine, without a container."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from kokeshi.embedded.config import Layout, check_heap
from kokeshi.embedded.folders import engine_account, folder_size, home_folder, make_folder
from kokeshi.embedded.launch import Guard
from kokeshi.embedded.locks import hold_lock
from kokeshi.embedded.logs import read_logs
from kokeshi.embedded.process import stop_process, wait_until_gone
from kokeshi.embedded.progress import OnProgress, Progress, ignore_progress
from kokeshi.embedded.recipe import resolve_series
from kokeshi.embedded.start import Options, start_new
from kokeshi.embedded.state import EngineState, read_state, remove_state
from kokeshi.errors import EmbeddedError

PATIENCE_S = 20.0
"""How long an engine that does not answer may take to end."""


@dataclass(frozen=True)
class EngineStatus:
    """What runs in a home, or that nothing does (url, pid, version and java are None then).

    data_bytes: all that the home holds on disk: indices, snapshots, logs.
    """

    running: bool
    url: str | None
    pid: int | None
    version: str | None
    java: str | None
    home: Path
    data_bytes: int


class EmbeddedEngine:
    """Assemble (once), start, find and stop the engine of a home folder.

    >>> with EmbeddedEngine() as url:  # doctest: +SKIP
    ...     OpenSearch(url)

    home: keeps the data between runs; default $KOKESHI_HOME, else the user's data folder.
    port: a port of its own; None takes 9200 if free, otherwise a free one.
    heap: a JVM size, "512m" or "1g".
    version: "3.6" or "2.19"; None takes the newest that a JDK on this machine can run.
    detach: the engine survives this process, until `stop()`. Otherwise it ends with this process,
        even when that is killed.
    timeout: seconds that the engine has to answer.

    Raises:
        EmbeddedError: an argument is not usable, or this is Windows.
    """

    def __init__(
        self,
        home: str | os.PathLike[str] | None = None,
        *,
        port: int | None = None,
        heap: str = "1g",
        version: str | None = None,
        on_progress: OnProgress = ignore_progress,
        detach: bool = False,
        timeout: float = 120.0,
    ) -> None:
        if sys.platform == "win32":
            raise EmbeddedError(
                "The embedded engine does not run on Windows: use WSL, or give the URL of an engine"
            )
        account = engine_account()
        self._options = Options(
            home=home_folder(home, account),
            account=account,
            port=port,
            heap=check_heap(heap),
            version=None if version is None else resolve_series(version),
            detach=detach,
            timeout=timeout,
            report=on_progress,
        )
        self._guard: Guard | None = None
        self.started = False  # whether this object started the engine that runs

    @property
    def home(self) -> Path:
        """The instance folder."""
        return self._options.home

    def start(self) -> str:
        """Start the engine, or find the one that runs in this home; returns its URL.

        Raises:
            EmbeddedError: says what is missing, or why the engine ended and its last log lines.
        """
        with self._locked():
            state = self._find_usable()
            if state is None or (self._guard is not None and self._guard.status() is not None):
                self._drop_guard()  # what we had started has ended; another may run by now
            if state is None:
                state, self._guard = start_new(self._options)
                self.started = True
            return state.url

    def stop(self) -> None:
        """Stop the engine of this home, whoever started it; nothing happens when none runs.

        Raises:
            EmbeddedError: it belongs to another user.
        """
        if not self.home.is_dir():
            self._drop_guard()
            return
        with self._locked():
            state = read_state(self.home)
            self._drop_guard()
            if state is not None:
                stop_process(state.pid, state.identity)
                remove_state(self.home, state)
            for folder in self.home.glob("opensearch-*/tmp"):
                shutil.rmtree(folder, ignore_errors=True)

    def status(self) -> EngineStatus:
        """Return what runs in this home."""
        return running_engine(self.home) or EngineStatus(
            False, None, None, None, None, self.home, folder_size(self.home)
        )

    def logs(self, lines: int = 100) -> str:
        """Return the last log lines of the engine, the newest last; "" when it never ran."""
        major = "*" if self._options.version is None else self._options.version.split(".")[0]
        layouts = [Layout(path) for path in self.home.glob(f"opensearch-{major}")]
        if not layouts:
            return ""
        return read_logs(max(layouts, key=lambda layout: _modified(layout.logs)), lines)

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.started and not self._options.detach:
            self.stop()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        make_folder(self.home)
        waiting = Progress("Waiting for another process that starts or stops the engine")
        with hold_lock(self.home / ".lock", lambda: self._options.report(waiting)):
            yield

    def _drop_guard(self) -> None:
        if self._guard is not None:
            self._guard.stop()
        self._guard = None
        self.started = False

    def _find_usable(self) -> EngineState | None:
        """Return the running engine; wait for one that is on its way out. We hold the lock."""
        state = read_state(self.home)
        if state is None:
            return None
        if state.orphaned():
            self._options.report(Progress("Waiting for the engine of a process that has ended"))
            wait_until_gone(state.pid, state.identity, 35.0)
        elif state.answers() or state.answers(timeout=15.0):
            self._require_fitting(state)
            return state
        elif not self._ends_by_itself(state):  # it may be busy for somebody: not ours to end
            raise EmbeddedError(
                f"The engine in {self.home} runs but does not answer (pid {state.pid}): look at "
                "`kokeshi engine logs`, or end it with `kokeshi engine stop`"
            )
        stop_process(state.pid, state.identity)
        remove_state(self.home, state)
        return None

    def _ends_by_itself(self, state: EngineState) -> bool:
        """Wait for an engine whose start was killed, which its guard is about to stop."""
        if state.alive():
            self._options.report(Progress("Waiting for an engine that does not answer"))
        return wait_until_gone(state.pid, state.identity, PATIENCE_S)

    def _require_fitting(self, state: EngineState) -> None:
        """Refuse to hand out an engine that is not the one asked for."""
        version, port = self._options.version, self._options.port
        running = f"OpenSearch {state.version} already runs in {self.home} at {state.url}"
        remedy = "stop it first, or choose another home"
        if version is not None and resolve_series(state.version) != version:
            raise EmbeddedError(f"{running}, not version {version}: {remedy}")
        if port not in (None, state.port):
            raise EmbeddedError(f"{running}, not at port {port}: {remedy}")


def running_engine(home: str | os.PathLike[str] | None = None) -> EngineStatus | None:
    """Return the engine that runs in a home and answers, None when there is none."""
    if sys.platform == "win32":
        return None
    folder = home_folder(home, engine_account())
    state = read_state(folder)
    if state is None or state.orphaned() or not state.answers():
        return None
    return EngineStatus(
        running=True,
        url=state.url,
        pid=state.pid,
        version=state.version,
        java=state.java,
        home=folder,
        data_bytes=folder_size(folder),
    )


def _modified(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0
