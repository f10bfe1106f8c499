"""The list of files of an assembled engine, and the checks against it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

# Written last: an assembly without it is incomplete.
MANIFEST = "kokeshi-manifest.json"


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(folder: Path) -> None:
    """Record size and SHA-256 of every file below `folder`."""
    files = {
        str(path.relative_to(folder)): [path.stat().st_size, sha256_of(path)]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / MANIFEST).write_text(json.dumps(files, indent=1), "utf-8")


def find_damage(folder: Path, full: bool = False) -> str | None:
    """Return what is wrong with an assembly in a few words, None when it is sound.

    full: compare the SHA-256 of every file too (some tenths of a second), not only the sizes.
    """
    try:
        files: dict[str, list[int | str]] = json.loads((folder / MANIFEST).read_text("utf-8"))
        entries = [(name, int(size), str(digest)) for name, (size, digest) in files.items()]
    except FileNotFoundError:
        return "it is incomplete"
    except (ValueError, TypeError, AttributeError, OSError):
        return f"{MANIFEST} cannot be read"
    for name, size, digest in entries:
        damage = _find_file_damage(folder / name, size, digest if full else None)
        if damage:
            return f"{name} {damage}"
    known = {name for name, _, _ in entries} | {MANIFEST}
    for path in folder.rglob("*"):
        if path.is_file() and str(path.relative_to(folder)) not in known:
            return f"{path.relative_to(folder)} does not belong there"
    return None


def _find_file_damage(path: Path, size: int, digest: str | None) -> str | None:
    try:
        actual = path.stat().st_size
        if actual != size:
            return f"has {actual} bytes, not {size}"
        if digest is not None and sha256_of(path) != digest:
            return "has another content"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None
