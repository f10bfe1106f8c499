"""Filters as Elasticsearch and OpenSearch query DSL, for filter context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from kokeshi.errors import FilterError
from kokeshi.filters.dates import format_ms, span_ms
from kokeshi.filters.literals import Value
from kokeshi.filters.model import And, Between, Comparison, Exists, Filter, In, Not, Operator, Or

Query = dict[str, Any]

_BOUNDS: dict[Operator, str] = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_DATE_FORMAT = "strict_date_optional_time||epoch_millis"
_MAX_TERMS = 65_536  # the engines' default of index.max_terms_count


def build_query(filter: Filter) -> Query:  # noqa: A002
    """Query clause of a checked filter, for `bool.filter`, `knn.filter` or `post_filter`.

    `and` becomes `bool.filter` (its negations `must_not`), `or` becomes `bool.should`, `not` and
    `!=` become `must_not`, so that documents without the field match them. Tests of one field
    stay clauses of their own, each to be satisfied by any of its values; `between` is one clause.
    Dates become ranges of full UTC timestamps, `gte` and `lt` only.

    >>> build_query(In("gender", ("women", "girls")))
    {'terms': {'gender': ['women', 'girls']}}
    """
    match filter:
        case And(operands):
            return _all(operands)
        case Or(operands):
            return _any([build_query(operand) for operand in operands])
        case Not(Not(operand)):
            return build_query(operand)
        case Not() | Comparison(op="!="):
            return {"bool": {"must_not": list(_forbidden(filter))}}
        case Comparison(field, op, value):
            return _compare(field, op, value)
        case Between(field, low, high):
            return _range(field, {**_bound(">=", low), **_bound("<=", high)})
        case In(field, values):
            return _any(list(_members(field, values)))
        case Exists(field):
            return {"exists": {"field": field}}
        case _:
            raise FilterError(f"{filter!r} is not a filter: give one such as F.price < 50")


def _all(operands: Sequence[Filter]) -> Query:
    """Clauses that must hold, and beside them those that must not."""
    required: list[Query] = []
    excluded: list[Query] = []
    for operand in operands:
        forbidden = list(_forbidden(operand))
        excluded += forbidden
        required += [] if forbidden else [build_query(operand)]
    clauses = {"filter": required, "must_not": excluded}
    return {"bool": {name: queries for name, queries in clauses.items() if queries}}


def _forbidden(operand: Filter) -> Iterator[Query]:
    """Clauses none of which may hold, if the operand is a negation; otherwise nothing."""
    match operand:
        case Comparison(field, "!=", value):
            yield _compare(field, "==", value)
        case Not(Not()):
            return
        case Not(Or(operands)):
            yield from map(build_query, operands)
        case Not(inner):
            yield build_query(inner)


def _any(queries: list[Query]) -> Query:
    if len(queries) == 1:
        return queries[0]
    return {"bool": {"should": queries, "minimum_should_match": 1}}


def _compare(field: str, op: Operator, value: Value) -> Query:
    if op != "==":
        return _range(field, _bound(op, value))
    if isinstance(value, date):
        return _range(field, {**_bound(">=", value), **_bound("<=", value)})
    terms = _terms(value)
    return {"terms": {field: terms}} if len(terms) > 1 else {"term": {field: value}}


def _members(field: str, values: Sequence[Value]) -> Iterator[Query]:
    terms = [term for value in values if not isinstance(value, date) for term in _terms(value)]
    for start in range(0, len(terms), _MAX_TERMS):
        yield {"terms": {field: terms[start : start + _MAX_TERMS]}}
    for value in values:
        if isinstance(value, date):
            yield _compare(field, "==", value)


def _terms(value: Value) -> list[Value]:
    """The engines tell -0.0 from 0.0; a filter does not, so it asks for both."""
    return [-0.0, 0.0] if _is_float_zero(value) else [value]


def _bound(op: Operator, value: Value) -> dict[str, Any]:
    if isinstance(value, date):
        start, end = span_ms(value)
        edge = format_ms(end if op in ("<=", ">") else start)
        return {"lt" if op in ("<", "<=") else "gte": edge, "format": _DATE_FORMAT}
    if _is_float_zero(value):
        value = -0.0 if op in ("<", ">=") else 0.0
    return {_BOUNDS[op]: value}


def _range(field: str, bounds: dict[str, Any]) -> Query:
    """Bounds first, the date format last."""
    return {"range": {field: dict(sorted(bounds.items(), key=lambda item: item[0] == "format"))}}


def _is_float_zero(value: Value) -> bool:
    return isinstance(value, float) and value == 0
