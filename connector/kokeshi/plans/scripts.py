"""The scripts of `scripts/`. Query data reaches them only through `params`."""

from __future__ import annotations

from functools import cache

from kokeshi.assets import asset_path


@cache
def load_script(name: str) -> str:
    """Return the source of `scripts/painless/<name>.painless` without its comment lines."""
    text = asset_path("scripts", "painless", f"{name}.painless").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("//")]
    return "\n".join(lines)
