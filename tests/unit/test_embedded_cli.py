"""`kokeshi engine` without an engine: what it prints and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kokeshi.cli.engine import app
from kokeshi.errors import EmbeddedError


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_status(tmp_path: Path) -> None:
    assert "No engine runs. Start it with: kokeshi engine start" in run(
        "status", "--home", tmp_path
    )
    found = json.loads(run("status", "--json", "--home", tmp_path))
    assert found == {
        "running": False,
        "engine": "opensearch",
        "url": None,
        "pid": None,
        "version": None,
        "java": None,
        "home": str(tmp_path),
        "data_bytes": 0,
    }


def test_stop(tmp_path: Path) -> None:
    assert run("stop", "--home", tmp_path) == f"No engine runs in {tmp_path}\n"
    assert json.loads(run("stop", "--json", "--home", tmp_path))["stopped"] is False


def test_logs(tmp_path: Path) -> None:
    assert run("logs", "--home", tmp_path) == "No logs yet.\n"
    logs = tmp_path / "opensearch-3" / "logs"
    logs.mkdir(parents=True)
    (logs / "engine.log").write_text("one\ntwo\n")
    assert run("logs", "--home", tmp_path, "-n", 1) == "two\n"
    assert json.loads(run("logs", "--home", tmp_path, "--json")) == {"lines": ["one", "two"]}


def test_bad_options_are_errors_that_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="write it like 512m"):
        run("start", "--home", tmp_path, "--heap", "huge")
    with pytest.raises(EmbeddedError, match="choose one of"):
        run("start", "--home", tmp_path, "--version", "1.3")
