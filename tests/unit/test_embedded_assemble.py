"""Assembling a tiny engine: a shell script plays Maven, everything else is real."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from kokeshi.embedded import maven
from kokeshi.embedded.assemble import distribution_folder, ensure_assembled
from kokeshi.embedded.java import Jdk
from kokeshi.embedded.manifest import find_damage
from kokeshi.embedded.progress import Progress, ignore_progress
from kokeshi.embedded.recipe import Recipe, read_recipe
from kokeshi.errors import EmbeddedError

JDK = Jdk(Path("/opt/jdk"), "21")
# Copies a folder instead of artifacts, counts its runs, and says what Maven says.
MAVEN = """#!/bin/sh
for argument; do case "$argument" in -Dkokeshi.target=*) target="${argument#*=}";; esac; done
echo run >> @runs@
echo "[INFO] Configured Artifact: g.x:a:1:jar"
echo "[INFO] Downloaded from somewhere: https://example.org/k/knn-1.zip (1 kB at 1 kB/s)"
echo "[INFO] Configured Artifact: g.x:knn:1:zip"
echo "[INFO] Configured Artifact: g.x:unrelated:1:jar"
mkdir -p "$target"; cp -R @source@/. "$target"
"""
DESCRIPTOR = "name=knn\nextended.plugins=lang-painless,transport-grpc\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """The pins of an engine of two jars and a plugin; their files are in tmp_path/source."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("plugin-descriptor.properties", DESCRIPTOR)
        archive.writestr("knn.jar", "k")
    files = {"lib/a-1.jar": b"a", "modules/m/m-1.jar": b"m", "plugins/knn/knn-1.zip": packed}
    pins = tmp_path / "opensearch" / "9.9"
    pins.mkdir(parents=True)
    lines = []
    for name, content in files.items():
        data = content.getvalue() if isinstance(content, io.BytesIO) else content
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        lines.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
    (pins / "checksums.sha256").write_text("".join(lines))
    spec = {
        "version": "9.9.0",
        "java": {"min": 21, "max": None},
        "jvm_options": [],
        "modules": [
            {"name": "m", "artifact": "g:m:1", "classname": "M", "extends": "lang-painless"}
        ],
        "plugin": {"name": "knn", "archive": "g:knn:1:zip", "drop_extended": ["transport-grpc"]},
    }
    (pins / "engine.yaml").write_text(yaml.safe_dump(spec))
    return read_recipe(pins)


@pytest.fixture
def path_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder at the front of PATH, with the script that plays Maven."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = MAVEN.replace("@runs@", f"{tmp_path}/runs").replace("@source@", f"{tmp_path}/source")
    play_maven(folder, script)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return folder


def play_maven(folder: Path, script: str) -> None:
    (folder / "mvn").write_text(script)
    (folder / "mvn").chmod(0o755)


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text().splitlines())


def test_layout(recipe: Recipe, path_with: Path, tmp_path: Path) -> None:
    folder = ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)
    assert folder == distribution_folder(recipe, tmp_path / "cache")
    names = {str(p.relative_to(folder)) for p in folder.rglob("*.*") if "manifest" not in p.name}
    assert names == {
        "lib/a-1.jar",
        "modules/m/m-1.jar",
        "modules/m/plugin-descriptor.properties",
        "plugins/knn/knn.jar",
        "plugins/knn/plugin-descriptor.properties",
    }
    descriptor = (folder / "plugins/knn/plugin-descriptor.properties").read_text()
    assert "extended.plugins=lang-painless\n" in descriptor
    module = (folder / "modules/m/plugin-descriptor.properties").read_text().splitlines()
    assert {"classname=M", "version=9.9.0", "extended.plugins=lang-painless"} <= set(module)
    assert (folder / "lib/a-1.jar").stat().st_mode & 0o777 == 0o444
    assert find_damage(folder, full=True) is None


def test_it_is_assembled_once(recipe: Recipe, path_with: Path, tmp_path: Path) -> None:
    ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)
    ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)
    assert runs(tmp_path) == 1
    assert [p.name for p in (tmp_path / "cache/engines").glob(".*.tmp-*")] == []


def test_damage_is_told_and_repaired(recipe: Recipe, path_with: Path, tmp_path: Path) -> None:
    folder = ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)
    (folder / "lib/a-1.jar").unlink()
    events: list[Progress] = []
    ensure_assembled(recipe, JDK, tmp_path / "cache", events.append)
    assert "damaged (lib/a-1.jar cannot be read" in events[0].stage
    assert find_damage(folder, full=True) is None
    (folder / "lib/a-1.jar").chmod(0o644)
    (folder / "lib/a-1.jar").write_bytes(b"x")
    ensure_assembled(recipe, JDK, tmp_path / "cache", events.append)
    assert runs(tmp_path) == 2
    ensure_assembled(recipe, JDK, tmp_path / "cache", events.append, full=True)
    assert runs(tmp_path) == 3


