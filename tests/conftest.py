"""Fixtures that tests share: real engines, the real catalogues, and what a skip means on CI."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from kokeshi import EmbeddedEngine
from kokeshi.connect import connect
from kokeshi.embedded.folders import cache_folder, engine_account
from kokeshi.embedded.kinds import find_kind
from kokeshi.embedded.licence import is_accepted
from kokeshi.engines import Engine
from kokeshi.errors import EmbeddedError
from tests.containers import container_url
from tests.engines import SERVERS
from tests.secured import secured_engine  # noqa: F401 (a fixture)

REQUIRED = os.environ.get("CI", "").lower() in ("1", "true")
"""On CI the engines and the data are there: what cannot run there is broken."""

NOT_ACCEPTED = (
    "Elasticsearch is not tested: it is under the Elastic License 2.0, and about 950 MB are fetched "
    "once; set KOKESHI_ACCEPT_ELASTIC_LICENSE=yes"
)

# what an earlier run of the tests encoded must not answer in place of an encoder under test
os.environ.setdefault("KOKESHI_EMBEDDING_CACHE", "off")

# how long one example takes depends on the machine, not on the property
settings.register_profile("kokeshi", deadline=None)
settings.load_profile("kokeshi")

# a shell starts background jobs with Ctrl-C ignored, which every child here would inherit
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """An engine of the user's own, KOKESHI_URL, is the only one that is tested then."""
    if url := os.environ.pop("KOKESHI_URL", None):
        with connect(url) as engine:
            os.environ[variable_of(engine.capabilities.dialect)] = url
        config.stash[ONLY] = engine.capabilities.dialect


ONLY = pytest.StashKey[str]()


def variable_of(engine: str) -> str:
    """The variable that names an engine of one's own to test on."""
    return f"KOKESHI_TEST_{engine.upper()}"


def is_tested(engine: str, config: pytest.Config) -> bool:
    if ONLY in config.stash:
        return config.stash[ONLY] == engine
    licence = find_kind(engine).licence
    return (
        variable_of(engine) in os.environ
        or licence is None
        or is_accepted(licence, cache_folder(engine_account()))
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [
        item
        for item in items
        if any(
            item.get_closest_marker(engine) and not is_tested(engine, config)
            for engine in ("opensearch", "elasticsearch")
        )
    ]
    if left_out and REQUIRED:
        raise pytest.UsageError(NOT_ACCEPTED)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_report_header(config: pytest.Config) -> str | None:
    return None if is_tested("elasticsearch", config) or ONLY in config.stash else NOT_ACCEPTED


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
    with a_home() as home:
        yield home / "engine"


@contextmanager
def a_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="kokeshi-test-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def a_real(engine: str) -> Iterator[str]:
    """Run an engine: one of the user's own, else one in a container, else an embedded one."""
    if url := os.environ.get(variable_of(engine)):
        yield url
        return
    version = os.environ.get(f"{variable_of(engine)}_VERSION")
    if version is None and (container := container_url(engine)) is not None:
        with container as url:
            yield url
        return
    with a_home() as home:
        try:
            embedded = EmbeddedEngine(home / "engine", engine=engine, version=version)
            url = embedded.start()
        except EmbeddedError as error:
            pytest.skip(f"no engine: {error}")
        try:
            yield url
        finally:
            embedded.stop()


@pytest.fixture(scope="session")
def opensearch_url() -> Iterator[str]:
    """The address of a real OpenSearch."""
    with a_real("opensearch") as url:
        yield url


@pytest.fixture(scope="session")
def elasticsearch_url() -> Iterator[str]:
    """The address of a real Elasticsearch."""
    with a_real("elasticsearch") as url:
        yield url


@pytest.fixture(scope="session", params=SERVERS)
def engine_url(request: pytest.FixtureRequest) -> str:
    """The address of each real engine in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def engine(engine_url: str) -> Iterator[Engine]:
    """A client of each real engine in turn."""
    with connect(engine_url) as client:
        yield client


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The real catalogues: KOKESHI_DATA, else `shared/data` beside the checkout."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("KOKESHI_DATA", beside))
    if not (folder / "icecat" / "products.jsonl.gz").is_file():
        pytest.skip(f"no real catalogues at {folder}: set KOKESHI_DATA")
    return folder
