"""JDKs are found in folders that look like real ones, and the engine is chosen to fit them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kokeshi.embedded.java import Jdk, choose, find_jdks, read_version
from kokeshi.errors import EmbeddedError


def make_jdk(folder: Path, version: str, release: bool = True) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-01' >&2\n")
    java.chmod(0o755)
    if release:
        (folder / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{version}"\n')
    return folder


def jdk(version: str) -> Jdk:
    return Jdk(Path("/opt/jdk"), version)


@pytest.mark.parametrize(
    ("version", "feature"),
    [("17.0.15", 17), ("25", 25), ("21.0.2.1", 21), ("1.8.0_402", 8), ("11.0.2", 11)],
)
def test_feature_version(version: str, feature: int) -> None:
    assert jdk(version).feature == feature


def test_java_home_comes_first_then_path_then_system_folders(tmp_path: Path) -> None:
    home = make_jdk(tmp_path / "home", "21.0.1")
    on_path = make_jdk(tmp_path / "path", "17.0.1")
    system = make_jdk(tmp_path / "jvm" / "a", "25")
    (tmp_path / "jvm" / "link").symlink_to(system)  # as Debian's java-1.17.0-... links
    environ = {"JAVA_HOME": str(home), "PATH": str(on_path / "bin")}
    found = find_jdks(environ, [f"{tmp_path}/jvm/*"])
    assert [str(x.home) for x in found] == [str(home), str(on_path), str(system)]
    assert [x.feature for x in found] == [21, 17, 25]


def test_a_link_on_path_leads_to_its_jdk(tmp_path: Path) -> None:
    real = make_jdk(tmp_path / "jdk", "21.0.1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(real / "bin" / "java")
    assert [x.home for x in find_jdks({"PATH": str(tmp_path / "bin")}, [])] == [real]


def test_a_jdk_without_release_file_is_asked(tmp_path: Path) -> None:
    assert read_version(make_jdk(tmp_path / "jdk", "23.0.1", release=False)) == "23.0.1"


def test_folders_that_hold_no_java_are_no_jdk(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken" / "bin"
    broken.mkdir(parents=True)
    (broken / "java").write_text("#!/bin/sh\nexit 1\n")
    (broken / "java").chmod(0o755)
    assert find_jdks({"JAVA_HOME": str(tmp_path / "gone"), "PATH": ""}, [f"{tmp_path}/*"]) == []


def test_the_newest_engine_that_a_jdk_runs_is_chosen() -> None:
    recipe, chosen = choose(None, [jdk("17.0.1"), jdk("21.0.1")])
    assert (recipe.series, chosen.feature) == ("3.6", 21)


@pytest.mark.parametrize("version", ["17.0.1", "20.0.2"])
def test_an_old_jdk_gets_the_old_engine(version: str) -> None:
    assert choose(None, [jdk(version)])[0].series == "2.19"


def test_an_explicit_version_wins() -> None:
    recipe, chosen = choose("2.19", [jdk("25"), jdk("24"), jdk("17.0.1")])
    assert (recipe.version, chosen.feature) == ("2.19.1", 24)


def test_no_jdk_that_fits_names_what_was_found_and_what_is_needed() -> None:
    with pytest.raises(EmbeddedError, match=r"2\.19\.1 needs Java 17 to 24.*Java 25 \(/opt/jdk\)"):
        choose("2.19", [jdk("25")])
    with pytest.raises(EmbeddedError, match=r"needs Java 21 or newer.*Found: none.*JAVA_HOME"):
        choose(None, [])


def test_a_jdk_that_the_engine_cannot_reach_is_refused() -> None:
    with pytest.raises(EmbeddedError, match="not readable to the engine's user"):
        choose("3.6", [jdk("21")], usable=lambda _: False)


def test_this_machine(tmp_path: Path) -> None:
    for found in find_jdks():
        assert os.access(found.binary, os.X_OK)
        assert found.feature >= 7
