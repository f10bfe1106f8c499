"""The pinned description of an engine version: docker/embedded/<engine>/<series>/."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kokeshi.assets import asset_path
from kokeshi.errors import EmbeddedError

DEFAULT_ENGINE = "opensearch"
# Newest first: the first that a JDK on this machine can run is the default.
SERIES = {"opensearch": ("3.6", "2.19"), "elasticsearch": ("9.4", "8.19")}
_TITLES = {"opensearch": "OpenSearch", "elasticsearch": "Elasticsearch"}
# To raise when the code lays the same files out in another way: old caches are left alone then.
LAYOUT = 1


@dataclass(frozen=True)
class Archive:
    """One large file that holds the engine among other things.

    artifact: Maven coordinates, group:artifact:version:type.
    megabytes, kept_megabytes: its size, and that of what is taken out of it.
    """

    artifact: str
    megabytes: int
    kept_megabytes: int

    @property
    def repository_path(self) -> Path:
        """Where a local Maven repository keeps it."""
        group, name, version, kind = self.artifact.split(":")
        return Path(*group.split("."), name, version, f"{name}-{version}.{kind}")


@dataclass(frozen=True)
class Recipe:
    """Everything that is needed to assemble and run one engine version.

    checksums: path below the assembly's folder -> SHA-256, for each file that Maven copies.
    digest: changes with any pin, so that a new pin never meets an old cache.
    spec: engine.yaml, whose other keys are for the engine's own kind.
    """

    engine: str
    series: str
    version: str
    java_min: int
    java_max: int | None
    jvm_options: tuple[str, ...]
    archive: Archive | None
    checksums: dict[str, str]
    digest: str
    folder: Path
    spec: dict[str, Any]

    def __str__(self) -> str:
        return f"{title_of(self.engine)} {self.version}"

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


def title_of(engine: str) -> str:
    """Return "OpenSearch" for "opensearch".

    Raises:
        EmbeddedError: there is no such engine.
    """
    if engine not in _TITLES:
        raise EmbeddedError(f"Engine {engine!r} is not known: choose one of {', '.join(_TITLES)}")
    return _TITLES[engine]


def load_recipe(series: str, engine: str = DEFAULT_ENGINE) -> Recipe:
    """Read the recipe of "3.6" or "2.19" (also accepted: the full version, "3.6.0").

    Raises:
        EmbeddedError: no such engine or version is pinned.
    """
    return read_recipe(asset_path("docker", "embedded", engine, resolve_series(series, engine)))


def resolve_series(version: str, engine: str = DEFAULT_ENGINE) -> str:
    """Return "3.6" for "3.6" and "3.6.0".

    Raises:
        EmbeddedError: no such engine or version is pinned.
    """
    title = title_of(engine)
    for series in SERIES[engine]:
        if version == series or version.startswith(series + "."):
            return series
    pinned = ", ".join(SERIES[engine])
    raise EmbeddedError(f"{title} version {version!r} is not pinned: choose one of {pinned}")


def read_recipe(folder: Path) -> Recipe:
    """Read engine.yaml and checksums.sha256 from a folder named <engine>/<series>."""
    text = (folder / "engine.yaml").read_text("utf-8")
    sums = (folder / "checksums.sha256").read_text("utf-8")
    spec: dict[str, Any] = yaml.safe_load(text)
    checksums = {}
    for line in sums.splitlines():
        digest, path = line.split(maxsplit=1)
        checksums[path] = digest
    return Recipe(
        engine=folder.parent.name,
        series=folder.name,
        version=spec["version"],
        java_min=spec["java"]["min"],
        java_max=spec["java"]["max"],
        jvm_options=tuple(spec["jvm_options"]),
        archive=Archive(**spec["archive"]) if "archive" in spec else None,
        checksums=checksums,
        digest=hashlib.sha256(f"{LAYOUT}\n{text}{sums}".encode()).hexdigest()[:12],
        folder=folder,
        spec=spec,
    )
