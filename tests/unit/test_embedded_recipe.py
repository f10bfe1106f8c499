"""The pinned files agree with each other, and assets are found."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kokeshi.assets import asset_path
from kokeshi.embedded.recipe import SERIES, load_recipe, resolve_series
from kokeshi.errors import EmbeddedError, KokeshiError

SPACE = {"m": "http://maven.apache.org/POM/4.0.0"}


@pytest.mark.parametrize("series", SERIES)
def test_pom_and_checksums_list_the_same_files(series: str) -> None:
    recipe = load_recipe(series)
    items = ElementTree.parse(recipe.pom).findall(".//m:artifactItem", SPACE)  # noqa: S314
    copied = set()
    for item in items:
        folder = item.findtext("m:outputDirectory", "", SPACE).removeprefix("${kokeshi.target}/")
        copied.add(f"{folder}/{item.findtext('m:destFileName', '', SPACE)}")
    assert copied == set(recipe.checksums)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in recipe.checksums.values())


@pytest.mark.parametrize("series", SERIES)
def test_every_module_has_its_jar(series: str) -> None:
    recipe = load_recipe(series)
    for module in recipe.modules:
        prefix = f"modules/{module.name}/"
        assert any(p.startswith(prefix) and module.version in p for p in recipe.checksums)
    assert any(p.startswith(f"plugins/{recipe.plugin}/") for p in recipe.checksums)


@pytest.mark.parametrize("series", SERIES)
def test_no_jar_is_both_in_lib_and_in_a_module(series: str) -> None:
    names: dict[str, set[str]] = {}
    for path in load_recipe(series).checksums:
        folder, _, name = path.rpartition("/")
        names.setdefault(re.sub(r"-\d.*", "", name), set()).add(folder)
    assert all(folders == {"lib"} for folders in names.values() if "lib" in folders)


@pytest.mark.parametrize("series", SERIES)
def test_the_pinned_files_name_no_host(series: str) -> None:
    for path in asset_path("docker", "embedded", series).iterdir():
        text = path.read_text("utf-8").replace("http://maven.apache.org/POM/4.0.0", "")
        assert "://" not in text, path


def test_versions_are_accepted_in_both_forms() -> None:
    assert resolve_series("3.6") == resolve_series("3.6.0") == "3.6"
    assert load_recipe("2.19.1").major == "2"
    with pytest.raises(EmbeddedError, match=r"'3\.60' is not pinned: choose one of 3\.6, 2\.19"):
        resolve_series("3.60")


def test_java_ranges() -> None:
    old, new = load_recipe("2.19"), load_recipe("3.6")
    assert [old.accepts_java(n) for n in (11, 17, 24, 25)] == [False, True, True, False]
    assert [new.accepts_java(n) for n in (17, 20, 21, 99)] == [False, False, True, True]
    assert (old.java_range, new.java_range) == ("17 to 24", "21 or newer")


def test_assets() -> None:
    assert asset_path("docker", "embedded", "3.6", "pom.xml").is_file()
    assert isinstance(asset_path("docker"), Path)
    with pytest.raises(KokeshiError, match="docker/nothing is missing"):
        asset_path("docker", "nothing")
