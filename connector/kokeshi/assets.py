"""Where the files that are not Python live: mappings, scripts, docker; in a wheel or in a checkout."""

from __future__ import annotations

from pathlib import Path

from kokeshi.errors import KokeshiError

_PACKAGE = Path(__file__).resolve().parent
# A wheel carries the folders inside the package; a checkout has them at its root.
_ROOTS = (_PACKAGE / "_assets", _PACKAGE.parent.parent)


def asset_path(*parts: str) -> Path:
    """Return the path of a shipped file or folder, e.g. ``asset_path("docker", "embedded")``.

    Raises:
        KokeshiError: the installation does not contain it.
    """
    for root in _ROOTS:
        path = root.joinpath(*parts)
        if path.exists():
            return path
    name = "/".join(parts)
    raise KokeshiError(f"{name} is missing from this installation of kokeshi: install it again")
