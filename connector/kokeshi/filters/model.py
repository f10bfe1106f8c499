"""Filter expressions as values: a frozen, hashable tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal, NoReturn, get_args

from kokeshi.errors import FilterError
from kokeshi.filters.dates import span_ms
from kokeshi.filters.literals import (
    Value,
    as_field,
    as_value,
    format_field,
    format_value,
    is_number,
)

Operator = Literal["==", "!=", "<", "<=", ">", ">="]
OPERATORS: tuple[Operator, ...] = get_args(Operator)

# Elasticsearch takes 30 nested `bool` queries by default; this leaves room for those around it.
MAX_DEPTH = 20


class Filter:
    """A condition on documents: one of Comparison, Between, In, Exists, And, Or, Not.

    `str(filter)` is its canonical text, which `parse_filter` reads back. Filters are equal when
    their texts are, so `F.size == 1`, `F.size == 1.0` and `F.size == True` differ.
    """

    def __and__(self, other: Filter) -> And:
        return And((self, other)) if isinstance(other, Filter) else NotImplemented

    def __or__(self, other: Filter) -> Or:
        return Or((self, other)) if isinstance(other, Filter) else NotImplemented

    def __invert__(self) -> Not:
        return Not(self)

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, Filter) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a filter has no truth value: combine filters with & | ~ and parentheses instead of "
            "and, or, not; write F.price.between(10, 20) instead of 10 <= F.price <= 20"
        )


@dataclass(frozen=True, eq=False)
class Comparison(Filter):
    """Any value of the field compares so with `value`; `!=` is the negation of `==`."""

    field: str
    op: Operator
    value: Value

    def __post_init__(self) -> None:
        _freeze(self, "field", as_field(self.field))
        if self.op not in OPERATORS:
            raise FilterError(f"unknown operator {self.op!r}: use one of {' '.join(OPERATORS)}")
        _freeze(self, "value", as_value(self.field, self.value))

    def __str__(self) -> str:
        op = "=" if self.op == "==" else self.op
        return f"{format_field(self.field)} {op} {format_value(self.value)}"


@dataclass(frozen=True, eq=False)
class Between(Filter):
    """One value of the field lies between `low` and `high`, both included."""

    field: str
    low: Value
    high: Value

    def __post_init__(self) -> None:
        _freeze(self, "field", as_field(self.field))
        _freeze(self, "low", as_value(self.field, self.low))
        _freeze(self, "high", as_value(self.field, self.high))
        if _reversed(self.low, self.high):
            low, high = format_value(self.low), format_value(self.high)
            raise FilterError(
                f"field {self.field!r}: nothing is between {low} and {high}: write the lower first"
            )

    def __str__(self) -> str:
        bounds = f"{format_value(self.low)} and {format_value(self.high)}"
        return f"{format_field(self.field)} between {bounds}"


@dataclass(frozen=True, eq=False)
class In(Filter):
    """Any value of the field is one of `values`."""

    field: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        _freeze(self, "field", as_field(self.field))
        values = (self.values,) if isinstance(self.values, str) else self.values
        _freeze(self, "values", tuple(as_value(self.field, value) for value in values))
        if not self.values:
            raise FilterError(f"field {self.field!r}: 'in' needs at least one value")

    def __str__(self) -> str:
        return self.text("in")

    def text(self, operator: str) -> str:
        """Canonical text with `in` or `not in` as the operator."""
        return (
            f"{format_field(self.field)} {operator} ({', '.join(map(format_value, self.values))})"
        )


@dataclass(frozen=True, eq=False)
class Exists(Filter):
    """The document holds a value of the field; null and the empty list are none."""

    field: str

    def __post_init__(self) -> None:
        _freeze(self, "field", as_field(self.field))

    def __str__(self) -> str:
        return f"{format_field(self.field)} exists"


@dataclass(frozen=True, eq=False)
class And(Filter):
    """All operands hold; an And among them is replaced by its own operands."""

    operands: tuple[Filter, ...]

    def __post_init__(self) -> None:
        _freeze(self, "operands", _flatten(And, self.operands))
        _check_depth(self)

    def __str__(self) -> str:
        return " and ".join(f"({f})" if isinstance(f, Or) else str(f) for f in self.operands)


@dataclass(frozen=True, eq=False)
class Or(Filter):
    """At least one operand holds; an Or among them is replaced by its own operands."""

    operands: tuple[Filter, ...]

    def __post_init__(self) -> None:
        _freeze(self, "operands", _flatten(Or, self.operands))
        _check_depth(self)

    def __str__(self) -> str:
        return " or ".join(f"({f})" if isinstance(f, And) else str(f) for f in self.operands)


@dataclass(frozen=True, eq=False)
class Not(Filter):
    """The operand does not hold; documents without its fields match too."""

    operand: Filter

    def __post_init__(self) -> None:
        _require_filter(self.operand)
        _check_depth(self)

    def __str__(self) -> str:
        if isinstance(self.operand, In):
            return self.operand.text("not in")
        inner = f"({self.operand})" if isinstance(self.operand, And | Or) else str(self.operand)
        return f"not {inner}"


def fields_of(filter: Filter) -> frozenset[str]:  # noqa: A002
    """Names of all the fields that the filter looks at.

    >>> sorted(fields_of(Comparison("price", "<", 50) & ~Exists("gender")))
    ['gender', 'price']
    """
    if isinstance(filter, And | Or):
        return frozenset().union(*map(fields_of, filter.operands))
    if isinstance(filter, Not):
        return fields_of(filter.operand)
    return frozenset({filter.field}) if isinstance(filter, Leaf) else frozenset()


Leaf = Comparison | Between | In | Exists


def _freeze(node: Filter, name: str, value: object) -> None:
    object.__setattr__(node, name, value)


def _require_filter(operand: object) -> None:
    if not isinstance(operand, Filter):
        raise FilterError(f"{operand!r} is not a filter: give one such as F.price < 50")


def _flatten(kind: type[And | Or], operands: Iterable[Filter]) -> tuple[Filter, ...]:
    flat: list[Filter] = []
    for operand in operands:
        _require_filter(operand)
        flat += operand.operands if isinstance(operand, kind) else (operand,)
    if len(flat) < 2:
        raise FilterError(f"{kind.__name__} needs at least two filters, not {len(flat)}")
    return tuple(flat)


def _check_depth(node: Filter) -> None:
    if _depth(node) > MAX_DEPTH:
        raise FilterError(f"a filter may nest {MAX_DEPTH} levels deep, not more: simplify it")


def _depth(node: Filter) -> int:
    if isinstance(node, And | Or):
        return 1 + max(map(_depth, node.operands))
    return 1 + _depth(node.operand) if isinstance(node, Not) else 1


def _reversed(low: Value, high: Value) -> bool:
    if isinstance(low, date) and isinstance(high, date):
        return span_ms(low)[0] >= span_ms(high)[1]
    return is_number(low) and is_number(high) and low > high
