from __future__ import annotations

import doctest
import enum
import importlib
import pkgutil
import re
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest

import kokeshi.filters
from kokeshi.errors import FilterError, InputError
from kokeshi.filters import (
    And,
    Between,
    Comparison,
    Exists,
    F,
    FieldType,
    Filter,
    In,
    Not,
    Or,
    build_query,
    check_filter,
    fields_of,
    matches,
    parse_filter,
    read_filter,
)

TYPES: dict[str, FieldType] = {
    "price": "float",
    "stock": "integer",
    "gender": "keyword",
    "size": "keyword",
    "sale": "boolean",
    "released": "date",
}
UTC = timezone.utc
NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)
DATE_FORMAT = "strict_date_optional_time||epoch_millis"

A, B, C = F.a == 1, F.b == 2, F.c == 3


def checked(text: str) -> Filter:
    return check_filter(parse_filter(text), TYPES)


def kept(text: str, columns: dict[str, list[object]]) -> list[int]:
    n = len(next(iter(columns.values())))
    return np.flatnonzero(matches(checked(text), columns, n)).tolist()


MODULES = [m.name for m in pkgutil.iter_modules(kokeshi.filters.__path__, "kokeshi.filters.")]


@pytest.mark.parametrize("name", ["kokeshi.filters", *MODULES])
def test_the_examples_in_docstrings_hold(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (F.price == 5, Comparison("price", "==", 5)),
        (F.price != 5, Comparison("price", "!=", 5)),
        (F.price < 5, Comparison("price", "<", 5)),
        (F.price <= 5, Comparison("price", "<=", 5)),
        (F.price > 5, Comparison("price", ">", 5)),
        (5 <= F.price, Comparison("price", ">=", 5)),  # noqa: SIM300
        (F["field name"] == "x", Comparison("field name", "==", "x")),
        (F.price.between(1, 2), Between("price", 1, 2)),
        (F.size.in_("S", "M"), In("size", ("S", "M"))),
        (F.size.in_(["S", "M"]), In("size", ("S", "M"))),
        (F.size.in_({"S", "M"}), In("size", ("M", "S"))),
        (F.size.in_("SM"), In("size", ("SM",))),
        (In("size", "SM"), In("size", ("SM",))),
        (F.size.exists(), Exists("size")),
        (A & B & C, And((A, B, C))),
        (A & (B & C), And((A, B, C))),
        (A | B | C, Or((A, B, C))),
        (~A, Not(A)),
    ],
)
def test_expressions_build_the_tree(built, expected):
    assert built == expected
    assert hash(built) == hash(expected)


def test_filters_are_frozen_and_tell_types_apart():
    with pytest.raises(AttributeError):
        A.field = "b"
    assert len({F.a == 1, F.a == 1.0, F.a == True, F.a == "1", F.a == 1}) == 4  # noqa: E712
    assert A != "a = 1"
    assert repr(F) == "F"
    assert repr(F.price) == "F['price']"


class Colour(str, enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (Colour.RED, "red"),
        (datetime(2024, 1, 31, 12), NOON),
        (datetime(2024, 1, 31, 21, tzinfo=timezone(timedelta(hours=9))), NOON),
    ],
)
def test_values_become_plain(value, plain):
    found = (F.a == value).value
    assert found == plain
    assert type(found) is type(plain)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: F.a == None, r"field 'a'.*None: .*'not a exists'"),  # noqa: E711
        (lambda: F.a == float("nan"), "field 'a'.*nan: give a finite number"),
        (lambda: F.a < float("inf"), "field 'a'.*inf: give a finite number"),
        (lambda: F.a == ["x"], r"F\['a'\]\.in_"),
        (lambda: F.a == object(), "give text, a number"),
        (lambda: F.a == "\ud800", "surrogate"),
        (lambda: F.a == datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "years 1 to"),
        (lambda: F.a == 10**5000, "an integer of 16610 bits"),
        (lambda: parse_filter("a = " + "9" * 400), "an integer of 1329 bits"),
        (lambda: F[""], "not a field name"),
        (lambda: F[0], "not a field name"),
        (lambda: F.a.in_(), "'in' needs at least one value"),
        (lambda: F.a.between(2, 1), "nothing is between 2 and 1: write the lower first"),
        (lambda: F.a.between(date(2024, 1, 2), date(2024, 1, 1)), "nothing is between 2024-01-02"),
        (lambda: Comparison("a", "=", 1), "unknown operator '='"),
        (lambda: And((A,)), "And needs at least two filters, not 1"),
        (lambda: Or((A, 3)), "3 is not a filter"),
        (lambda: Not("a"), "'a' is not a filter"),
        (lambda: check_filter("a", {}), "not a filter"),
        (lambda: build_query("a"), "not a filter"),
        (lambda: matches("a", {}, 0), "not a filter"),
    ],
)
def test_unusable_parts_are_refused(make, message):
    with pytest.raises(FilterError, match=message):
        make()


