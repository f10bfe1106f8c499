"""Typed filter expressions: built in Python, read from text, checked, sent or evaluated.

>>> wanted = (F.price < 50) & (F.gender == "women")
>>> str(wanted)
'price < 50 and gender = women'
>>> parse_filter("price < 50 and gender = women") == wanted
True
>>> checked = check_filter(wanted, {"price": "float", "gender": "keyword"})
>>> build_query(checked)
{'bool': {'filter': [{'range': {'price': {'lt': 50.0}}}, {'term': {'gender': 'women'}}]}}
>>> matches(checked, {"price": [19.9, 80.0], "gender": ["women", "women"]}, 2)
array([ True, False])

What a filter means, in the engines and in `matches` alike:

- A field may hold several values: a comparison holds when ANY of them satisfies it. So
  `size > 40 and size < 42` may be satisfied by two values, `size between 40 and 42` only by one.
- `!=`, `not in` and `not` negate: they match the documents that the positive form does not match,
  those without the field included. Add `and field exists` to leave these out.
- Text is compared exactly: case, accents and Unicode form matter.
- A date without a time is the whole UTC day: `released <= 2024-01-31` includes that day's evening,
  `> 2024-01-31` starts with the next midnight, `= 2024-01-31` is any moment of it. Moments have
  millisecond resolution; what is finer is cut off; without an offset they are UTC.
"""

from __future__ import annotations

from kokeshi.filters.check import check_filter
from kokeshi.filters.evaluate import matches
from kokeshi.filters.fields import F, Field
from kokeshi.filters.literals import Value
from kokeshi.filters.model import (
    And,
    Between,
    Comparison,
    Exists,
    Filter,
    In,
    Not,
    Or,
    fields_of,
)
from kokeshi.filters.parse import parse_filter
from kokeshi.filters.query import build_query
from kokeshi.filters.read import read_filter
from kokeshi.types import FieldType

__all__ = [
    "And",
    "Between",
    "Comparison",
    "Exists",
    "F",
    "Field",
    "FieldType",
    "Filter",
    "In",
    "Not",
    "Or",
    "Value",
    "build_query",
    "check_filter",
    "fields_of",
    "matches",
    "parse_filter",
    "read_filter",
]