def test_progress_counts_pinned_files(recipe: Recipe, path_with: Path, tmp_path: Path) -> None:
    events: list[Progress] = []
    ensure_assembled(recipe, JDK, tmp_path / "cache", events.append)
    fetching = [(e.done, e.total) for e in events if e.stage == "Fetching OpenSearch 9.9.0"]
    assert fetching == [(0, 3), (1, 3), (2, 3)]


def test_leftovers_of_a_killed_assembly_go(recipe: Recipe, path_with: Path, tmp_path: Path) -> None:
    folder = distribution_folder(recipe, tmp_path / "cache")
    leftover = folder.with_name(f".{folder.name}.tmp-killed")
    (leftover / "new").mkdir(parents=True)
    ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)
    assert not leftover.exists()


def test_two_processes_assemble_once(recipe: Recipe, path_with: Path, tmp_path: Path) -> None:
    # Maven is not done before the other process waits, however late that comes; a minute ends it
    waited = tmp_path / "waited"
    until = f'for n in $(seq 600); do [ -e "{waited}" ] && break; sleep 0.1; done; mkdir -p'
    play_maven(path_with, (path_with / "mvn").read_text().replace("mkdir -p", until))
    code = (
        "import sys, pathlib\n"
        "from kokeshi.embedded.assemble import ensure_assembled\n"
        "from kokeshi.embedded.java import Jdk\n"
        "from kokeshi.embedded.recipe import read_recipe\n"
        "pins, cache, waited = map(pathlib.Path, sys.argv[1:])\n"
        "jdk = Jdk(pathlib.Path('/opt/jdk'), '21')\n"
        "def tell(event):\n"
        "    print(event.stage)\n"
        "    if 'Waiting' in event.stage: waited.touch()\n"
        "ensure_assembled(read_recipe(pins), jdk, cache, tell)\n"
    )
    arguments = [recipe.folder, tmp_path / "cache", waited]
    command = [sys.executable, "-c", code, *map(str, arguments)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert runs(tmp_path) == 1
    assert sum("Waiting for another process that assembles" in text for text in outputs) == 1


def test_no_maven(recipe: Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedError, match="`mvn` is not on PATH: install Maven"):
        ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)


def test_a_failing_maven_is_quoted_in_one_line(
    recipe: Recipe, path_with: Path, tmp_path: Path
) -> None:
    said = (
        "[INFO] Scanning\\n[ERROR] Failed to copy: offline -> [Help 1]\\n[ERROR] \\n[ERROR] more\\n"
    )
    play_maven(path_with, f"#!/bin/sh\nprintf '{said}'\nexit 1\n")
    with pytest.raises(EmbeddedError) as caught:
        ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)
    assert "\n" not in str(caught.value)
    assert "Maven could not fetch the engine: Failed to copy: offline (check" in str(caught.value)
    assert [p.suffix for p in (tmp_path / "cache/engines").iterdir()] == [".lock"]


def test_a_silent_maven_is_given_up(
    recipe: Recipe, path_with: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(maven, "_STALL_SECONDS", 0.3)
    play_maven(path_with, "#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(EmbeddedError, match="Maven said nothing for"):
        ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)


def test_a_file_that_is_not_the_pinned_one(recipe: Recipe, path_with: Path, tmp_path: Path) -> None:
    (tmp_path / "source/lib/a-1.jar").write_bytes(b"evil")
    with pytest.raises(EmbeddedError, match=r"a-1\.jar is not the pinned file: SHA-256 .*mirror"):
        ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)
    assert not distribution_folder(recipe, tmp_path / "cache").exists()


def test_a_file_that_was_not_copied(recipe: Recipe, path_with: Path, tmp_path: Path) -> None:
    (tmp_path / "source/modules/m/m-1.jar").unlink()
    with pytest.raises(EmbeddedError, match=r"did not copy modules/m/m-1\.jar"):
        ensure_assembled(recipe, JDK, tmp_path / "cache", ignore_progress)


def test_a_pin_that_changes_changes_the_folder(recipe: Recipe, tmp_path: Path) -> None:
    (recipe.folder / "checksums.sha256").write_text("00  lib/a-1.jar\n")
    changed = read_recipe(recipe.folder)
    assert distribution_folder(changed, tmp_path) != distribution_folder(recipe, tmp_path)
