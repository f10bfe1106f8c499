"""What differs between the engines, as a value: each has a module that defines its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kokeshi.embedded.java import Jdk
from kokeshi.embedded.layout import Layout
from kokeshi.embedded.licence import Licence
from kokeshi.embedded.recipe import Recipe


@dataclass(frozen=True)
class Run:
    """What one start has settled on.

    scratch: this run's own temporary folder. heap: a JVM size.
    """

    recipe: Recipe
    jdk: Jdk
    distribution: Path
    layout: Layout
    scratch: Path
    heap: str


@dataclass(frozen=True)
class Kind:
    """An engine as far as it is not like the other.

    licence: what a user must accept first; None where the licence asks for nothing.
    assembly_megabytes: free space that fetching and laying out takes at its peak.
    settings_file: its name in the config folder.
    defaults: settings that a user may change.
    login, tls: the settings that switch security and HTTPS on; None where it has none.
    lay_out: turns the copied artifacts in a folder into a distribution.
    build_files: the text of further files in the config folder, by name.
    build_command, build_environment: of the process to start.
    """

    name: str
    licence: Licence | None
    assembly_megabytes: int
    settings_file: str
    defaults: Mapping[str, object]
    login: str | None
    tls: str | None
    lay_out: Callable[[Recipe, Path], None]
    build_files: Callable[[Run], dict[str, str]]
    build_command: Callable[[Run], list[str]]
    build_environment: Callable[[Run], dict[str, str]]
