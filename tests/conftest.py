"""Fixtures that tests share: a real engine, the real catalogues, and what a skip means on CI."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kokeshi import EmbeddedEngine
from kokeshi.engines import Connection
from kokeshi.engines.opensearch import OpenSearchEngine
from kokeshi.errors import EmbeddedError

REQUIRED = os.environ.get("CI", "").lower() in ("1", "true")
"""On CI the engines and the data are there: what cannot run there is broken."""

# a shell starts background jobs with Ctrl-C ignored, which every child here would inherit
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if REQUIRED and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but on CI every test must run: {report.longrepr}"


@pytest.fixture
def unprivileged() -> Callable[[Callable[[], None]], None]:
    """Run a check as a user who is not root: as nobody in a child process where the tests are root's."""

    def run(check: Callable[[], None]) -> None:
        if os.geteuid() != 0:
            check()
            return
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # other threads: the child uses none
            child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                check()
                status = 0
            except BaseException:  # noqa: BLE001 (the child ends here, whatever happened)
                traceback.print_exc()
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    return run


@pytest.fixture(scope="session")
def engine_home() -> Iterator[Path]:
    """A folder that the engine's own user can reach; pytest's are closed to others."""
    home = Path(tempfile.mkdtemp(prefix="kokeshi-test-"))
    home.chmod(0o755)
    yield home / "engine"
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def engine_url(engine_home: Path) -> Iterator[str]:
    """The address of a real engine: KOKESHI_URL, else an embedded one of its own."""
    if url := os.environ.get("KOKESHI_URL"):
        yield url
        return
    try:
        engine = EmbeddedEngine(engine_home)
        url = engine.start()
    except EmbeddedError as error:
        pytest.skip(f"no engine: {error}")
    yield url
    engine.stop()


@pytest.fixture(scope="session")
def engine(engine_url: str) -> Iterator[OpenSearchEngine]:
    """A client of the real engine."""
    with OpenSearchEngine(Connection.from_environment(engine_url)) as client:
        yield client


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The real catalogues: KOKESHI_DATA, else `shared/data` beside the checkout."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("KOKESHI_DATA", beside))
    if not (folder / "icecat" / "products.jsonl.gz").is_file():
        pytest.skip(f"no real catalogues at {folder}: set KOKESHI_DATA")
    return folder
