"""The embedded Elasticsearch: its licence, its life, its death, and OpenSearch beside it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kokeshi.cli.engine import app
from kokeshi.embedded import EmbeddedEngine, Progress, running_engine
from kokeshi.embedded.java import choose, find_jdks
from kokeshi.embedded.process import process_identity, wait_until_gone
from kokeshi.embedded.state import read_state
from kokeshi.errors import EmbeddedError

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

VARIABLE = "KOKESHI_ACCEPT_ELASTIC_LICENSE"
HEAP = "512m"
GONE_S = 60.0
"""For an engine to end: its guard gives it 30 s before it kills it."""
OWNER = """
import sys, time
from kokeshi.embedded import EmbeddedEngine
with EmbeddedEngine(sys.argv[1], engine="elasticsearch", heap="512m") as url:
    print(url, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _needs_the_licence_and_java() -> None:
    if os.environ.get(VARIABLE, "").lower() != "yes":
        pytest.skip(f"no Elasticsearch: {VARIABLE}=yes accepts its licence")
    try:
        choose(None, find_jdks(), engine="elasticsearch")
    except EmbeddedError as error:
        pytest.skip(str(error))


@pytest.fixture
def home() -> Iterator[Path]:
    """A home whose engines are stopped at the end, whatever the test did."""
    folder = Path(tempfile.mkdtemp(prefix="kokeshi-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder / "home"
    for engine in ("opensearch", "elasticsearch"):
        EmbeddedEngine(folder / "home", engine=engine).stop()
    shutil.rmtree(folder)


def build(home: Path, **options: Any) -> EmbeddedEngine:
    return EmbeddedEngine(home, engine="elasticsearch", heap=HEAP, **options)


def request(url: str, body: dict[str, Any] | None = None, method: str = "GET") -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    made = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
    with urllib.request.urlopen(made, timeout=60) as response:  # noqa: S310
        return json.loads(response.read())


def group_of(pid: int) -> dict[int, str]:
    """Return the launcher and all that it has started, with their identities."""
    listed = subprocess.run(["pgrep", "-g", str(pid)], capture_output=True, text=True)
    found = {int(word): process_identity(int(word)) for word in listed.stdout.split()}
    return {pid: identity for pid, identity in found.items() if identity}


def all_gone(processes: dict[int, str], seconds: float) -> bool:
    return all(wait_until_gone(pid, identity, seconds) for pid, identity in processes.items())


def test_life_of_an_engine(home: Path) -> None:
    events: list[Progress] = []
    engine = build(home, on_progress=events.append)
    with engine as url:
        assert any("Starting Elasticsearch 9" in event.stage for event in events)
        status = engine.status()
        assert (status.running, status.engine, status.url) == (True, "elasticsearch", url)
        found = [running_engine(home), running_engine(home, "elasticsearch")]
        assert [known and (known.pid, known.url) for known in found] == [(status.pid, url)] * 2
        assert running_engine(home, "opensearch") is None
        assert request(url)["version"]["number"] == status.version
        assert "started" in engine.logs(200)

        vector = {"type": "dense_vector", "dims": 2, "index_options": {"type": "hnsw"}}
        request(f"{url}/kept", {"mappings": {"properties": {"v": vector}}}, "PUT")
        request(f"{url}/kept/_doc/1?refresh=true", {"v": [1, 2]}, "PUT")
        processes = group_of(status.pid or 0)
        assert len(processes) == 2

        assert EmbeddedEngine(home, engine="elasticsearch").start() == url
        with pytest.raises(EmbeddedError, match=r"Elasticsearch 9.* already runs .*version 8\.19"):
            build(home, version="8.19").start()
        with pytest.raises(EmbeddedError, match="already runs .* with other settings or config"):
            build(home, settings={"action.destructive_requires_name": True}).start()
    assert all_gone(processes, 0.0)
    assert list(home.glob("elasticsearch-*/tmp")) == []

    events.clear()
    with build(home, on_progress=events.append) as url:
        assert not any("Fetching" in event.stage or "Laying" in event.stage for event in events)
        knn = {"knn": {"field": "v", "query_vector": [1, 2], "k": 1, "num_candidates": 10}}
        hits = request(f"{url}/kept/_search", knn, "POST")["hits"]["hits"]
        assert [(hit["_id"], hit["_score"]) for hit in hits] == [("1", 1.0)]
        repository = {"type": "fs", "settings": {"location": "s"}}
        assert request(f"{url}/_snapshot/s", repository, "PUT") == {"acknowledged": True}


def test_a_killed_owner_leaves_nothing(home: Path) -> None:
    # Options of the user's shell would keep any JVM from starting.
    environ = {**os.environ, "JAVA_TOOL_OPTIONS": "-Xmx1k", "ES_JAVA_OPTS": "-Xmx1k"}
    command = [sys.executable, "-c", OWNER, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().startswith("http://127.0.0.1:")
        state = read_state(home, "elasticsearch")
        assert state is not None
        processes = group_of(state.pid)
        owner.kill()
        owner.wait()
        assert all_gone(processes, GONE_S)
    assert running_engine(home) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is of Linux")
def test_a_killed_guard_leaves_nothing(home: Path) -> None:
    engine = build(home)
    engine.start()
    processes = group_of(engine.status().pid or 0)
    guard = engine._guard
    assert guard is not None
    guard._process.kill()
    assert all_gone(processes, GONE_S)
    assert running_engine(home) is None
    engine.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_owner_that_ends_while_starting_leaves_nothing(
    home: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", OWNER, str(home)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as owner:
        try:
            processes = wait_for_server(home)
            owner.send_signal(number)
            assert all_gone(processes, GONE_S)
            assert owner.wait(GONE_S) != 0
        finally:
            owner.kill()


def wait_for_server(home: Path) -> dict[int, str]:
    """Return launcher and server as soon as both run, long before they answer."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        state = read_state(home, "elasticsearch") if home.exists() else None
        processes = group_of(state.pid) if state else {}
        if any("-m\0org.elasticsearch.server/" in arguments_of(pid) for pid in processes):
            return processes
        time.sleep(0.05)
    pytest.fail("no server was launched")


def arguments_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
    except OSError:
        return ""


def address_of(home: Path, engine: str | None = None) -> str | None:
    found = running_engine(home, engine)
    return found and found.url


def test_both_engines_side_by_side(home: Path) -> None:
    with build(home) as first, EmbeddedEngine(home, heap=HEAP) as second:
        assert first != second
        answers = [request(url)["version"].get("distribution") for url in (first, second)]
        assert answers == [None, "opensearch"]
        assert address_of(home, "elasticsearch") == first
        assert address_of(home) == second
        EmbeddedEngine(home).stop()
        assert address_of(home) == first


def test_the_command_line(home: Path) -> None:
    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, "--home", str(home)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    started = json.loads(run("start", "--engine", "elasticsearch", "--heap", HEAP, "--json"))
    assert (started["engine"], started["started"]) == ("elasticsearch", True)
    assert run("status").startswith(f"Elasticsearch {started['version']} runs at {started['url']}")
    assert "No engine runs" in run("status", "--engine", "opensearch")
    assert "started" in run("logs", "-n", "200")
    processes = group_of(started["pid"])
    assert run("stop") == f"Stopped {started['url']}\n"
    assert all_gone(processes, 0.0)


def test_an_engine_that_dies_shows_its_last_words(home: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"ended while starting .*\n(.*\n)*.*no.such.setting"):
        build(home, settings={"no.such.setting": 1}).start()
    assert read_state(home, "elasticsearch") is None
    with pytest.raises(EmbeddedError, match=r"ended while starting .*\n(.*\n)*.*heap"):
        EmbeddedEngine(home, engine="elasticsearch", heap="1k").start()


def test_without_acceptance_nothing_is_fetched(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("KOKESHI_CACHE", str(home.parent / "cache"))
    with pytest.raises(EmbeddedError, match=rf"Elastic License 2\.0 .* set {VARIABLE}=yes"):
        build(home).start()
    assert not (home.parent / "cache").exists()


@pytest.mark.slow
@pytest.mark.parametrize("java", [17, 25])
def test_the_older_engine(home: Path, java: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fitting = [jdk for jdk in find_jdks() if jdk.feature == java]
    if not fitting:
        pytest.skip(f"no JDK {java} here")
    monkeypatch.setenv("JAVA_HOME", str(fitting[0].home))
    with build(home, version="8.19") as url:
        status = running_engine(home)
        assert status is not None
        assert status.java == str(fitting[0])
        assert request(url)["version"]["number"] == status.version
    assert [folder.name for folder in home.glob("elasticsearch-*")] == ["elasticsearch-8"]
