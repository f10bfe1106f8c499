"""The real embedded engine: every promise about starting, stopping and dying."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kokeshi.embedded import EmbeddedEngine, Progress, running_engine
from kokeshi.embedded.assemble import distribution_folder
from kokeshi.embedded.folders import cache_folder, engine_account
from kokeshi.embedded.java import choose, find_jdks
from kokeshi.embedded.manifest import find_damage
from kokeshi.embedded.process import process_identity, wait_until_gone
from kokeshi.embedded.recipe import load_recipe
from kokeshi.embedded.state import read_state
from kokeshi.errors import EmbeddedError

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

HEAP = "512m"
GONE_S = 60.0
"""For an engine to end: its guard gives it 30 s before it kills it."""
OWNER = """
import sys, time
from kokeshi.embedded import EmbeddedEngine
with EmbeddedEngine(sys.argv[1], heap="512m") as url:
    print(url, flush=True)
    time.sleep(600)
"""
STARTER = """
import sys
from kokeshi.embedded import EmbeddedEngine
engine = EmbeddedEngine(sys.argv[1], heap="512m", detach=True)
print(engine.start(), engine.started)
"""


@pytest.fixture(autouse=True)
def _needs_java_and_a_fetched_engine() -> None:
    try:
        recipe, _ = choose(None, find_jdks())
    except EmbeddedError as error:
        pytest.skip(str(error))
    assembled = distribution_folder(recipe, cache_folder(engine_account()))
    if shutil.which("mvn") is None and not assembled.exists():
        pytest.skip("the engine is not assembled and there is no mvn to fetch it")


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that the engine's user can enter: pytest's own is private."""
    folder = Path(tempfile.mkdtemp(prefix="kokeshi-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def home(public: Path) -> Iterator[Path]:
    """A home whose engine is stopped at the end, whatever the test did."""
    folder = public / "home"
    yield folder
    EmbeddedEngine(folder).stop()


def request(url: str, body: dict[str, Any] | None = None, method: str = "GET") -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    made = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
    with urllib.request.urlopen(made, timeout=60) as response:  # noqa: S310
        return json.loads(response.read())


def wait_for_state(home: Path) -> tuple[int, str]:
    """Return pid and identity of the engine as soon as it is launched, long before it answers."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        state = read_state(home, "opensearch") if home.exists() else None
        if state is not None:
            return state.pid, state.identity
        time.sleep(0.05)
    pytest.fail("no engine was launched")


def test_life_of_an_engine(home: Path) -> None:
    events: list[Progress] = []
    engine = EmbeddedEngine(home, heap=HEAP, on_progress=events.append)
    assert not engine.status().running
    assert engine.logs() == ""
    with engine as url:
        assert engine.started
        assert any("Starting OpenSearch" in event.stage for event in events)
        status = engine.status()
        assert (status.running, status.url) == (True, url)
        assert status == running_engine(home)
        assert process_identity(status.pid or 0)
        plugins = request(f"{url}/_cat/plugins?format=json")
        assert [p["component"] for p in plugins] == ["opensearch-knn"]
        assert "started" in engine.logs(200)
        assert len(engine.logs(3).splitlines()) == 3

        method = {"name": "hnsw", "engine": "lucene", "space_type": "l2"}
        vector = {"type": "knn_vector", "dimension": 2, "method": method}
        index = {"settings": {"index.knn": True}, "mappings": {"properties": {"v": vector}}}
        request(f"{url}/kept", index, "PUT")
        request(f"{url}/kept/_doc/1?refresh=true", {"v": [1, 2]}, "PUT")

        other = EmbeddedEngine(home)
        assert other.start() == url
        assert not other.started
        with pytest.raises(EmbeddedError, match=r"already runs in .* not at port 1234: stop it"):
            EmbeddedEngine(home, port=1234).start()
        unwanted = "2.19" if (status.version or "").startswith("3") else "3.6"
        with pytest.raises(EmbeddedError, match=rf"already runs in .*, not version {unwanted}"):
            EmbeddedEngine(home, version=unwanted).start()
    assert process_identity(status.pid or 0) is None
    assert not engine.status().running
    assert running_engine(home) is None
    assert list(home.glob("opensearch-*/tmp")) == []

    with EmbeddedEngine(home, heap=HEAP) as url:
        knn = {"query": {"knn": {"v": {"vector": [1, 2], "k": 1}}}}
        hits = request(f"{url}/kept/_search", knn, "POST")["hits"]["hits"]
        assert [(hit["_id"], hit["_score"]) for hit in hits] == [("1", 1.0)]
        repository = {"type": "fs", "settings": {"location": "s"}}
        assert request(f"{url}/_snapshot/s", repository, "PUT") == {"acknowledged": True}


def test_a_killed_owner_leaves_nothing(home: Path) -> None:
    # Options of the user's shell would keep any JVM from starting.
    environ = {**os.environ, "JAVA_TOOL_OPTIONS": "-Xmx1k", "OPENSEARCH_JAVA_OPTS": "-Xmx1k"}
    environ["JAVA_OPTS"] = "-Xmx1k"
    command = [sys.executable, "-c", OWNER, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().startswith("http://127.0.0.1:")
        pid, identity = wait_for_state(home)
        owner.kill()
        owner.wait()
        assert wait_until_gone(pid, identity, GONE_S)
    assert running_engine(home) is None
    deadline = time.monotonic() + 60
    while left := [p for folder in home.glob("opensearch-*/tmp") for p in folder.iterdir()]:
        assert time.monotonic() < deadline, left  # the guard removes them after the engine's end
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_owner_that_ends_while_starting_leaves_nothing(
    home: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", OWNER, str(home)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as owner:
        try:
            pid, identity = wait_for_state(home)
            owner.send_signal(number)
            assert wait_until_gone(pid, identity, GONE_S)
            assert owner.wait(GONE_S) != 0
        finally:
            owner.kill()


def test_two_processes_at_once_share_one_engine(home: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(home)]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [starter.communicate(timeout=300)[0].split() for starter in starters]
    assert sorted(started for _, started in outputs) == ["False", "True"]
    assert outputs[0][0] == outputs[1][0]
    # A detached engine outlives those who started it, until it is stopped from elsewhere.
    status = running_engine(home)
    assert status is not None
    assert status.url == outputs[0][0]
    identity = process_identity(status.pid or 0)
    assert identity
    EmbeddedEngine(home).stop()
    assert process_identity(status.pid or 0) is None


def test_a_taken_port_is_named_before_anything_starts(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(EmbeddedError, match=f"Port {port} is taken"):
            EmbeddedEngine(home, port=port).start()
    assert read_state(home, "opensearch") is None


def test_a_killed_engine_is_noticed_and_starts_again(home: Path) -> None:
    engine = EmbeddedEngine(home, heap=HEAP)
    with engine as url:
        request(f"{url}/kept/_doc/1?refresh=true", {"a": 1}, "PUT")
        status = engine.status()
        os.kill(status.pid or 0, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while engine.status().running and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not engine.status().running
        url = engine.start()
        assert engine.started
        assert engine.status().pid != status.pid
        assert request(f"{url}/kept/_doc/1")["_source"] == {"a": 1}
    assert not engine.status().running


def test_an_engine_that_dies_shows_its_last_words(home: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"ended while starting .*\n(.*\n)*.*heap") as caught:
        EmbeddedEngine(home, heap="1k").start()
    assert len(str(caught.value)) < 3000
    assert read_state(home, "opensearch") is None
    assert "heap" in EmbeddedEngine(home).logs(20)


def test_an_engine_that_is_too_slow_is_stopped(home: Path) -> None:
    with pytest.raises(EmbeddedError, match="did not answer within 1 s"):
        EmbeddedEngine(home, heap=HEAP, timeout=1.0).start()
    assert read_state(home, "opensearch") is None


def test_a_damaged_cache_is_assembled_again(
    home: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = engine_account()
    recipe, _ = choose(None, find_jdks())
    shared = distribution_folder(recipe, cache_folder(account))
    copied = distribution_folder(recipe, public / "cache")
    if shared.exists():
        shutil.copytree(shared, copied)
        for folder in (public / "cache", public / "cache" / "engines"):
            folder.chmod(0o755)
    monkeypatch.setenv("KOKESHI_CACHE", str(public / "cache"))
    if shutil.which("mvn") is None:
        pytest.skip("repairing needs mvn")
    if not copied.exists():
        with EmbeddedEngine(home, heap=HEAP):
            pass
    jar = next((copied / "lib").glob("lucene-core-*.jar"))
    size = jar.stat().st_size
    for content, sign in ((b"", "has 0 bytes"), (b"x" * size, "has another content")):
        jar.chmod(0o644)
        jar.write_bytes(content)
        events: list[Progress] = []
        with EmbeddedEngine(home, heap=HEAP, on_progress=events.append):
            assert any(sign in e.stage and "assembling again" in e.stage for e in events)
        assert find_damage(copied, full=True) is None


@pytest.mark.slow
def test_the_older_engine(home: Path) -> None:
    recipe = load_recipe("2.19")
    if not any(recipe.accepts_java(jdk.feature) for jdk in find_jdks()):
        pytest.skip(f"no JDK {recipe.java_range} here")
    (home / "opensearch-3" / "data").mkdir(parents=True)
    with EmbeddedEngine(home, version="2.19", heap=HEAP) as url:
        assert request(url)["version"]["number"] == recipe.version
        plugins = request(f"{url}/_cat/plugins?format=json")
        assert [p["component"] for p in plugins] == ["opensearch-knn"]
    assert list((home / "opensearch-3" / "data").iterdir()) == []
