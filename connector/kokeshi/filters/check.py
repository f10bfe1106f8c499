"""Does a filter fit the fields of an index? Values are brought to the type of their field."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from datetime import date, datetime

from kokeshi.errors import FilterError
from kokeshi.filters.dates import parse_date
from kokeshi.filters.literals import Value, as_value, format_field, format_value, is_number
from kokeshi.filters.model import And, Between, Comparison, Exists, Filter, In, Not, Or
from kokeshi.types import FieldType

_INT64 = range(-(2**63), 2**63)


def check_filter(filter: Filter, types: Mapping[str, FieldType]) -> Filter:  # noqa: A002
    """The same filter with values of the field's type: what `build_query` and `matches` take.

    - float (`double` in the engine): numbers, as floats; integers must be exact as doubles.
    - integer (`long`): integers of 64 bits; other numbers only in `< <= > >=` and `between`.
    - keyword: text; integers, booleans and dates become their text. No `<`, no `between`.
    - boolean: booleans, or the text true or false. No `<`, no `between`.
    - date: dates and datetimes, or their ISO text.

    Checking a checked filter changes nothing.

    Raises:
        FilterError: an unknown field, a value that does not fit, or an operator that the type
            does not have.

    >>> check_filter(Comparison("released", "<", "2024-01-31"), {"released": "date"})
    Comparison(field='released', op='<', value=datetime.date(2024, 1, 31))
    """
    match filter:
        case And(operands) | Or(operands):
            return type(filter)(tuple(check_filter(operand, types) for operand in operands))
        case Not(operand):
            return Not(check_filter(operand, types))
        case Comparison(field, op, value):
            ordered = op not in ("==", "!=")
            return Comparison(field, op, _fit(field, value, types, ordered))
        case Between(field, low, high):
            return Between(field, _fit(field, low, types, True), _fit(field, high, types, True))
        case In(field, values):
            return In(field, tuple(_fit(field, value, types, False) for value in values))
        case Exists(field):
            _type_of(field, types)
            return filter
        case _:
            raise FilterError(f"{filter!r} is not a filter: give one such as F.price < 50")


def _type_of(field: str, types: Mapping[str, FieldType]) -> FieldType:
    if field in types:
        return types[field]
    known = ", ".join(sorted(types)) or "none"
    near = difflib.get_close_matches(field, types, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise FilterError(f"unknown field {field!r}: {hint}Fields to filter by: {known}")


def _fit(field: str, value: Value, types: Mapping[str, FieldType], ordered: bool) -> Value:
    """The value as the field's type; `ordered` says that the operator compares by order."""
    kind = _type_of(field, types)
    if ordered and kind in ("keyword", "boolean"):
        accepted = f"use =, !=, in or exists, as in {format_field(field)} = {format_value(value)}"
        raise FilterError(f"field {field!r} is a {kind}, which has no order: {accepted}")
    fitted = _FIT[kind](field, as_value(field, value))
    if kind == "integer" and isinstance(fitted, float) and not ordered:
        raise _refuse(field, kind, value, "it is no integer: round it, or compare with < or >")
    return fitted


def _refuse(field: str, kind: FieldType, value: Value, accepted: str) -> FilterError:
    article = "an" if kind == "integer" else "a"
    shown = format_value(value)
    return FilterError(
        f"field {field!r} is {article} {kind}, which {shown} does not fit: {accepted}"
    )


def _fit_float(field: str, value: Value) -> float:
    if not is_number(value):
        raise _refuse(field, "float", value, f"give a number, as in {format_field(field)} < 49.5")
    if not _is_exact(value):
        raise _refuse(field, "float", value, "give a number that a 64-bit float holds exactly")
    return float(value)


def _is_exact(value: float) -> bool:
    try:
        return float(value) == value
    except OverflowError:
        return False


def _fit_integer(field: str, value: Value) -> int | float:
    if not is_number(value):
        raise _refuse(field, "integer", value, f"give an integer, as in {format_field(field)} < 50")
    if not _INT64[0] <= value <= _INT64[-1]:
        raise _refuse(field, "integer", value, f"stay within {_INT64[0]} and {_INT64[-1]}")
    return int(value) if value == int(value) else value


def _fit_keyword(field: str, value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float | datetime):
        remedy = f'quote it as the documents write it, as in {format_field(field)} = "{value}"'
        raise _refuse(field, "keyword", value, remedy)
    return format_value(value)


def _fit_boolean(field: str, value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _refuse(field, "boolean", value, "give true or false")


def _fit_date(field: str, value: Value) -> date | datetime:
    try:
        found = parse_date(value) if isinstance(value, str) else value
    except ValueError as error:
        raise _refuse(field, "date", value, f"no such moment, {error}") from error
    if isinstance(found, date):
        return found
    raise _refuse(field, "date", value, "give a date such as 2024-01-31 or 2024-01-31T10:00:00Z")


_FIT: dict[FieldType, Callable[[str, Value], Value]] = {
    "float": _fit_float,
    "integer": _fit_integer,
    "keyword": _fit_keyword,
    "boolean": _fit_boolean,
    "date": _fit_date,
}