def test_trees_that_engines_would_refuse_are_refused():
    nested = A
    for _ in range(19):
        nested = ~nested
    assert parse_filter(str(nested)) == nested
    with pytest.raises(FilterError, match="20 levels"):
        _ = ~nested


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: A and B, "combine filters with & | ~"),
        (lambda: 10 < F.price < 20, r"F\.price\.between"),
        (lambda: not F.sale, "alone is no filter"),
        (lambda: F.a < 5 & F.b, "put comparisons in parentheses"),
        (lambda: A & 3, "unsupported operand"),
        (lambda: A | 3, "unsupported operand"),
    ],
)
def test_python_operators_that_do_not_work_say_what_does(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_private_names_are_not_fields():
    with pytest.raises(AttributeError, match=r"F\['_id'\]"):
        _ = F._id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price < 50", F.price < 50),
        ("price<=-1.5e3", F.price <= -1500.0),
        ("price = 1", F.price == 1),
        ("price == 1", F.price == 1),
        ("price != 1", F.price != 1),
        ("price > 1", F.price > 1),
        ("price >= 1", F.price >= 1),
        ("a.b = x", F["a.b"] == "x"),
        (r"`field \`name` = x", F["field `name"] == "x"),
        ("gender = women", F.gender == "women"),
        ("gender = T-shirt_2", F.gender == "T-shirt_2"),
        ("gender = été", F.gender == "été"),
        (r'gender = "a \"b\" \\ \n"', F.gender == 'a "b" \\ \n'),
        ("gender = 'navy blue'", F.gender == "navy blue"),
        ("code = 0108775015", F.code == "0108775015"),
        ("size = '42'", F.size == "42"),
        ("size = 42", F.size == 42),
        ("size = 36-38", F.size == "36-38"),
        ("sale = true", F.sale == True),  # noqa: E712
        ("sale = false", F.sale == False),  # noqa: E712
        ("released > 2024-01-31", F.released > date(2024, 1, 31)),
        ("released > '2024-01-31'", F.released > "2024-01-31"),
        ("released < 2024-01-31T12:00:00Z", F.released < NOON),
        ("released < 2024-01-31T21:00+09:00", F.released < NOON),
        ("size in (S, 'M', 3)", F.size.in_("S", "M", 3)),
        ("size NOT IN (S)", ~F.size.in_("S")),
        ("price BETWEEN 10 and 20 and a = 1", F.price.between(10, 20) & A),
        ("price not between 10 and 20", ~F.price.between(10, 20)),
        ("price exists", F.price.exists()),
        ("price not exists", ~F.price.exists()),
        ("a = 1 or b = 2 and c = 3", A | (B & C)),
        ("(a = 1 or b = 2) and c = 3", (A | B) & C),
        ("not a = 1 and b = 2", ~A & B),
        ("NOT (a = 1 Or b = 2)", ~(A | B)),
        ("not not a = 1", ~~A),
        ("((a = 1))", A),
    ],
)
def test_text_is_read(text, expected):
    assert parse_filter(text) == expected
    assert parse_filter(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "the filter is empty"),
        ("   ", 4, "the filter is empty"),
        ("(a = 1", 1, "'(' is never closed"),
        ("(a = 1 b", 8, "expected 'and', 'or' or ')', not 'b'"),
        ("a = 1)", 6, "closes nothing"),
        ("price <", 8, "expected a value after '<', not the end"),
        ("price < < 5", 9, "expected a value after '<', not '<'"),
        ("price 50", 7, "did you mean price = 50?"),
        ("price", 6, "expected an operator (= != < <= > >=), 'in', 'between' or 'exists'"),
        ("price not 5", 11, "expected an operator"),
        ("price $ 5", 7, "unknown character '$'"),
        ("a = 'x", 5, "this ' is never closed"),
        ("`a = x", 1, "this ` is never closed"),
        (r"a = 'b\q'", 7, r"unknown escape '\\q'"),
        ("price =< 5", 7, "unknown operator '=<': did you mean '<='?"),
        ("a = 1 && b = 2", 7, "did you mean 'and'?"),
        ("a <<< 2", 3, "unknown operator '<<<': use one of"),
        ("a = 1 2", 7, "expected 'and', 'or' or the end, not '2'"),
        ("1 < price", 1, "expected a field name, not '1': the field comes first"),
        ("0 < a < 5", 1, "expected a field name"),
        ("a < 5 < 10", 7, "field between low and high"),
        ("in = 5", 1, "a field called so is written `in`"),
        ("state = OR", 9, "write 'OR' in quotation marks"),
        ("a in b", 6, "expected '(' and the values after 'in', not 'b'"),
        ("a in ()", 7, "expected a value, not ')'"),
        ("a in (b c)", 9, "expected ',' or ')', not 'c'"),
        ("a in (b,)", 9, "expected a value after ',', not ')'"),
        ("a between 1, 2", 12, "expected 'and' and the upper value, not ','"),
        ("a between 2 and 1", 1, "nothing is between 2 and 1"),
        ("a = 2024-02-31", 5, "2024-02-31 cannot be read"),
        ("a = 1e999", 5, "beyond every double"),
        ("a = " + "9" * 5000, 5, "beyond every number field"),
        ("(" * 10_000 + "a = 1" + ")" * 10_000, 21, "20 levels deep"),
        ("not " * 10_000 + "a = 1", 81, "20 levels deep"),
        ("(a = 1 or b = 2 and " * 15 + "c = 3" + ")" * 15, 102, "20 levels deep"),
        ("a = 1 and", 10, "expected a field name, not the end"),
    ],
)
def test_errors_point_at_the_column(text, column, message):
    with pytest.raises(FilterError, match=re.escape(message)) as caught:
        parse_filter(text)
    first, shown, caret = str(caught.value).split("\n")
    assert first.startswith(f"column {column}: ")
    if len(text) < 30:
        assert shown == "  " + text
        assert caret == " " * (column + 1) + "^"


