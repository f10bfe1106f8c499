"""Lay an engine out from its pinned artifacts, once, for all processes of this machine."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from kokeshi.embedded.folders import make_folder, require_space
from kokeshi.embedded.java import Jdk
from kokeshi.embedded.locks import hold_lock
from kokeshi.embedded.manifest import find_damage, write_manifest
from kokeshi.embedded.maven import fetch
from kokeshi.embedded.progress import OnProgress, Progress
from kokeshi.embedded.recipe import Module, Recipe
from kokeshi.errors import EmbeddedError

_DESCRIPTOR = "plugin-descriptor.properties"
# The artifacts, their copy, and what Maven itself downloads.
_NEEDED_MB = 400


def distribution_folder(recipe: Recipe, cache: Path) -> Path:
    """Return where the assembled engine is, or will be."""
    return cache / "engines" / f"opensearch-{recipe.version}-{recipe.digest}"


def ensure_assembled(
    recipe: Recipe, jdk: Jdk, cache: Path, on_progress: OnProgress, full: bool = False
) -> Path:
    """Return the folder of a sound assembled engine; assemble it where it is missing or damaged.

    full: verify the content of every file, not only the sizes.

    Raises:
        EmbeddedError: it cannot be fetched, verified or written.
    """
    folder = distribution_folder(recipe, cache)
    if find_damage(folder, full) is None:
        return folder
    make_folder(folder.parent)
    waiting = Progress("Waiting for another process that assembles the engine")
    with hold_lock(folder.with_name(f".{folder.name}.lock"), lambda: on_progress(waiting)):
        damage = find_damage(folder, full)  # the other process may have done it
        if damage is None:
            return folder
        if folder.exists():
            on_progress(Progress(f"The assembled engine is damaged ({damage}): assembling again"))
        _assemble(recipe, jdk, folder, on_progress)
    return folder


def _assemble(recipe: Recipe, jdk: Jdk, folder: Path, on_progress: OnProgress) -> None:
    prefix = f".{folder.name}.tmp-"
    for leftover in folder.parent.glob(f"{prefix}*"):  # of a killed assembly: we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    require_space(folder.parent, _NEEDED_MB, "assembling the engine")
    scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        target = scratch / "new"
        fetch(recipe, jdk, target, on_progress)
        on_progress(Progress("Laying out the engine"))
        lay_out(recipe, target)
        if folder.exists():
            folder.rename(scratch / "old")
        target.rename(folder)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise EmbeddedError(f"Disk full while assembling in {folder.parent}") from error
        raise EmbeddedError(f"Cannot assemble the engine in {folder.parent}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def lay_out(recipe: Recipe, target: Path) -> None:
    """Turn the copied artifacts into a distribution: descriptors, the unpacked plugin, manifest."""
    for module in recipe.modules:
        text = _build_descriptor(module, recipe)
        (target / "modules" / module.name / _DESCRIPTOR).write_text(text, "utf-8")
    _unpack_plugin(recipe, target / "plugins" / recipe.plugin)
    for name in ("bin", "extensions"):  # the engine tries to create them where they are missing
        (target / name).mkdir()
        (target / name / "README").write_text("Kept empty by kokeshi.\n", "utf-8")
    write_manifest(target)
    for root, _, files in os.walk(target):
        folder = Path(root)
        folder.chmod(0o755)
        for name in files:
            (folder / name).chmod(0o444)


def _build_descriptor(module: Module, recipe: Recipe) -> str:
    properties = {
        "description": f"The module {module.name}",
        "version": recipe.version,
        "name": module.name,
        "classname": module.classname,
        "java.version": recipe.java_min,
        "opensearch.version": recipe.version,
        "extended.plugins": module.extends,
        "has.native.controller": "false",
    }
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def _unpack_plugin(recipe: Recipe, folder: Path) -> None:
    for archive in folder.glob("*.zip"):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)  # verified against its checksum before
        archive.unlink()
    descriptor = folder / _DESCRIPTOR
    lines = descriptor.read_text("utf-8").splitlines()
    kept = [_drop_extensions(line, recipe.dropped_extensions) for line in lines]
    descriptor.write_text("\n".join(kept) + "\n", "utf-8")


def _drop_extensions(line: str, dropped: frozenset[str]) -> str:
    key, _, value = line.partition("=")
    if key != "extended.plugins":
        return line
    return f"{key}={','.join(name for name in value.split(',') if name not in dropped)}"
