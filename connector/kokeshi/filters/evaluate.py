"""Filters evaluated exactly on columns in memory, as the engines evaluate their queries."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kokeshi.errors import FilterError, InputError
from kokeshi.filters.dates import document_ms, format_date, span_ms
from kokeshi.filters.literals import INTEGER, NUMBER, Value
from kokeshi.filters.model import And, Between, Comparison, Exists, Filter, In, Leaf, Not, Or

Bools = NDArray[np.bool_]
Test = Callable[[Any], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_INT64 = np.iinfo(np.int64)


def matches(filter: Filter, columns: Mapping[str, Sequence[Any]], n: int) -> Bools:  # noqa: A002
    """Which of n documents a checked filter keeps.

    columns: field -> n cells; a cell is a value, a list of values, or None. A field without a
    column is one that no document has. Cells are read as the engines read JSON: a date may be ISO
    text or milliseconds, a boolean "true" or "false", a number its text, a keyword a number.
    NaN counts as missing. Returns (n,) bool.

    Raises:
        InputError: a cell cannot be read as the type that the filter compares with.

    >>> matches(Comparison("size", "!=", "M"), {"size": ["M", ["S", "M"], "L", None]}, 4)
    array([False, False,  True,  True])
    """
    match filter:
        case And(operands):
            return _reduce(np.logical_and, [matches(each, columns, n) for each in operands])
        case Or(operands):
            return _reduce(np.logical_or, [matches(each, columns, n) for each in operands])
        case Not(operand):
            return ~matches(operand, columns, n)
        case Comparison(field, "!=", value):
            return ~matches(Comparison(field, "==", value), columns, n)
        case Comparison() | Between() | In() | Exists():
            return _match_column(filter, _column(filter.field, columns, n), n)
        case _:
            raise FilterError(f"{filter!r} is not a filter: give one such as F.price < 50")


def _reduce(combine: np.ufunc, parts: list[Bools]) -> Bools:
    return np.asarray(combine.reduce(parts), dtype=np.bool_)


def _column(field: str, columns: Mapping[str, Sequence[Any]], n: int) -> Sequence[Any]:
    column = columns.get(field, ())
    if field in columns and len(column) != n:
        raise InputError(f"column {field!r} has {len(column)} cells: give one per document, {n}")
    return column


def _match_column(leaf: Leaf, column: Sequence[Any], n: int) -> Bools:
    found = _match_array(leaf, column)
    if found is not None:
        return found
    test, kept = _test_of(leaf), np.zeros(n, dtype=np.bool_)
    for row, cell in enumerate(column):
        kept[row] = _match_cell(leaf.field, row, cell, test)
    return kept


def _match_array(leaf: Leaf, column: Sequence[Any]) -> Bools | None:
    """A comparison on an array of numbers at once; None where that would not be exact."""
    if not (isinstance(leaf, Comparison) and isinstance(column, np.ndarray) and column.ndim == 1):
        return None
    value, compare = leaf.value, _COMPARE[leaf.op]
    if isinstance(value, float) and column.dtype.kind in "if":
        return np.asarray(compare(column.astype(np.float64), value))
    if type(value) is int and column.dtype.kind == "i" and _INT64.min <= value <= _INT64.max:
        return np.asarray(compare(column.astype(np.int64), value))
    return None


def _match_cell(field: str, row: int, cell: Any, test: Test) -> bool:  # noqa: ANN401
    try:
        return any(map(test, _values(cell)))
    except (ValueError, OverflowError) as error:
        raise InputError(f"field {field!r}, row {row}: {error}") from error


def _values(cell: Any) -> Iterator[Any]:  # noqa: ANN401
    """The values of a cell, nested lists flattened, nulls left out."""
    if isinstance(cell, np.datetime64):
        yield from _values(cell.astype("datetime64[ms]").astype(object))
    elif isinstance(cell, np.generic):
        yield from _values(cell.item())
    elif isinstance(cell, list | tuple | set | frozenset | np.ndarray):
        for value in cell:
            yield from _values(value)
    elif cell is not None and cell == cell:  # NaN and NaT differ from themselves
        yield cell


def _test_of(leaf: Leaf) -> Test:
    match leaf:
        case Comparison(_, op, value):
            return _comparison(op, value)
        case Between(_, low, high):
            above, below = _comparison(">=", low), _comparison("<=", high)
            return lambda cell: above(cell) and below(cell)
        case In(_, values):
            return _membership(values)
        case Exists():
            return lambda _: True


def _comparison(op: str, value: Value) -> Test:
    if isinstance(value, date):
        return _date_comparison(op, *span_ms(value))
    compare, read = _COMPARE[op], _READ[type(value)]
    return lambda cell: compare(read(cell), value)


def _date_comparison(op: str, start: int, end: int) -> Test:
    """Comparison with all the milliseconds from start (included) to end (excluded)."""
    tests: dict[str, Test] = {
        "==": lambda cell: start <= _read_ms(cell) < end,
        "<": lambda cell: _read_ms(cell) < start,
        "<=": lambda cell: _read_ms(cell) < end,
        ">": lambda cell: _read_ms(cell) >= end,
        ">=": lambda cell: _read_ms(cell) >= start,
    }
    return tests[op]


def _membership(values: Iterable[Value]) -> Test:
    """One set of values per type, because 1, 1.0 and True are equal in Python."""
    tests: list[Test] = []
    groups: dict[type[Any], set[Value]] = {}
    for value in values:
        if isinstance(value, date):
            tests.append(_comparison("==", value))
        else:
            groups.setdefault(type(value), set()).add(value)
    tests += [_member_test(_READ[kind], group) for kind, group in groups.items()]
    return lambda cell: any(test(cell) for test in tests)


def _member_test(read: Callable[[Any], Any], group: set[Value]) -> Test:
    return lambda cell: read(cell) in group


def _read_text(cell: Any) -> str:  # noqa: ANN401
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return format_date(cell) if isinstance(cell, date) else repr(cell)


def _read_bool(cell: Any) -> bool:  # noqa: ANN401
    if isinstance(cell, bool):
        return cell
    if cell in ("true", "false", ""):
        return bool(cell == "true")
    raise ValueError(f"{cell!r} is not a boolean: give true or false")


def _read_number(cell: Any) -> int | float:  # noqa: ANN401
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return cell
    if isinstance(cell, str) and NUMBER.fullmatch(cell):
        return int(cell) if INTEGER.fullmatch(cell) else float(cell)
    raise ValueError(f"{cell!r} is not a number")


def _read_float(cell: Any) -> float:  # noqa: ANN401
    return float(_read_number(cell))


def _read_ms(cell: Any) -> int:  # noqa: ANN401
    if isinstance(cell, datetime | date):
        return span_ms(cell)[0]
    if isinstance(cell, str) or type(cell) is int:
        return document_ms(str(cell))
    raise ValueError(f"{cell!r} is not a date: give ISO text or integer milliseconds")


_READ: dict[type[Any], Callable[[Any], Any]] = {
    str: _read_text,
    bool: _read_bool,
    int: _read_number,
    float: _read_float,
}
