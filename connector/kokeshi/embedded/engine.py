"""The embedded engine: a real OpenSearch or Elasticsearch here, without a container."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from kokeshi.embedded.config import check_heap
from kokeshi.embedded.folders import (
    cache_folder,
    engine_account,
    folder_size,
    home_folder,
    make_folder,
)
from kokeshi.embedded.kinds import KINDS, find_kind
from kokeshi.embedded.launch import Guard
from kokeshi.embedded.layout import Layout
from kokeshi.embedded.licence import describe, is_accepted
from kokeshi.embedded.locks import hold_lock
from kokeshi.embedded.logs import read_logs
from kokeshi.embedded.process import stop_process, wait_until_gone, wait_until_group_gone
from kokeshi.embedded.progress import OnProgress, Progress, ignore_progress
from kokeshi.embedded.recipe import DEFAULT_ENGINE, resolve_series, title_of
from kokeshi.embedded.settings import check_files, check_settings
from kokeshi.embedded.start import Options, choose_recipe, start_new
from kokeshi.embedded.state import EngineState, read_state, remove_state
from kokeshi.errors import EmbeddedError

PATIENCE_S = 20.0
"""How long an engine that does not answer may take to end."""


@dataclass(frozen=True)
class EngineStatus:
    """What runs in a home, or that nothing does (url, pid, version and java are None then).

    engine: "opensearch" or "elasticsearch".
    data_bytes: all that the home holds on disk: indices, snapshots, logs, of every engine.
    """

    running: bool
    engine: str
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

    home: keeps the data between runs; default $KOKESHI_HOME, else the user's data folder. One
        engine of each kind can run in it, side by side.
    engine: "opensearch" or "elasticsearch".
    port: a port of its own; None takes 9200 if free, otherwise a free one.
    heap: a JVM size, "512m" or "1g".
    version: "3.6" or "2.19"; of Elasticsearch "9.4" or "8.19". None takes the newest that a JDK on
        this machine can run.
    detach: the engine survives this process, until `stop()`. Otherwise it ends with this process,
        even when that is killed.
    accept_license: accepts the Elastic License 2.0, for this and later starts. Elasticsearch needs
        it, or the variable KOKESHI_ACCEPT_ELASTIC_LICENSE=yes.
    settings: of the engine, added to Kokeshi's own. With `xpack.security.enabled` Elasticsearch
        asks for credentials, with `xpack.security.http.ssl.enabled` the URL is https.
    config_files: content by name, for the engine's config folder: certificates, users.
    timeout: seconds that the engine has to answer.

    Raises:
        EmbeddedError: an argument is not usable, or this is Windows.
    """

    def __init__(
        self,
        home: str | os.PathLike[str] | None = None,
        *,
        engine: str = DEFAULT_ENGINE,
        port: int | None = None,
        heap: str = "1g",
        version: str | None = None,
        accept_license: bool = False,
        settings: Mapping[str, object] | None = None,
        config_files: Mapping[str, bytes] | None = None,
        on_progress: OnProgress = ignore_progress,
        detach: bool = False,
        timeout: float = 240.0,
    ) -> None:
        if sys.platform == "win32":
            raise EmbeddedError(
                "The embedded engine does not run on Windows: use WSL, or give the URL of an engine"
            )
        account = engine_account()
        kind = find_kind(engine)
        self._options = Options(
            kind=kind,
            home=home_folder(home, account),
            account=account,
            port=port,
            heap=check_heap(heap),
            version=None if version is None else resolve_series(version, engine),
            accept_license=accept_license,
            settings=check_settings(settings or {}),
            config_files=check_files(config_files or {}, kind),
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

    @property
    def engine(self) -> str:
        """Which engine: "opensearch" or "elasticsearch"."""
        return self._options.kind.name

    def licence_question(self) -> str | None:
        """Return what the user must accept before this can start, None where nothing is open.

        Raises:
            EmbeddedError: no JDK fits.
        """
        licence, cache = self._options.kind.licence, cache_folder(self._options.account)
        if licence is None or is_accepted(licence, cache):
            return None
        recipe, _ = choose_recipe(self._options)
        return describe(licence, recipe, cache)

    def start(self) -> str:
        """Start the engine, or find the one that runs in this home; returns its URL.

        Raises:
            EmbeddedError: says what is missing, that a licence is not accepted, or why the engine
                ended and its last log lines.
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
            state = read_state(self.home, self.engine)
            self._drop_guard()
            if state is not None:
                stop_process(state.pid, state.identity)
                remove_state(self.home, self.engine, state)
            for folder in self.home.glob(f"{self.engine}-*/tmp"):
                shutil.rmtree(folder, ignore_errors=True)

    def status(self) -> EngineStatus:
        """Return what runs in this home."""
        return running_engine(self.home, self.engine) or EngineStatus(
            False, self.engine, None, None, None, None, self.home, folder_size(self.home)
        )

    def logs(self, lines: int = 100) -> str:
        """Return the last log lines of the engine, the newest last; "" when it never ran."""
        major = "*" if self._options.version is None else self._options.version.split(".")[0]
        layouts = [Layout(path) for path in self.home.glob(f"{self.engine}-{major}")]
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
        with hold_lock(self.home / f".lock-{self.engine}", lambda: self._options.report(waiting)):
            yield

    def _drop_guard(self) -> None:
        if self._guard is not None:
            self._guard.stop()
        self._guard = None
        self.started = False

    def _find_usable(self) -> EngineState | None:
        """Return the running engine; wait for one that is on its way out. We hold the lock."""
        state = read_state(self.home, self.engine, PATIENCE_S)
        if state is None:
            return None
        if state.orphaned():
            self._options.report(Progress("Waiting for the engine of a process that has ended"))
            wait_until_gone(state.pid, state.identity, 35.0)
        elif (state.answers() or state.answers(timeout=15.0)) and state.alive():
            self._require_fitting(state)
            return state
        elif not self._ends_by_itself(state):  # it may be busy for somebody: not ours to end
            raise EmbeddedError(
                f"The engine in {self.home} runs but does not answer (pid {state.pid}): look at "
                f"`kokeshi engine logs --engine {self.engine}`, or end it with "
                f"`kokeshi engine stop --engine {self.engine}`"
            )
        stop_process(state.pid, state.identity)
        wait_until_group_gone(state.pid, PATIENCE_S)
        remove_state(self.home, self.engine, state)
        return None

    def _ends_by_itself(self, state: EngineState) -> bool:
        """Wait for an engine whose start was killed, which its guard is about to stop."""
        if state.alive():
            self._options.report(Progress("Waiting for an engine that does not answer"))
        return wait_until_gone(state.pid, state.identity, PATIENCE_S)

    def _require_fitting(self, state: EngineState) -> None:
        """Refuse to hand out an engine that is not the one asked for."""
        version, port = self._options.version, self._options.port
        title = title_of(state.engine)
        running = f"{title} {state.version} already runs in {self.home} at {state.url}"
        remedy = "stop it first, or choose another home"
        if version is not None and resolve_series(state.version, state.engine) != version:
            raise EmbeddedError(f"{running}, not version {version}: {remedy}")
        if port not in (None, state.port):
            raise EmbeddedError(f"{running}, not at port {port}: {remedy}")
        if self._options.configured not in ("", state.configured):
            raise EmbeddedError(f"{running} with other settings or config files: {remedy}")


def running_engine(
    home: str | os.PathLike[str] | None = None, engine: str | None = None
) -> EngineStatus | None:
    """Return the engine that runs in a home and answers, None when there is none.

    engine: "opensearch" or "elasticsearch"; None takes either, OpenSearch where both run.
    """
    if sys.platform == "win32":
        return None
    folder = home_folder(home, engine_account())
    for name in KINDS if engine is None else (find_kind(engine).name,):
        state = read_state(folder, name)
        if state is not None and not state.orphaned() and state.answers():
            return _describe(state, folder)
    return None


def _describe(state: EngineState, home: Path) -> EngineStatus:
    return EngineStatus(
        running=True,
        engine=state.engine,
        url=state.url,
        pid=state.pid,
        version=state.version,
        java=state.java,
        home=home,
        data_bytes=folder_size(home),
    )


def _modified(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0
