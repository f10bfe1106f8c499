"""Values and field names: which are accepted, and how the text form writes them."""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import TypeGuard

import numpy as np

from kokeshi.errors import FilterError
from kokeshi.filters.dates import format_date, parse_date, utc

Value = str | int | float | bool | date | datetime

KEYWORDS = frozenset({"and", "or", "not", "in", "between", "exists"})
WORD = re.compile(r"\w[\w.\-]*")
NUMBER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_MAX_BITS = 1024  # the integers that a double can reach
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'", "`": "`"}
_ESCAPED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_ACCEPTED = "give text, a number, True or False, a date or a datetime"


def as_field(name: object) -> str:
    """The field name as plain text.

    Raises:
        FilterError: it is empty or not text.
    """
    if not isinstance(name, str) or not name:
        raise FilterError(f"{name!r} is not a field name: give non-empty text, as in F['price']")
    return _as_text(name, name)


def as_value(field: str, value: object) -> Value:
    """The value as a plain str, bool, int, float, date or UTC datetime.

    NumPy booleans and numbers become Python's.

    Raises:
        FilterError: another type, NaN, infinity, or text that UTF-8 cannot encode.
    """
    if isinstance(value, np.bool_ | np.integer | np.floating):
        value = value.item()
    if isinstance(value, str):
        return _as_text(field, value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _as_int(field, value)
    if isinstance(value, float):
        return _as_finite(field, value)
    if isinstance(value, date):
        return _as_date(field, value)
    raise FilterError(f"field {field!r} cannot be compared with {value!r}: {_remedy(field, value)}")


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is an int or a float, a boolean being neither."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def parse_word(text: str) -> Value:
    """Value of an unquoted word: number, true or false, date, otherwise the word itself.

    Digits after a leading zero are text, so that codes such as 0108775015 stay what they are.

    Raises:
        ValueError: an impossible date or a number beyond every double.

    >>> parse_word("49.5"), parse_word("007"), parse_word("women")
    (49.5, '007', 'women')
    """
    if INTEGER.fullmatch(text):
        return _parse_int(text)
    if NUMBER.fullmatch(text):
        return _parse_float(text)
    if text in ("true", "false"):
        return text == "true"
    found = parse_date(text)
    return text if found is None else found


def format_value(value: Value) -> str:
    """Text that the parser reads back as the same value.

    >>> format_value("women"), format_value("navy blue"), format_value("42"), format_value(42)
    ('women', '"navy blue"', '"42"', '42')
    """
    if isinstance(value, str):
        return value if is_bare(value) else quote(value, '"')
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return format_date(value)
    return repr(value)


def format_field(name: str) -> str:
    """Field name in the text form, backquoted where it is no plain word."""
    return name if is_bare(name) else quote(name, "`")


def is_bare(text: str) -> bool:
    """Whether the unquoted word means exactly this text."""
    if not WORD.fullmatch(text) or text.lower() in KEYWORDS:
        return False
    try:
        return parse_word(text) == text
    except ValueError:
        return False


def quote(text: str, mark: str) -> str:
    """Text between quotation marks, with backslash escapes."""
    escaped = {**_ESCAPED, mark: "\\" + mark}
    return mark + "".join(escaped.get(character, character) for character in text) + mark


def _parse_int(text: str) -> int:
    if len(text) > _MAX_BITS:
        raise ValueError("it is beyond every number field")
    return int(text)


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("it is beyond every double")
    return number


def _as_text(field: str, value: str) -> str:
    text = "".join(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FilterError(
            f"field {field!r}: {value!r} holds half a surrogate pair: give text that UTF-8 can encode"
        ) from error
    return text


def _as_int(field: str, value: int) -> int:
    if value.bit_length() > _MAX_BITS:
        raise FilterError(
            f"field {field!r} cannot be compared with an integer of {value.bit_length()} bits: "
            "give one that a number field can hold"
        )
    return int(value)


def _as_finite(field: str, value: float) -> float:
    if not math.isfinite(value):
        raise FilterError(
            f"field {field!r} cannot be compared with {value}: give a finite number, "
            f"or use {format_field(field)} exists"
        )
    return float(value)


def _as_date(field: str, value: date) -> date:
    try:
        if isinstance(value, datetime):
            return utc(value)
        return date(value.year, value.month, value.day)
    except (TypeError, ValueError) as error:
        raise FilterError(f"field {field!r} cannot be compared with {value!r}: {error}") from error


def _remedy(field: str, value: object) -> str:
    if value is None:
        return f"for documents without it write 'not {format_field(field)} exists'"
    if isinstance(value, list | tuple | set | frozenset):
        return f"for any of several values write F[{field!r}].in_(...)"
    return _ACCEPTED
