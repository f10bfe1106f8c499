"""An engine that is taken out of one large archive: a shell script plays Maven."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest
import yaml

from kokeshi.embedded import maven
from kokeshi.embedded.assemble import ensure_assembled
from kokeshi.embedded.java import Jdk
from kokeshi.embedded.manifest import find_damage
from kokeshi.embedded.progress import Progress, ignore_progress
from kokeshi.embedded.recipe import Recipe, read_recipe
from kokeshi.errors import EmbeddedError

JDK = Jdk(Path("/opt/jdk"), "21")
ARTIFACT = "org.big:app:9.9:zip"
# Keeps the archive in its local repository, as Maven does, then copies it; slowly, saying nothing.
MAVEN = """#!/bin/sh
for argument; do case "$argument" in
  -Dkokeshi.target=*) target="${argument#*=}";;
  -Dmaven.repo.local=*) repository="${argument#*=}";;
esac; done
echo "$repository" >> @runs@
mkdir -p "$repository/org/big/app/9.9" "$target/archive"
for part in 1 2 3; do
  head -c 1000000 /dev/zero >> "$repository/org/big/app/9.9/app-9.9.zip.part"; sleep 0.3
done
cp @archive@ "$target/archive/app-9.9.zip"
"""
MEMBERS = {
    "app-9.9/bin/elasticsearch": "#!/bin/bash",
    "app-9.9/bin/other": "of the application",
    "app-9.9/elasticsearch/LICENSE.txt": "terms",
    "app-9.9/elasticsearch/bin/elasticsearch-env": "sourced",
    "app-9.9/elasticsearch/bin/elasticsearch.bat": "windows",
    "app-9.9/elasticsearch/lib/server.jar": "s",
    "app-9.9/elasticsearch/lib/tools/server-launcher/server-launcher": "native",
    "app-9.9/elasticsearch/../../evil": "outside",
    "app-9.9/web/elasticsearch/page.js": "of the application",
}
KEPT = {"LICENSE.txt", "bin/elasticsearch", "bin/elasticsearch-env", "lib/server.jar"}


@pytest.fixture(autouse=True)
def user_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder whose local Maven repository is empty; the script is on PATH."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "mvn"
    text = MAVEN.replace("@runs@", f"{tmp_path}/runs")
    script.write_text(text.replace("@archive@", f"{tmp_path}/app.zip"))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return tmp_path / "user"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """The pins of an archive, which is tmp_path/app.zip."""
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        for name, text in MEMBERS.items():
            archive.writestr(name, text)
    pins = tmp_path / "elasticsearch" / "9.9"
    pins.mkdir(parents=True)
    digest = hashlib.sha256((tmp_path / "app.zip").read_bytes()).hexdigest()
    (pins / "checksums.sha256").write_text(f"{digest}  archive/app-9.9.zip\n")
    spec = {
        "version": "9.9.0",
        "java": {"min": 21, "max": None},
        "jvm_options": [],
        "archive": {"artifact": ARTIFACT, "megabytes": 3, "kept_megabytes": 1},
    }
    (pins / "engine.yaml").write_text(yaml.safe_dump(spec))
    return read_recipe(pins)


def test_the_engine_is_taken_out_and_the_rest_goes(recipe: Recipe, tmp_path: Path) -> None:
    folder = ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)
    assert folder.name.startswith("elasticsearch-9.9.0-")
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files - {"kokeshi-manifest.json"} == KEPT
    assert (folder / "plugins").is_dir()
    assert find_damage(folder, full=True) is None
    assert not (tmp_path / "evil").exists()
    (used,) = (tmp_path / "runs").read_text().split()
    assert not Path(used).exists()
    assert [p.name for p in (tmp_path / "cache/engines").iterdir() if "tmp" in p.name] == []


def test_megabytes_are_told_while_maven_is_silent(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maven, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(maven, "_STALL_SECONDS", 0.6)  # longer than a part, shorter than all three
    events: list[Progress] = []
    ensure_assembled(recipe, JDK, tmp_path / "cache", events.append)
    told = [(e.done, e.total) for e in events if e.stage == "Fetching Elasticsearch 9.9.0 (3 MB)"]
    assert told == sorted(told)
    assert {(0, 3), (1, 3), (2, 3)} <= set(told)


def test_a_local_repository_that_has_it_is_used(
    recipe: Recipe, tmp_path: Path, user_home: Path
) -> None:
    assert recipe.archive is not None
    existing = user_home / ".m2" / "repository" / recipe.archive.repository_path
    existing.parent.mkdir(parents=True)
    (tmp_path / "app.zip").rename(existing)
    folder = ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)
    assert (folder / "lib" / "server.jar").read_text() == "s"
    assert existing.is_file()
    assert not (tmp_path / "runs").exists()


def test_an_archive_that_is_not_the_pinned_one(recipe: Recipe, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "app.zip", "a") as archive:
        archive.writestr("app-9.9/elasticsearch/lib/evil.jar", "e")
    with pytest.raises(EmbeddedError, match=r"app-9\.9\.zip is not the pinned file: SHA-256"):
        ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)
    assert [p.suffix for p in (tmp_path / "cache/engines").iterdir()] == [".lock"]


def test_too_little_space_is_told_before_anything_is_fetched(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 2000 << 20})
    monkeypatch.setattr("kokeshi.embedded.folders.shutil.disk_usage", lambda _: usage)
    with pytest.raises(EmbeddedError, match=r"Disk full: assembling .* needs 2300 MB .* 2000 MB"):
        ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)
    assert not (tmp_path / "runs").exists()
