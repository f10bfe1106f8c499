"""The configuration that the engine is started with, and the logs that it leaves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import yaml

from kokeshi.embedded import config
from kokeshi.embedded.config import build_environment, build_settings
from kokeshi.embedded.folders import Account
from kokeshi.embedded.java import Jdk
from kokeshi.embedded.kinds import Run, find_kind
from kokeshi.embedded.layout import Layout, layout_of
from kokeshi.embedded.logs import read_logs, tail
from kokeshi.embedded.recipe import SERIES, load_recipe
from kokeshi.errors import EmbeddedError

ME = Account(os.geteuid(), os.getegid(), drop=False)


def make_run(folder: Path, series: str, engine: str = "opensearch") -> Run:
    recipe = load_recipe(series, engine)
    layout = layout_of(folder, recipe)
    return Run(recipe, Jdk(Path("/jdk"), "21"), Path("/dist"), layout, folder / "t", "2g")


def test_settings_stay_on_this_machine(tmp_path: Path) -> None:
    settings = build_settings(Layout(tmp_path), "n1", 9201)
    assert settings["network.host"] == "127.0.0.1"
    assert settings["discovery.type"] == "single-node"
    assert (settings["http.port"], settings["node.name"]) == (9201, "n1")
    assert settings["path.repo"] == [str(tmp_path / "snapshots")]


@pytest.mark.parametrize("series", ["3.6", "2.19"])
def test_command(series: str, tmp_path: Path) -> None:
    command = find_kind("opensearch").build_command(make_run(tmp_path, series))
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
    names = {"PATH", "LANG", "HOME", "TMPDIR"}
    assert set(build_environment(make_run(tmp_path, "3.6"))) == names
    launcher = {"ES_JAVA_HOME", "ES_PATH_CONF", "ES_TMPDIR"}
    environment = build_environment(make_run(tmp_path, "9.4", "elasticsearch"))
    assert set(environment) == names | launcher
    assert environment["ES_PATH_CONF"] == str(tmp_path / "elasticsearch-9" / "config")


def test_elasticsearch_is_launched_by_its_own_script(tmp_path: Path) -> None:
    run = make_run(tmp_path, "9.4", "elasticsearch")
    kind = find_kind("elasticsearch")
    assert kind.build_command(run) == ["bash", "/dist/bin/elasticsearch"]
    options = kind.build_files(run)["jvm.options"].splitlines()
    assert {"-Xms2g", "-Xmx2g", f"-Djava.io.tmpdir={tmp_path}/t"} <= set(options)
    assert not any("HeapDump" in option or "-Xlog" in option for option in options)


@pytest.mark.parametrize("series", SERIES["elasticsearch"])
def test_elasticsearch_s_own_defaults_leave_security_to_the_caller(series: str) -> None:
    settings = config.default_settings(load_recipe(series, "elasticsearch"))
    assert settings["xpack.security.enabled"] is False
    assert settings["xpack.ml.enabled"] is False
    assert config.default_settings(load_recipe("3.6")) == {}


@pytest.mark.parametrize("heap", ["512m", "1g", "1G", "65536k", "1073741824", "1k"])
def test_heap_sizes(heap: str) -> None:
    assert config.check_heap(heap) == heap


@pytest.mark.parametrize("heap", ["", "lots", "0g", "1.5g", "1gb", "-1g", "1g -Dx=y"])
def test_heap_sizes_that_are_none(heap: str) -> None:
    with pytest.raises(EmbeddedError, match="write it like 512m or 1g"):
        config.check_heap(heap)


def test_prepare_removes_leftovers_and_keeps_data(tmp_path: Path) -> None:
    run = make_run(tmp_path, "2.19")
    layout = run.layout
    first = config.prepare(layout, ME)
    (layout.data / "index").write_text("kept")
    layout.engine_log.write_text("old\n")
    (layout.config / "users").write_text("of an earlier run")
    second = config.prepare(layout, ME)
    assert not first.exists()
    assert second.is_dir()
    assert (layout.data / "index").read_text() == "kept"
    assert not layout.engine_log.exists()
    assert (layout.logs / "engine.log.previous").read_text() == "old\n"
    assert list(layout.config.iterdir()) == []


def test_config_files_are_for_the_engine_s_eyes(tmp_path: Path) -> None:
    run = make_run(tmp_path, "2.19")
    layout = run.layout
    config.prepare(layout, ME)
    before = os.umask(0)
    config.write_config(run, {"http.port": 9300}, {"ca.pem": b"\x00pem"}, ME)
    os.umask(before)
    written = {path.name: path.stat().st_mode & 0o777 for path in layout.config.iterdir()}
    names = ("opensearch.yml", "log4j2.properties", "java.policy", "ca.pem")
    assert written == dict.fromkeys(names, 0o600)
    assert yaml.safe_load((layout.config / "opensearch.yml").read_text()) == {"http.port": 9300}
    assert (layout.config / "ca.pem").read_bytes() == b"\x00pem"
    assert str(layout.engine_log) in (layout.config / "log4j2.properties").read_text()


def test_versions_do_not_share_data(tmp_path: Path) -> None:
    recipes = [load_recipe(v, engine) for engine in SERIES for v in SERIES[engine]]
    assert len({layout_of(tmp_path, recipe).data for recipe in recipes}) == 4


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