def test_the_caret_stands_under_wide_characters_and_line_breaks():
    with pytest.raises(FilterError) as caught:
        parse_filter("性別 =\n< x")
    assert str(caught.value).split("\n")[1:] == ["  性別 = < x", "         ^"]


@pytest.mark.parametrize(
    ("filter_", "text"),
    [
        (F.a == "women", "a = women"),
        (F.a == "and", 'a = "and"'),
        (F.a == "true", 'a = "true"'),
        (F.a == "2024-01-31", 'a = "2024-01-31"'),
        (F.a == "2024-02-31", 'a = "2024-02-31"'),
        (F.a == "", 'a = ""'),
        (F.a == NOON, "a = 2024-01-31T12:00:00Z"),
        (F["and"] != 1.0, "`and` != 1.0"),
        (F["x in ("].in_("y"), "`x in (` in (y)"),
        (~F["x in ("].in_("y"), "`x in (` not in (y)"),
        ((A | B) & ~(B & C) & ~A, "(a = 1 or b = 2) and not (b = 2 and c = 3) and not a = 1"),
        ((A & B) | C, "(a = 1 and b = 2) or c = 3"),
    ],
)
def test_canonical_text(filter_, text):
    assert str(filter_) == text
    assert parse_filter(text) == filter_


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price < 50", F.price < 50.0),
        ("stock < 49.5", F.stock < 49.5),
        ("stock = 49.0", F.stock == 49),
        ("stock = -9223372036854775808", F.stock == -(2**63)),
        ("stock between 0.5 and 2.0", F.stock.between(0.5, 2)),
        ("gender = women", F.gender == "women"),
        ("size in (42, true, 2024-01-31)", F.size.in_("42", "true", "2024-01-31")),
        ("sale = 'TRUE' or sale = false", (F.sale == True) | (F.sale == False)),  # noqa: E712
        ("released = '2024-01-31'", F.released == date(2024, 1, 31)),
        ("released = '2024-01-31T12:00:00Z'", F.released == NOON),
        ("not (price exists and released exists)", ~(F.price.exists() & F.released.exists())),
    ],
)
def test_values_take_the_type_of_their_field(text, expected):
    assert checked(text) == expected
    assert check_filter(expected, TYPES) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prise < 5", "unknown field 'prise': did you mean 'price'. .*: gender, price, released"),
        ("zzz exists", "unknown field 'zzz': Fields to filter by"),
        ("price < cheap", "'price' is a float, which cheap does not fit: give a number"),
        ("price = true", "'price' is a float, which true"),
        ("price = 9007199254740993", "64-bit float holds exactly"),
        (f"price = {2**1024 - 1}", "64-bit float holds exactly"),
        ("stock = many", "'stock' is an integer, which many"),
        ("stock = 49.5", "which 49.5 does not fit: it is no integer"),
        ("stock in (1, 2.5)", "which 2.5 does not fit"),
        ("stock != 49.5", "it is no integer"),
        ("stock < 9223372036854775808", "stay within -9223372036854775808 and 9223372036854775807"),
        ("stock < 1e30", "stay within"),
        ("gender < women", "'gender' is a keyword, which has no order: use =, !=, in or exists"),
        ("gender between a and b", "which has no order"),
        ("sale > false", "'sale' is a boolean, which has no order"),
        ("sale = 1", "'sale' is a boolean, which 1 does not fit: give true or false"),
        ("size = 7.50", "'size' is a keyword, which 7.5 does not fit: quote it"),
        ("size = 2024-01-31T12:00:00Z", "quote it as the documents write it"),
        ("released < 2024", "'released' is a date, which 2024 does not fit: give a date such as"),
        ("released < soon", "which soon does not fit"),
        ("released < '2024-02-31'", "no such moment"),
        ("released between '2024-02-01' and '2024-01-01'", "write the lower first"),
    ],
)
def test_what_does_not_fit_is_refused(text, message):
    with pytest.raises(FilterError, match=message):
        checked(text)


