"""Dates as the engines see them: milliseconds since 1970 in UTC, and ISO 8601 text.

Every date value covers a half-open span of milliseconds: a date its whole UTC day, a datetime one
millisecond. Comparisons are made with the ends of the span, so they need only `gte` and `lt`, for
which the engines never round a bound up.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

DAY_MS = 86_400_000
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_YEAR_10000_MS = 253_402_300_800_000
_ISO = re.compile(
    r"(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:T(?P<hour>[0-9]{2})(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})"
    r"(?:[.,](?P<fraction>[0-9]{1,9}))?)?)?(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?)?)?"
)
_EPOCH_MILLIS = re.compile(r"-?[0-9]{1,16}")


def parse_date(text: str) -> date | datetime | None:
    """Read `2024-01-31` or `2024-01-31T10:00[:00[.000]][Z|+09:00]`; None when it looks otherwise.

    Raises:
        ValueError: it looks like a date but the calendar has no such moment.

    >>> parse_date("2024-01-31T10:00:00+09:00")
    datetime.datetime(2024, 1, 31, 1, 0, tzinfo=datetime.timezone.utc)
    """
    found = _ISO.fullmatch(text)
    if found is None or found["day"] is None:
        return None
    if found["hour"] is None:
        return date(int(found["year"]), int(found["month"]), int(found["day"]))
    return None if found["minute"] is None else _moment(found)


def utc(moment: datetime) -> datetime:
    """The same moment in UTC, as a plain datetime; a naive one is taken as UTC.

    Raises:
        ValueError: the moment in UTC is before year 1 or after year 9999.
    """
    zone = moment.tzinfo or timezone.utc
    naive = datetime(*moment.timetuple()[:6], moment.microsecond, fold=moment.fold)
    try:
        return naive.replace(tzinfo=zone).astimezone(timezone.utc)
    except OverflowError as error:
        raise ValueError("in UTC it lies outside the years 1 to 9999") from error


def span_ms(value: date | datetime) -> tuple[int, int]:
    """First millisecond of the value and the first one after it.

    >>> span_ms(date(1970, 1, 2))
    (86400000, 172800000)
    """
    if isinstance(value, datetime):
        start = epoch_ms(value)
        return start, start + 1
    start = (value - _EPOCH.date()).days * DAY_MS
    return start, start + DAY_MS


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970, rounded down; a naive moment is taken as UTC."""
    return (utc(moment) - _EPOCH) // _MILLISECOND


def format_ms(milliseconds: int) -> str:
    """Full ISO text of a moment; from year 10000, which ISO text cannot write, its milliseconds.

    >>> format_ms(1)
    '1970-01-01T00:00:00.001Z'
    """
    if milliseconds >= _YEAR_10000_MS:
        return str(milliseconds)
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def format_date(value: date | datetime) -> str:
    """ISO text that `parse_date` reads back; datetimes end in Z."""
    if isinstance(value, datetime):
        return utc(value).replace(tzinfo=None).isoformat() + "Z"
    return value.isoformat()


@lru_cache(maxsize=65_536)  # columns repeat their dates
def document_ms(text: str) -> int:
    """Moment of a date as documents write it: `strict_date_optional_time||epoch_millis`.

    Missing components are the earliest ones, so `2009-12` is midnight of 1 December.

    Raises:
        ValueError: the engines would not take it either.

    >>> document_ms("1970-01-02"), document_ms("86400000")
    (86400000, 86400000)
    """
    found = _ISO.fullmatch(text)
    if found is not None:
        return epoch_ms(_moment(found))
    if _EPOCH_MILLIS.fullmatch(text):
        return int(text)
    raise ValueError(f"{text!r} is not a date such as 2024-01-31 or 2024-01-31T10:00:00Z")


def _moment(found: re.Match[str]) -> datetime:
    """Datetime in UTC of a matched text, missing components being the earliest."""
    parts = [int(found[name] or 1) for name in ("year", "month", "day")]
    parts += [int(found[name] or 0) for name in ("hour", "minute", "second")]
    microsecond = int((found["fraction"] or "").ljust(6, "0")[:6])
    return utc(datetime(*parts, microsecond, tzinfo=_zone(found["zone"])))  # type: ignore[arg-type,misc]


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return timezone.utc
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
