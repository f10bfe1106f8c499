"""Lay an engine out from its pinned artifacts, once, for all processes of this machine."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from kokeshi.embedded.folders import make_folder, require_space
from kokeshi.embedded.java import Jdk
from kokeshi.embedded.kinds import find_kind
from kokeshi.embedded.locks import hold_lock
from kokeshi.embedded.manifest import find_damage, write_manifest
from kokeshi.embedded.maven import fetch
from kokeshi.embedded.progress import OnProgress, Progress
from kokeshi.embedded.recipe import Recipe
from kokeshi.errors import EmbeddedError


def distribution_folder(recipe: Recipe, cache: Path) -> Path:
    """Return where the assembled engine is, or will be."""
    return cache / "engines" / f"{recipe.engine}-{recipe.version}-{recipe.digest}"


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
    kind = find_kind(recipe.engine)
    require_space(folder.parent, kind.assembly_megabytes, "assembling the engine")
    scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        target = scratch / "new"
        fetch(recipe, jdk, target, on_progress)
        on_progress(Progress("Laying out the engine"))
        kind.lay_out(recipe, target)
        _seal(target)
        if folder.exists():
            folder.rename(scratch / "old")
        target.rename(folder)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise EmbeddedError(f"Disk full while assembling in {folder.parent}") from error
        raise EmbeddedError(f"Cannot assemble the engine in {folder.parent}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _seal(target: Path) -> None:
    """List the files, and make them readable to everybody and writable to nobody."""
    write_manifest(target)
    for root, _, files in os.walk(target):
        folder = Path(root)
        folder.chmod(0o755)
        for name in files:
            (folder / name).chmod(0o444)