def span(gte: str | None = None, lt: str | None = None) -> dict[str, object]:
    bounds = {k: v for k, v in (("gte", gte), ("lt", lt)) if v}
    return {"range": {"released": {**bounds, "format": DATE_FORMAT}}}


JAN31, FEB1 = "2024-01-31T00:00:00.000Z", "2024-02-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("price < 50", {"range": {"price": {"lt": 50.0}}}),
        ("price <= 50", {"range": {"price": {"lte": 50.0}}}),
        ("price > 50", {"range": {"price": {"gt": 50.0}}}),
        ("price >= 50", {"range": {"price": {"gte": 50.0}}}),
        ("price between 1 and 2", {"range": {"price": {"gte": 1.0, "lte": 2.0}}}),
        ("stock < 49.5", {"range": {"stock": {"lt": 49.5}}}),
        ("gender = women", {"term": {"gender": "women"}}),
        ("sale = true", {"term": {"sale": True}}),
        ("size in (S, M)", {"terms": {"size": ["S", "M"]}}),
        ("price exists", {"exists": {"field": "price"}}),
        ("gender != women", {"bool": {"must_not": [{"term": {"gender": "women"}}]}}),
        ("size not in (S)", {"bool": {"must_not": [{"terms": {"size": ["S"]}}]}}),
        ("not not size = S", {"term": {"size": "S"}}),
        (
            "not (size = S or size = M)",
            {"bool": {"must_not": [{"term": {"size": "S"}}, {"term": {"size": "M"}}]}},
        ),
        (
            "not (size = S and sale = true)",
            {
                "bool": {
                    "must_not": [
                        {"bool": {"filter": [{"term": {"size": "S"}}, {"term": {"sale": True}}]}}
                    ]
                }
            },
        ),
        (
            "size = S or sale = true",
            {
                "bool": {
                    "should": [{"term": {"size": "S"}}, {"term": {"sale": True}}],
                    "minimum_should_match": 1,
                }
            },
        ),
        (
            "price > 1 and price < 2 and gender != men and not not sale = true",
            {
                "bool": {
                    "filter": [
                        {"range": {"price": {"gt": 1.0}}},
                        {"range": {"price": {"lt": 2.0}}},
                        {"term": {"sale": True}},
                    ],
                    "must_not": [{"term": {"gender": "men"}}],
                }
            },
        ),
        ("released = 2024-01-31", span(JAN31, FEB1)),
        ("released < 2024-01-31", span(lt=JAN31)),
        ("released <= 2024-01-31", span(lt=FEB1)),
        ("released > 2024-01-31", span(gte=FEB1)),
        ("released >= 2024-01-31", span(gte=JAN31)),
        ("released between 2024-01-31 and 2024-01-31", span(JAN31, FEB1)),
        ("released <= 2024-01-31T12:00:00.0005Z", span(lt="2024-01-31T12:00:00.001Z")),
        ("released <= 9999-12-31", span(lt="253402300800000")),
        (
            "released in (2024-01-31, 9999-12-31)",
            {
                "bool": {
                    "should": [
                        span(JAN31, FEB1),
                        span("9999-12-31T00:00:00.000Z", "253402300800000"),
                    ],
                    "minimum_should_match": 1,
                }
            },
        ),
        ("released != 2024-01-31", {"bool": {"must_not": [span(JAN31, FEB1)]}}),
    ],
)
def test_query_dsl(text, query):
    assert build_query(checked(text)) == query


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("price = 0", "{'terms': {'price': [-0.0, 0.0]}}"),
        ("price in (0, 1)", "{'terms': {'price': [-0.0, 0.0, 1.0]}}"),
        ("price < 0", "{'range': {'price': {'lt': -0.0}}}"),
        ("price <= 0", "{'range': {'price': {'lte': 0.0}}}"),
        ("price > 0", "{'range': {'price': {'gt': 0.0}}}"),
        ("price >= 0", "{'range': {'price': {'gte': -0.0}}}"),
        ("stock >= 0", "{'range': {'stock': {'gte': 0}}}"),
    ],
)
def test_both_zeros_count_as_zero(text, clause):
    assert str(build_query(checked(text))) == clause


