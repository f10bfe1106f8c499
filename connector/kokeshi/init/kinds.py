"""What one value looks like, also where a CSV file can only give it as text."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

from kokeshi.filters.dates import parse_date

Kind = Literal[
    "boolean",
    "integer",
    "float",
    "date",
    "near-date",
    "code",
    "link",
    "list-text",
    "string",
    "object",
]

_INT64 = range(-(2**63), 2**63)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"0[0-9]+")
_NEAR_DATE = re.compile(
    r"(?:[0-9]{4}([-/.])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{1,2}([-/.])[0-9]{1,2}\2[0-9]{4})"
    r"(?:[ T][0-9:.,]+.{0,6})?"
)
_LINK = re.compile(r"(?:https?|ftp|s3|data):\S+", re.IGNORECASE)
_LIST = re.compile(r"\[\s*[-+0-9.].*\]\s*", re.DOTALL)


def kind_of(value: Any) -> Kind:  # noqa: ANN401
    """Return the kind of one value of a document that is neither null nor a list of scalars.

    code: digits that are no quantity, for a leading zero or for more of them than 64 bits hold.
    near-date: looks like a date, but is none that engines take. list-text: a list of numbers as text.

    >>> [kind_of(value) for value in (3, "3.50", "007", "TRUE", "2024-01-31", "31.01.2024")]
    ['integer', 'float', 'code', 'boolean', 'date', 'near-date']
    """
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if value in _INT64 else "code"
    if isinstance(value, float):
        return "float" if math.isfinite(value) else "string"
    return _kind_of_text(value) if isinstance(value, str) else "object"


def _kind_of_text(text: str) -> Kind:
    if text.lower() in ("true", "false"):
        return "boolean"
    if number := _number_kind(text.strip()):
        return number
    if _is_date(text):
        return "date"
    for kind, pattern in _PATTERNS.items():
        if pattern.fullmatch(text):
            return kind
    return "string"


_PATTERNS: dict[Kind, re.Pattern[str]] = {
    "near-date": _NEAR_DATE,
    "link": _LINK,
    "list-text": _LIST,
}


def _number_kind(text: str) -> Kind | None:
    if _INTEGER.fullmatch(text):
        # a longer one is never parsed: Python limits the digits of an int
        return "integer" if len(text) <= 20 and int(text) in _INT64 else "code"
    if _LEADING_ZERO.fullmatch(text):
        return "code"
    return "float" if _FLOAT.fullmatch(text) and math.isfinite(float(text)) else None


def _is_date(text: str) -> bool:
    try:
        return parse_date(text) is not None
    except ValueError:
        return False
