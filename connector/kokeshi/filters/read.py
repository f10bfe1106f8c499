"""Read a filter's text for the fields of an index: what does not fit is pointed at, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from kokeshi.errors import FilterError
from kokeshi.filters.check import check_filter
from kokeshi.filters.model import And, Between, Comparison, Exists, Filter, In, Not, Or
from kokeshi.filters.parse import parse_filter
from kokeshi.filters.tokens import Token, syntax_error, tokenize
from kokeshi.types import FieldType

Condition = Comparison | Between | In | Exists


def read_filter(text: str, types: Mapping[str, FieldType]) -> Filter:
    """The filter that `text` says, with values of its fields' types.

    Raises:
        FilterError: the text has another grammar, or a condition does not fit its field; the
            message names the column.
    """
    parsed = parse_filter(text)
    earlier: list[str] = []
    for condition in _conditions(parsed):
        try:
            check_filter(condition, types)
        except FilterError as error:
            start = _column(text, condition.field, earlier.count(condition.field))
            raise syntax_error(text, start, str(error)) from error
        earlier.append(condition.field)
    return check_filter(parsed, types)


def _conditions(filter: Filter) -> Iterator[Condition]:  # noqa: A002
    """The conditions in the order of the text."""
    match filter:
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _conditions(operand)
        case Not(operand):
            yield from _conditions(operand)
        case Comparison() | Between() | In() | Exists():
            yield filter


def _column(text: str, field: str, nth: int) -> int:
    """Where the nth condition on the field begins, counted from 0."""
    tokens = list(tokenize(text))
    starts = [
        token.start
        for token, following in pairwise(tokens)
        if token.value == field and _begins_a_condition(following)
    ]
    return starts[nth]


def _begins_a_condition(following: Token) -> bool:
    return following.kind == "operator" or following.is_keyword("in", "not", "between", "exists")