def test_long_lists_are_split_at_the_limit_of_the_engines():
    query = build_query(F.size.in_(str(i) for i in range(70_000)))
    assert [len(q["terms"]["size"]) for q in query["bool"]["should"]] == [65_536, 4_464]


RELEASED = [
    "2024-01-30T23:59:59.999Z",
    "2024-01-31",
    "2024-01-31T23:59:59.999999Z",
    "2024-02-01",
    None,
]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("released < 2024-01-31", [0]),
        ("released <= 2024-01-31", [0, 1, 2]),
        ("released = 2024-01-31", [1, 2]),
        ("released != 2024-01-31", [0, 3, 4]),
        ("released > 2024-01-31", [3]),
        ("released >= 2024-01-31", [1, 2, 3]),
        ("released = 2024-01-31T23:59:59.999Z", [2]),
        ("released between 2024-01-31 and 2024-02-01", [1, 2, 3]),
        ("released in (2024-02-01, 2024-01-30)", [0, 3]),
        ("released exists", [0, 1, 2, 3]),
    ],
)
def test_dates_cover_whole_days(text, rows):
    assert kept(text, {"released": RELEASED}) == rows


@pytest.mark.parametrize(
    "cell",
    [
        "1970-01-02",
        "1970-01-02T00:00",
        "1970-01-02T09+09",
        "1970-01-01T14:30:00.000-09:30",
        86_400_000,
        "86400000",
        date(1970, 1, 2),
        datetime(1970, 1, 2, tzinfo=UTC),
        np.datetime64("1970-01-02T00:00:00.000000000"),
        ["2024", "1970-01-02"],
    ],
)
def test_dates_in_documents_may_take_any_form_of_the_engines(cell):
    assert kept("released = 1970-01-02", {"released": [cell]}) == [0]


