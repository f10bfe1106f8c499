"""The configuration that the engine is started with, and the logs that it leaves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import yaml

from kokeshi.embedded import config
from kokeshi.embedded.config import Layout, build_command, build_environment, build_settings
from kokeshi.embedded.folders import Account
from kokeshi.embedded.java import Jdk
from kokeshi.embedded.logs import read_logs, tail
from kokeshi.embedded.recipe import load_recipe
from kokeshi.errors import EmbeddedError

ME = Account(os.geteuid(), os.getegid(), drop=False)


def test_settings_stay_on_this_machine(tmp_path: Path) -> None:
    settings = build_settings(Layout(tmp_path), "n1", 9201)
    assert settings["network.host"] == "127.0.0.1"
    assert settings["discovery.type"] == "single-node"
    assert (settings["http.port"], settings["node.name"]) == (9201, "n1")
    assert settings["path.repo"] == [str(tmp_path / "snapshots")]


@pytest.mark.parametrize("series", ["3.6", "2.19"])
def test_command(series: str, tmp_path: Path) -> None:
    recipe, jdk = load_recipe(series), Jdk(Path("/jdk"), "21")
    layout = config.layout_of(tmp_path, recipe)
    command = build_command(recipe, jdk, Path("/dist"), layout, tmp_path / "t", "2g")
    assert command[:3] == ["/jdk/bin/java", "-Xms2g", "-Xmx2g"]
    assert command[-3:] == ["-cp", "/dist/lib/*", "org.opensearch.bootstrap.OpenSearch"]
    policy = f"-Djava.security.policy={tmp_path}/opensearch-2/config/java.policy"
    assert (policy in command) == (series == "2.19")
    assert not any("{" in option for option in command)


def test_the_environment_of_the_user_does_not_reach_the_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "OPENSEARCH_JAVA_OPTS"):
        monkeypatch.setenv(name, "-Xmx1k")
    assert set(build_environment(tmp_path)) == {"PATH", "LANG", "HOME", "TMPDIR"}


@pytest.mark.parametrize("heap", ["512m", "1g", "1G", "65536k", "1073741824", "1k"])
def test_heap_sizes(heap: str) -> None:
    assert config.check_heap(heap) == heap


@pytest.mark.parametrize("heap", ["", "lots", "0g", "1.5g", "1gb", "-1g", "1g -Dx=y"])
def test_heap_sizes_that_are_none(heap: str) -> None:
    with pytest.raises(EmbeddedError, match="write it like 512m or 1g"):
        config.check_heap(heap)


def test_prepare_removes_leftovers_and_keeps_data(tmp_path: Path) -> None:
    recipe = load_recipe("2.19")
    layout = config.layout_of(tmp_path, recipe)
    first = config.prepare(layout, recipe, ME)
    (layout.data / "index").write_text("kept")
    layout.engine_log.write_text("old\n")
    second = config.prepare(layout, recipe, ME)
    assert not first.exists()
    assert second.is_dir()
    assert (layout.data / "index").read_text() == "kept"
    assert not layout.engine_log.exists()
    assert (layout.logs / "engine.log.previous").read_text() == "old\n"
    assert (layout.config / "java.policy").is_file()
    before = os.umask(0o077)
    config.write_config(layout, "n", 9300)
    os.umask(before)
    assert {p.stat().st_mode & 0o777 for p in layout.config.iterdir()} == {0o644}
    written = yaml.safe_load((layout.config / "opensearch.yml").read_text())
    assert written["http.port"] == 9300
    assert str(layout.engine_log) in (layout.config / "log4j2.properties").read_text()


def test_versions_do_not_share_data(tmp_path: Path) -> None:
    layouts = {config.layout_of(tmp_path, load_recipe(v)).data for v in ("3.6", "2.19")}
    assert len(layouts) == 2


def test_logs_end_with_the_file_written_last(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert read_logs(layout, 10) == ""
    layout.logs.mkdir()
    layout.console.write_text("a\nb\n")
    layout.engine_log.write_text("c\nd\n")
    os.utime(layout.console, (0, time.time() - 100))
    assert read_logs(layout, 3) == "b\nc\nd"
    os.utime(layout.console, (0, time.time() + 100))
    assert read_logs(layout, 3) == "d\na\nb"
    assert read_logs(layout, 0) == ""


def test_tail_of_a_large_file_reads_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (3 << 20) + b"\n\xff last\n")
    assert tail(path, 1) == ["\ufffd last"]
    assert tail(tmp_path / "gone", 1) == []
