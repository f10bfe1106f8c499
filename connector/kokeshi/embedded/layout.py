"""The folders of an engine's instance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kokeshi.embedded.recipe import Recipe


@dataclass(frozen=True)
class Layout:
    """The folders of one major version below a home."""

    root: Path

    @property
    def data(self) -> Path:
        """Indices."""
        return self.root / "data"

    @property
    def snapshots(self) -> Path:
        """`path.repo`: where snapshot repositories of type fs may live."""
        return self.root / "snapshots"

    @property
    def config(self) -> Path:
        """The engine's settings and friends, written at every start."""
        return self.root / "config"

    @property
    def temporary(self) -> Path:
        """Holds one folder per run."""
        return self.root / "tmp"

    @property
    def logs(self) -> Path:
        """Holds `console` and `engine`."""
        return self.root / "logs"

    @property
    def console(self) -> Path:
        """What the JVM itself says: an unusable heap size, a crash."""
        return self.logs / "console.log"

    @property
    def engine_log(self) -> Path:
        """What the engine says, rolled over."""
        return self.logs / "engine.log"


def layout_of(home: Path, recipe: Recipe) -> Layout:
    """Return the folders of a recipe's major version."""
    return Layout(home / f"{recipe.engine}-{recipe.major}")
