"""The credential file: YAML with one way to authenticate, readable by its owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Final

import yaml

from kokeshi.errors import EngineError

KEYS: Final = ("user", "password", "api_key", "bearer")
_LARGEST = 64 * 1024


def read_credentials(path: str | Path) -> dict[str, str]:
    """Return what a credential file holds, by key.

    Raises EngineError where it is missing, belongs to another user, can be read by others, or is malformed;
    no message shows what is in it.
    """
    file = Path(path).expanduser()
    return _parse(_read(file), file)


def _read(file: Path) -> bytes:
    """Return the content of a file; what is checked is the file that is open, where a link leads."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for a writer
    except OSError as error:
        reason = (error.strerror or "cannot be opened").lower()
        raise EngineError(f"credentials '{file}': {reason}") from None
    try:
        _check_access(file, os.fstat(descriptor))
        return os.read(descriptor, _LARGEST)
    finally:
        os.close(descriptor)


def _check_access(file: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise EngineError(f"credentials '{file}' is not a file")
    if found.st_uid not in (os.geteuid(), 0):
        raise EngineError(f"credentials '{file}' belongs to another user; make it yours with chown")
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise EngineError(
            f"credentials '{file}' can be used by others (mode {mode:04o}); run: chmod 600 {file}"
        )


def _parse(content: bytes, file: Path) -> dict[str, str]:
    try:
        found: Any = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        # the parser's own words can quote the file
        raise EngineError(
            f"credentials '{file}': not valid YAML{where}; quote the values"
        ) from None
    if not isinstance(found, dict) or not found:
        raise EngineError(f"credentials '{file}': a mapping is expected, like `api_key: …`")
    if any(key not in KEYS for key in found):
        raise EngineError(f"credentials '{file}': the keys can only be {', '.join(KEYS)}")
    for key, value in found.items():
        if not isinstance(value, str) or not value:
            raise EngineError(f"credentials '{file}': {key} must be a text; put it in quotes")
    return found
