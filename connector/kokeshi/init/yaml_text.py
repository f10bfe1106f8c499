"""Pieces of YAML text: scalars quoted where they need it, comments that stay comments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import yaml

WIDTH = 110
COMMENT_COLUMN = 31
_LONGEST_EXAMPLE = 28
_MOST_ITEMS = 8

Row = tuple[str, str, Sequence[Any]]
"""A line: its YAML, what its comment says, and the values that it shows."""


def scalar(value: str) -> str:
    """Return a text as YAML reads it back, on one line.

    >>> scalar("title"), scalar("no"), scalar("{title}. {brand}")
    ('title', "'no'", "'{title}. {brand}'")
    """
    text = yaml.safe_dump(value, allow_unicode=True, width=2**30)
    return text.removesuffix("\n").removesuffix("\n...")


def comment(text: str) -> str:
    """Return a text that may stand in a comment: on one line, without what YAML refuses to read."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


def aligned(rows: Sequence[Row], *, indent: int = 2) -> list[str]:
    """Return lines of `code  # note: examples`, comments under each other, as much as a line holds."""
    codes = [" " * indent + code for code, _, _ in rows]
    ends = [len(code) + 2 for code in codes if len(code) < 2 * COMMENT_COLUMN]
    column = max([COMMENT_COLUMN, *ends])
    return [
        _line(code.ljust(column - 2), note, values)
        for code, (_, note, values) in zip(codes, rows, strict=True)
    ]


def _line(code: str, note: str, values: Sequence[Any]) -> str:
    room = max(WIDTH - len(code) - 4, _LONGEST_EXAMPLE)
    note = _cut(comment(note), room)
    shown = examples(values, room - len(note) - 2)
    told = ": ".join(part for part in (note, shown) if part)
    return f"{code}  # {told}" if told else code.rstrip()


def examples(values: Sequence[Any], width: int) -> str:
    """Return as many values as fit, on one line, each of them cut where it is long."""
    shown = ""
    for text in map(example, values):
        longer = f"{shown}, {text}" if shown else text
        if len(longer) > width:
            break
        shown = longer
    return shown


def example(value: Any) -> str:  # noqa: ANN401
    """Return one value on one line, short; a text without quotes, all else as JSON."""
    if isinstance(value, list):
        value = value[:_MOST_ITEMS]
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return _cut(comment(text), _LONGEST_EXAMPLE)


def percent(share: float) -> str:
    """Return a share as people write it, neither 0% nor 100% unless it is.

    >>> percent(0.999), percent(0.0004), percent(1.0)
    ('99%', '<1%', '100%')
    """
    if 0 < share < 0.01:
        return "<1%"
    return f"{min(99, round(share * 100)) if share < 1 else 100}%"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width, 20) - 1].rstrip() + "…"
