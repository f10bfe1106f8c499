"""The end of the engine's logs."""

from __future__ import annotations

from pathlib import Path

from kokeshi.embedded.layout import Layout

_TAIL_BYTES = 1 << 20


def tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a file, none when it is not there."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return text.splitlines()[-lines:] if lines > 0 else []


def read_logs(layout: Layout, lines: int) -> str:
    """Return the last lines of the JVM's and the engine's output, the newest last."""
    paths = [path for path in (layout.console, layout.engine_log) if path.exists()]
    paths.sort(key=lambda path: path.stat().st_mtime)
    joined = [line for path in paths for line in tail(path, lines)]
    return "\n".join(joined[-lines:]) if lines > 0 else ""