@pytest.mark.parametrize(
    ("text", "cells", "rows"),
    [
        ("gender = women", ["women", "Women", ["men", "women"], [], None, [None]], [0, 2]),
        ("gender != women", ["women", "Women", ["men", "women"], [], None, [None]], [1, 3, 4, 5]),
        ("gender exists", ["women", "", ["men", None], [], None, [None], float("nan")], [0, 1, 2]),
        ("gender = 'é'", ["é", "e\u0301"], [0]),
        ("gender in (42, true)", [42, "42", True, np.int64(42), 42.5], [0, 1, 2, 3]),
        ("gender = 2024-01-31", [date(2024, 1, 31)], [0]),
        ("sale = true", [True, "true", False, "false", "", None, np.bool_(True)], [0, 1, 6]),
        ("sale = false", [True, "true", False, "false", "", None], [2, 3, 4]),
        ("stock > 40.5 and stock < 41", [[40, 42], 41, 40], [0]),
        ("stock between 40.5 and 41", [[40, 42], 41, 40], [1]),
        ("stock = 9007199254740993", [2**53, 2**53 + 1, "9007199254740993"], [1, 2]),
        ("stock < 49.5", [49, 50, "49", None], [0, 2]),
        ("price = 9007199254740992", [2**53, 2**53 + 1], [0, 1]),
        ("price = 0", [0, -0.0, "0.0", "-0"], [0, 1, 2, 3]),
        ("price in (1, 2.5)", [1, 2.5, "2.5", (3, [2.5]), float("nan")], [0, 1, 2, 3]),
        ("stock in (1, 2)", [1, 2.0, 3], [0, 1]),
    ],
)
def test_cells_match_as_documents_do(text, cells, rows):
    field = text.split()[0]
    assert kept(text, {field: cells}) == rows


@pytest.mark.parametrize(
    ("text", "cell", "message"),
    [
        ("price < 5", "cheap", "field 'price', row 1: 'cheap' is not a number"),
        ("price < 5", True, "row 1: True is not a number"),
        ("price < 5", 10**400, "row 1: "),
        ("sale = true", 1, "row 1: 1 is not a boolean"),
        ("released < 2024-01-01", "soon", "row 1: 'soon' is not a date"),
        ("released < 2024-01-01", "2024-02-31", "row 1: "),
        ("released < 2024-01-01", 1.5, "row 1: 1.5 is not a date"),
    ],
)
def test_unreadable_cells_are_named(text, cell, message):
    with pytest.raises(InputError, match=message):
        kept(text, {text.split()[0]: [None, cell]})


@pytest.mark.parametrize("op", ["=", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize(
    "column",
    [
        np.array([1.0, 2.0, np.nan, -0.0]),
        np.array([0.1, 2, 3], "f4"),
        np.array([1, 2, 3]),
        np.array([1, 2], "u1"),
    ],
)
@pytest.mark.parametrize("value", ["2", "2.5", "0"])
@pytest.mark.parametrize("field", ["price", "stock"])
def test_arrays_match_as_lists_do(op, column, value, field):
    if field == "stock" and op in ("=", "!=") and value == "2.5":
        value = "3"
    wanted = checked(f"{field} {op} {value}")
    found = matches(wanted, {field: column}, len(column))
    assert found.dtype == np.bool_
    assert found.tolist() == matches(wanted, {field: column.tolist()}, len(column)).tolist()


def test_a_field_without_a_column_is_missing_everywhere():
    assert kept("price < 5 or sale exists", {"gender": ["a", "b"]}) == []
    assert kept("price != 5", {"gender": ["a", "b"]}) == [0, 1]
    with pytest.raises(InputError, match="column 'price' has 1 cells: give one per document, 2"):
        matches(F.price < 5.0, {"price": [1]}, 2)


def test_fields_of_names_every_field():
    found = fields_of(parse_filter("a = 1 and not (b exists or c in (1) or d between 1 and 2)"))
    assert found == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("size = 4", 1, "unknown field 'size'"),
        ("price < 5 and size = 4", 15, "unknown field 'size'"),
        ("price < 5 or not (`size` exists)", 19, "unknown field 'size'"),
        ("price < 5 and price = cheap", 15, "field 'price' is a float, which cheap does not fit"),
        ("gender in (price) and price = cheap", 23, "field 'price' is a float"),
        ("gender = price and price not in (cheap)", 20, "field 'price' is a float"),
    ],
)
def test_a_condition_that_does_not_fit_is_pointed_at(text, column, problem):
    with pytest.raises(FilterError, match=f"^column {column}: {problem}"):
        read_filter(text, {"price": "float", "gender": "keyword"})


def test_a_text_that_fits_is_checked():
    found = read_filter("price < 5", {"price": "float"})
    assert found == Comparison("price", "<", 5.0)
