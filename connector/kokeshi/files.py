"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex
from typing import IO, Final

NAME_CHARACTERS: Final = 50
"""Of the name that a scratch file has in its own, which may take 255 bytes on most systems."""


def flush_to_disk(file: IO[bytes]) -> None:
    """Wait until the disk has what was written to a file; raises OSError where it cannot."""
    file.flush()
    os.fsync(file.fileno())


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file beside its place, then let it take that at once: a reader sees the old one or the new.

    durable: wait until the disk has it, so that a power cut leaves the old one or the new too. Raises
    OSError where it cannot be written; the old one stays then.
    """
    scratch = path.with_name(f".{path.name[:NAME_CHARACTERS]}.{token_hex(4)}")
    try:
        with scratch.open("xb") as file:
            file.write(data)
            if durable:
                flush_to_disk(file)
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
