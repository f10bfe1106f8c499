"""What a caller may add to the engine's configuration, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from kokeshi.embedded import EmbeddedEngine
from kokeshi.embedded.config import build_settings
from kokeshi.embedded.kinds import KINDS, find_kind
from kokeshi.embedded.layout import Layout
from kokeshi.embedded.settings import check_files, check_settings, fingerprint, flatten, is_on
from kokeshi.errors import EmbeddedError


def test_nested_settings_are_written_with_dots() -> None:
    nested = {"xpack": {"security": {"enabled": True}}, "a.b": {"c": [1]}}
    assert flatten(nested) == {"xpack.security.enabled": True, "a.b.c": [1]}


@pytest.mark.parametrize("name", build_settings(Layout(Path("/home")), "n", 9200))
def test_kokeshi_s_own_settings_are_refused_in_any_spelling(name: str) -> None:
    with pytest.raises(EmbeddedError, match=f"Setting '{name}' is Kokeshi's own: leave it out"):
        check_settings({name: "x"})
    first, _, rest = name.partition(".")
    with pytest.raises(EmbeddedError, match=f"Setting '{name}' is Kokeshi's own"):
        EmbeddedEngine("/nowhere", settings={first: {rest: "x"}})


@pytest.mark.parametrize("name", ["http.host", "network.bind_host", "transport.host"])
def test_the_engine_stays_on_this_machine(name: str) -> None:
    with pytest.raises(EmbeddedError, match="Kokeshi's own"):
        check_settings({name: "0.0.0.0"})  # noqa: S104


def test_other_settings_pass() -> None:
    settings = {"http.max_content_length": "10mb", "pathology": 1, "xpack.security.enabled": True}
    assert check_settings(settings) == settings


@pytest.mark.parametrize("name", ["", "a/b", "../users", ".hidden", "a b"])
def test_config_files_have_plain_names(name: str) -> None:
    with pytest.raises(EmbeddedError, match="is not a plain file name"):
        check_files({name: b""}, find_kind("elasticsearch"))


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_kokeshi_s_own_files_are_refused(kind) -> None:
    for name in (kind.settings_file, "log4j2.properties", "jvm.options", "java.policy"):
        with pytest.raises(EmbeddedError, match="Kokeshi's own: use settings instead"):
            check_files({name: b""}, kind)
    assert check_files({"users": b"u"}, kind) == {"users": b"u"}


def test_a_fingerprint_tells_configurations_apart() -> None:
    assert fingerprint({}, {}) == ""
    prints = [
        fingerprint({"a": 1}, {}),
        fingerprint({"a": 2}, {}),
        fingerprint({}, {"a": b"1"}),
        fingerprint({}, {"a": b"2"}),
    ]
    assert len(set(prints)) == 4
    assert fingerprint({"a": 1, "b": 2}, {}) == fingerprint({"b": 2, "a": 1}, {})


@pytest.mark.parametrize(
    ("value", "on"), [(True, True), ("true", True), (False, False), ("", False)]
)
def test_switches(value: object, on: bool) -> None:
    assert is_on({"s": value}, "s") is on
    assert not is_on({"s": value}, "other")
    assert not is_on({"s": value}, None)
