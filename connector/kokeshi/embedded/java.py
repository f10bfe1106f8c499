"""Find the JDKs of this machine and choose one that an engine version accepts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kokeshi.embedded.recipe import DEFAULT_ENGINE, SERIES, Recipe, load_recipe
from kokeshi.errors import EmbeddedError

_SYSTEM_FOLDERS = ("/usr/lib/jvm/*", "/Library/Java/JavaVirtualMachines/*/Contents/Home")


@dataclass(frozen=True)
class Jdk:
    """An installed Java: its home folder, its version text, its feature version (17, 21, 25)."""

    home: Path
    version: str

    @property
    def feature(self) -> int:
        """17 for "17.0.15", 8 for "1.8.0_402"."""
        numbers = [int(n) for n in re.findall(r"\d+", self.version)]
        return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]

    @property
    def binary(self) -> Path:
        """The java executable."""
        return self.home / "bin" / "java"

    def __str__(self) -> str:
        return f"Java {self.version} ({self.home})"


def find_jdks(
    environ: dict[str, str] | None = None, folders: Iterable[str] = _SYSTEM_FOLDERS
) -> list[Jdk]:
    """Return the JDKs of JAVA_HOME, PATH and the system folders, in this order, each one once."""
    found: dict[Path, Jdk] = {}
    for home in _candidates(dict(os.environ) if environ is None else environ, folders):
        resolved = home.resolve()
        if resolved in found or not os.access(resolved / "bin" / "java", os.X_OK):
            continue
        version = read_version(resolved)
        if version:
            found[resolved] = Jdk(resolved, version)
    return list(found.values())


def _candidates(environ: dict[str, str], folders: Iterable[str]) -> Iterator[Path]:
    if environ.get("JAVA_HOME"):
        yield Path(environ["JAVA_HOME"])
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    if on_path:
        yield Path(on_path).resolve().parent.parent
    for pattern in folders:
        yield from sorted(Path("/").glob(pattern.lstrip("/")))


def read_version(home: Path) -> str | None:
    """Return "17.0.15" from the `release` file, or from `java -version` where there is none."""
    release = home / "release"
    if release.is_file():
        match = re.search(r'^JAVA_VERSION="?([\d._]+)', release.read_text("utf-8", "replace"), re.M)
        if match:
            return match[1]
    try:
        shown = subprocess.run(
            [home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None  # macOS ships a stub that is no Java; a broken one is none either
    match = re.search(r'version "([\d._]+)', shown.stderr)
    return match[1] if match else None


def choose(
    version: str | None,
    jdks: list[Jdk],
    usable: Callable[[Jdk], bool] = lambda _: True,
    engine: str = DEFAULT_ENGINE,
) -> tuple[Recipe, Jdk]:
    """Choose the engine version and the JDK to run it: the newest engine that a JDK can run.

    version: "3.6" or "2.19"; None tries the pinned ones, the newest first.
    usable: refuses JDKs that the engine's user cannot reach.

    Raises:
        EmbeddedError: no JDK fits; names those found and what is needed.
    """
    recipes = [load_recipe(v, engine) for v in ([version] if version else SERIES[engine])]
    for recipe in recipes:
        for jdk in jdks:
            if recipe.accepts_java(jdk.feature) and usable(jdk):
                return recipe, jdk
    needed = "; ".join(f"{r} needs Java {r.java_range}" for r in recipes)
    refused = [str(j) if usable(j) else f"{j}, not readable to the engine's user" for j in jdks]
    found = ", ".join(refused) or "none"
    raise EmbeddedError(
        f"No JDK fits. {needed}. Found: {found}. Install one, or set JAVA_HOME to it"
    )
