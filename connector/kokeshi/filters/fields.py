"""Filters written in Python: `F.price < 50`.

>>> F.price.between(10, 20) & ~F.colour.in_("red", "pink")
And(operands=(Between(field='price', low=10, high=20), Not(operand=In(field='colour', \
values=('red', 'pink')))))
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from kokeshi.filters.literals import Value, as_field
from kokeshi.filters.model import Between, Comparison, Exists, In, Operator


class Field:
    """A field by name: comparing it makes a filter."""

    def __init__(self, name: str) -> None:
        self._name = as_field(name)

    def __repr__(self) -> str:
        return f"F[{self._name!r}]"

    def __eq__(self, value: object) -> Comparison:  # type: ignore[override]
        return self._compare("==", value)

    def __ne__(self, value: object) -> Comparison:  # type: ignore[override]
        return self._compare("!=", value)

    def __lt__(self, value: Value) -> Comparison:
        return self._compare("<", value)

    def __le__(self, value: Value) -> Comparison:
        return self._compare("<=", value)

    def __gt__(self, value: Value) -> Comparison:
        return self._compare(">", value)

    def __ge__(self, value: Value) -> Comparison:
        return self._compare(">=", value)

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self!r} alone is no filter: write {self!r} == True or {self!r}.exists()")

    def __and__(self, other: object) -> NoReturn:
        raise TypeError(f"put comparisons in parentheses: ({self!r} < 50) & (F.gender == 'women')")

    __hash__ = None  # type: ignore[assignment]
    __rand__ = __or__ = __ror__ = __and__

    def in_(self, *values: Value | Iterable[Value]) -> In:
        """Any of several values, given one by one or as one iterable (sets are sorted)."""
        given: Iterable[object] = values
        if len(values) == 1 and isinstance(values[0], Iterable) and not isinstance(values[0], str):
            given = values[0]
        if isinstance(given, set | frozenset):
            given = sorted(given, key=repr)
        return In(self._name, tuple(given))  # type: ignore[arg-type]

    def between(self, low: Value, high: Value) -> Between:
        """One value from `low` to `high`, both included."""
        return Between(self._name, low, high)

    def exists(self) -> Exists:
        """The document holds a value of this field."""
        return Exists(self._name)

    def _compare(self, op: Operator, value: object) -> Comparison:
        return Comparison(self._name, op, value)  # type: ignore[arg-type]


class Fields:
    """Makes fields: `F.price`, or `F["name"]` for names that Python cannot spell."""

    def __getattr__(self, name: str) -> Field:
        if name.startswith("_"):
            raise AttributeError(f"write F[{name!r}] for a field whose name starts with _")
        return Field(name)

    def __getitem__(self, name: str) -> Field:
        return Field(name)

    def __repr__(self) -> str:
        return "F"


F = Fields()
