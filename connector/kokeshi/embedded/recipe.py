"""The pinned description of an engine version: docker/embedded/<version>/."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kokeshi.assets import asset_path
from kokeshi.errors import EmbeddedError

# Newest first: the first that a JDK on this machine can run is the default.
SERIES = ("3.6", "2.19")
# To raise when the code lays the same files out in another way: old caches are left alone then.
LAYOUT = 1


@dataclass(frozen=True)
class Module:
    """One folder below `modules/`, described to the engine by its descriptor."""

    name: str
    classname: str
    version: str
    extends: str


@dataclass(frozen=True)
class Recipe:
    """Everything that is needed to assemble and run one engine version.

    checksums: path in the distribution -> SHA-256, for each file that Maven copies.
    digest: changes with any pin, so that a new pin never meets an old cache.
    """

    series: str
    version: str
    java_min: int
    java_max: int | None
    jvm_options: tuple[str, ...]
    modules: tuple[Module, ...]
    plugin: str
    dropped_extensions: frozenset[str]
    checksums: dict[str, str]
    digest: str
    folder: Path

    @property
    def pom(self) -> Path:
        """The Maven project that copies the pinned artifacts."""
        return self.folder / "pom.xml"

    @property
    def major(self) -> str:
        """The major version: data of one major version is never opened by another."""
        return self.version.split(".")[0]

    @property
    def java_range(self) -> str:
        """The accepted Java versions in words."""
        if self.java_max is None:
            return f"{self.java_min} or newer"
        return f"{self.java_min} to {self.java_max}"

    def accepts_java(self, feature: int) -> bool:
        """Whether a JDK of this feature version (17, 21, 25) can run the engine."""
        return self.java_min <= feature and (self.java_max is None or feature <= self.java_max)


def load_recipe(series: str) -> Recipe:
    """Read the recipe of "3.6" or "2.19" (also accepted: the full version, "3.6.0").

    Raises:
        EmbeddedError: no such version is pinned.
    """
    return read_recipe(asset_path("docker", "embedded", resolve_series(series)))


def resolve_series(version: str) -> str:
    """Return "3.6" for "3.6" and "3.6.0"."""
    for series in SERIES:
        if version == series or version.startswith(series + "."):
            return series
    raise EmbeddedError(
        f"Engine version {version!r} is not pinned: choose one of {', '.join(SERIES)}"
    )


def read_recipe(folder: Path) -> Recipe:
    """Read engine.yaml and checksums.sha256 from a folder."""
    text = (folder / "engine.yaml").read_text("utf-8")
    sums = (folder / "checksums.sha256").read_text("utf-8")
    spec: dict[str, Any] = yaml.safe_load(text)
    checksums = {}
    for line in sums.splitlines():
        digest, path = line.split(maxsplit=1)
        checksums[path] = digest
    return Recipe(
        series=folder.name,
        version=spec["version"],
        java_min=spec["java"]["min"],
        java_max=spec["java"]["max"],
        jvm_options=tuple(spec["jvm_options"]),
        modules=tuple(_read_module(item) for item in spec["modules"]),
        plugin=spec["plugin"]["name"],
        dropped_extensions=frozenset(spec["plugin"].get("drop_extended", ())),
        checksums=checksums,
        digest=hashlib.sha256(f"{LAYOUT}\n{text}{sums}".encode()).hexdigest()[:12],
        folder=folder,
    )


def _read_module(item: dict[str, str]) -> Module:
    version = item["artifact"].split(":")[2]
    return Module(item["name"], item["classname"], version, item.get("extends", ""))
