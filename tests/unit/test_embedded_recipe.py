"""The pinned files agree with each other, and assets are found."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kokeshi.assets import asset_path
from kokeshi.embedded.kinds.opensearch import modules_of
from kokeshi.embedded.recipe import SERIES, load_recipe, resolve_series
from kokeshi.errors import EmbeddedError, KokeshiError

SPACE = {"m": "http://maven.apache.org/POM/4.0.0"}


PINNED = [(engine, series) for engine in SERIES for series in SERIES[engine]]


@pytest.mark.parametrize(("engine", "series"), PINNED)
def test_pom_and_checksums_list_the_same_files(engine: str, series: str) -> None:
    recipe = load_recipe(series, engine)
    items = ElementTree.parse(recipe.pom).findall(".//m:artifactItem", SPACE)  # noqa: S314
    copied = set()
    for item in items:
        folder = item.findtext("m:outputDirectory", "", SPACE).removeprefix("${kokeshi.target}/")
        copied.add(f"{folder}/{item.findtext('m:destFileName', '', SPACE)}")
    assert copied == set(recipe.checksums)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in recipe.checksums.values())


@pytest.mark.parametrize("series", SERIES["opensearch"])
def test_every_module_has_its_jar(series: str) -> None:
    recipe = load_recipe(series)
    for module in modules_of(recipe):
        prefix = f"modules/{module.name}/"
        assert any(p.startswith(prefix) and module.version in p for p in recipe.checksums)
    assert any(p.startswith("plugins/opensearch-knn/") for p in recipe.checksums)


@pytest.mark.parametrize("series", SERIES["elasticsearch"])
def test_an_archive_is_all_that_is_copied(series: str) -> None:
    recipe = load_recipe(series, "elasticsearch")
    assert recipe.archive is not None
    (path,) = recipe.checksums
    assert path == f"archive/{recipe.archive.repository_path.name}"
    assert recipe.archive.artifact.split(":")[2] in recipe.archive.repository_path.parts


@pytest.mark.parametrize("series", SERIES["opensearch"])
def test_no_jar_is_both_in_lib_and_in_a_module(series: str) -> None:
    names: dict[str, set[str]] = {}
    for path in load_recipe(series).checksums:
        folder, _, name = path.rpartition("/")
        names.setdefault(re.sub(r"-\d.*", "", name), set()).add(folder)
    assert all(folders == {"lib"} for folders in names.values() if "lib" in folders)


@pytest.mark.parametrize(("engine", "series"), PINNED)
def test_the_pinned_files_name_no_host(engine: str, series: str) -> None:
    for path in asset_path("docker", "embedded", engine, series).iterdir():
        text = path.read_text("utf-8").replace("http://maven.apache.org/POM/4.0.0", "")
        assert "://" not in text, path


def test_versions_are_accepted_in_both_forms() -> None:
    assert resolve_series("3.6") == resolve_series("3.6.0") == "3.6"
    assert load_recipe("2.19.1").major == "2"
    with pytest.raises(EmbeddedError, match=r"'3\.60' is not pinned: choose one of 3\.6, 2\.19"):
        resolve_series("3.60")
    assert resolve_series("8.19.13", "elasticsearch") == "8.19"
    with pytest.raises(EmbeddedError, match=r"Elasticsearch version '3\.6' .*one of 9\.4, 8\.19"):
        resolve_series("3.6", "elasticsearch")
    with pytest.raises(EmbeddedError, match="'solr' is not known: choose one of opensearch, elas"):
        load_recipe("9.4", "solr")


def test_java_ranges() -> None:
    old, new = load_recipe("2.19"), load_recipe("3.6")
    assert [old.accepts_java(n) for n in (11, 17, 24, 25)] == [False, True, True, False]
    assert [new.accepts_java(n) for n in (17, 20, 21, 99)] == [False, False, True, True]
    assert (old.java_range, new.java_range) == ("17 to 24", "21 or newer")


def test_assets() -> None:
    assert asset_path("docker", "embedded", "opensearch", "3.6", "pom.xml").is_file()
    assert isinstance(asset_path("docker"), Path)
    with pytest.raises(KokeshiError, match="docker/nothing is missing"):
        asset_path("docker", "nothing")
