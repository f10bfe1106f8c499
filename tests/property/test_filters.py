from __future__ import annotations

import json
import operator
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kokeshi import Index
from kokeshi.engines import Connection
from kokeshi.engines.http import HttpEngine
from kokeshi.engines.memory import MemoryEngine
from kokeshi.errors import FilterError
from kokeshi.filters import (
    And,
    Between,
    Comparison,
    Exists,
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
)
from kokeshi.ingest.documents import serialise
from kokeshi.schema import parse_spec
from tests.engines import SERVERS

# drawing takes long on a busy machine
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
N = 6
TYPES: dict[str, FieldType] = {
    "price": "float",
    "stock": "integer",
    "size": "keyword",
    "sale": "boolean",
    "released": "date",
}
INT64 = st.integers(-(2**63), 2**63 - 1)
VALUES: dict[str, st.SearchStrategy] = {
    "price": st.sampled_from([-0.0, 0.0, 0.1, 1.0, 2.0**53])
    | st.floats(allow_nan=False, allow_infinity=False),
    "stock": st.integers(-2, 2) | INT64,
    "size": st.sampled_from(["S", "M", "é", "e\u0301"]) | st.text(max_size=4),
    "sale": st.booleans(),
    "released": st.dates(date(2024, 1, 1), date(2024, 1, 3))
    | st.dates()
    | st.datetimes(timezones=st.just(timezone.utc)),
}
ANY_VALUE = st.one_of(*VALUES.values(), st.integers(), st.sampled_from(["and", "1", "true", "a b"]))
ORDERED = ["<", "<=", ">", ">="]
COMPARE = {"==": operator.eq, "<": operator.lt, "<=": operator.le} | {
    ">": operator.gt,
    ">=": operator.ge,
}


def sorted_pair(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.tuples(values, values).map(lambda pair: sorted(pair, key=order_key))


def order_key(value: object) -> object:
    return to_moment(value) if isinstance(value, date) else value


def leaves(field: str) -> st.SearchStrategy[Filter]:
    values, ordered = VALUES[field], TYPES[field] not in ("keyword", "boolean")
    ops = ["==", "!=", *(ORDERED if ordered else [])]
    kinds = [
        st.builds(Comparison, st.just(field), st.sampled_from(ops), values),
        st.builds(In, st.just(field), st.lists(values, min_size=1, max_size=3).map(tuple)),
        st.just(Exists(field)),
    ]
    if ordered:
        kinds.append(sorted_pair(values).map(lambda pair: Between(field, *pair)))
    return st.one_of(kinds)


def trees(leaf: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    def extend(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.builds(Not, inner) | st.builds(And, several) | st.builds(Or, several)

    return st.recursive(leaf, extend, max_leaves=6)


FILTERS = trees(st.sampled_from(sorted(TYPES)).flatmap(leaves))
NAMES = st.text(min_size=1, max_size=8) | st.sampled_from(["and", "a.b", "x in (", "1", "true"])
LOOSE = trees(
    st.builds(Comparison, NAMES, st.sampled_from(["==", "!=", *ORDERED]), ANY_VALUE)
    | st.builds(In, NAMES, st.lists(ANY_VALUE, min_size=1, max_size=3).map(tuple))
    | st.builds(Exists, NAMES)
)


def cells(field: str) -> st.SearchStrategy:
    values = VALUES[field]
    return st.none() | values | st.lists(values | st.none(), max_size=3)


COLUMNS = st.fixed_dictionaries(
    {field: st.lists(cells(field), min_size=N, max_size=N) for field in TYPES}
)


def as_documents(columns: dict[str, list]) -> dict[str, list]:
    """The cells as JSON gives them back: dates as text."""
    return json.loads(json.dumps(columns, default=lambda value: value.isoformat()))


def to_moment(value: date) -> datetime:
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def naive_compare(cell: object, op: str, value: object) -> bool:
    """Independent of the library: a date compares by its day, a datetime by its millisecond."""
    if isinstance(value, date):
        moment = to_moment(cell)
        if isinstance(value, datetime):
            return COMPARE[op](moment, to_moment(value))
        return COMPARE[op](moment.date(), value)
    return COMPARE[op](cell, value)


def naive(filter_: Filter, row: dict[str, object]) -> bool:
    if isinstance(filter_, And):
        return all(naive(operand, row) for operand in filter_.operands)
    if isinstance(filter_, Or):
        return any(naive(operand, row) for operand in filter_.operands)
    if isinstance(filter_, Not):
        return not naive(filter_.operand, row)
    cell = row[filter_.field]
    present = [v for v in (cell if isinstance(cell, list) else [cell]) if v is not None]
    if isinstance(filter_, Exists):
        return bool(present)
    if isinstance(filter_, In):
        return any(naive_compare(c, "==", v) for c in present for v in filter_.values)
    if isinstance(filter_, Between):
        low, high = filter_.low, filter_.high
        return any(naive_compare(c, ">=", low) and naive_compare(c, "<=", high) for c in present)
    if filter_.op == "!=":
        return not any(naive_compare(c, "==", filter_.value) for c in present)
    return any(naive_compare(c, filter_.op, filter_.value) for c in present)


def run_query(query: dict, row: dict[str, object]) -> bool:
    """The engine in a few lines: runs what `build_query` made on one document."""
    ((kind, body),) = query.items()
    if kind == "bool":
        return (
            all(run_query(q, row) for q in body.get("filter", []))
            and not any(run_query(q, row) for q in body.get("must_not", []))
            and ("should" not in body or any(run_query(q, row) for q in body["should"]))
        )
    field = body["field"] if kind == "exists" else next(iter(body))
    cell = row[field]
    present = [v for v in (cell if isinstance(cell, list) else [cell]) if v is not None]
    if kind == "exists":
        return bool(present)
    if kind in ("term", "terms"):
        terms = body[field] if kind == "terms" else [body[field]]
        return any(total_order(v) == total_order(t) for v in present for t in terms)
    bounds = {k: v for k, v in body[field].items() if k != "format"}
    tests = {"gte": operator.ge, "lte": operator.le, "gt": operator.gt, "lt": operator.lt}
    return any(
        all(tests[k](total_order(v), total_order(parse_bound(v, b))) for k, b in bounds.items())
        for v in present
    )


def total_order(value: object) -> object:
    """Doubles as the engines order them: -0.0 before 0.0."""
    if isinstance(value, float):
        return (value, not str(value).startswith("-"))
    return milliseconds(value) if isinstance(value, date) else value


def milliseconds(value: date) -> int:
    since = to_moment(value) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return since // timedelta(milliseconds=1)


def parse_bound(cell: object, bound: object) -> object:
    if not isinstance(cell, date):
        return bound
    if bound.isdigit():
        return int(bound)
    return milliseconds(datetime.fromisoformat(bound.replace("Z", "+00:00")))


@STEADY
@given(LOOSE)
def test_text_round_trip(filter_):
    assert parse_filter(str(filter_)) == filter_
    assert str(parse_filter(str(filter_))) == str(filter_)


@STEADY
@given(FILTERS)
def test_checked_filters_stay_as_they_are(filter_):
    assert check_filter(filter_, TYPES) == filter_
    assert check_filter(parse_filter(str(filter_)), TYPES) == filter_
    assert fields_of(filter_) <= TYPES.keys()


@STEADY
@given(st.text(max_size=40) | st.text("ab()'\"`=<>!, .0-1\\andornotin", max_size=40))
def test_any_text_is_a_filter_or_a_filter_error(text):
    try:
        parse_filter(text)
    except FilterError as error:
        first, shown, caret = str(error).split("\n")
        assert first.startswith("column ")
        assert shown.startswith("  ")
        assert caret.strip() == "^"


@STEADY
@given(FILTERS, COLUMNS)
def test_matches_agrees_with_plain_python(filter_, columns):
    rows = [{field: column[i] for field, column in columns.items()} for i in range(N)]
    expected = [naive(filter_, row) for row in rows]
    assert matches(filter_, columns, N).tolist() == expected
    assert matches(filter_, as_documents(columns), N).tolist() == expected


@STEADY
@given(FILTERS, COLUMNS)
def test_the_query_means_what_matches_says(filter_, columns):
    rows = [{field: column[i] for field, column in columns.items()} for i in range(N)]
    query = build_query(filter_)
    assert [run_query(query, row) for row in rows] == matches(filter_, columns, N).tolist()


@pytest.mark.parametrize(
    "law",
    [
        lambda a, b: (~(a & b), ~a | ~b),
        lambda a, b: (~(a | b), ~a & ~b),
        lambda a, b: (~~a & b, a & b),
        lambda a, b: (a & b, b & a),
        lambda a, b: (a | (a & b), a),
    ],
    ids=["de_morgan_and", "de_morgan_or", "double_negation", "commutative", "absorption"],
)
@STEADY
@given(a=FILTERS, b=FILTERS, columns=COLUMNS)
def test_laws_of_logic(law, a, b, columns):
    left, right = law(a, b)
    assert (matches(left, columns, N) == matches(right, columns, N)).all()


@STEADY
@given(st.data())
def test_in_is_any_of_its_values(data):
    field = data.draw(st.sampled_from(sorted(TYPES)))
    values = tuple(data.draw(st.lists(VALUES[field], min_size=2, max_size=4)))
    columns = data.draw(COLUMNS)
    either = Or(tuple(Comparison(field, "==", value) for value in values))
    assert (matches(In(field, values), columns, N) == matches(either, columns, N)).all()


ROWS = 12
TABLES = st.fixed_dictionaries(
    {field: st.lists(cells(field), min_size=ROWS, max_size=ROWS) for field in TYPES}
)
SPEC = parse_spec(f"index: property-filters\ntext: [word]\nmetadata: {json.dumps(TYPES)}")


@pytest.fixture(scope="module", params=SERVERS)
def server(request) -> Iterator[Index]:
    """The index of the fields, on each engine; KOKESHI_TEST_OPENSEARCH and the like name them."""
    with HttpEngine(Connection(request.getfixturevalue(f"{request.param}_url"))) as engine:
        index = Index(SPEC, engine)
        index.create(recreate=True)
        yield index
        engine.delete_index(SPEC.index)


def fill(index: Index, columns: dict[str, list]) -> None:
    """Replace every document by a row of the columns."""
    rows = [{name: column[i] for name, column in columns.items()} for i in range(ROWS)]
    body = b"".join(serialise(f"p{i}", {"word": "every", **row}) for i, row in enumerate(rows))
    assert {item.reason for item in index.engine.bulk(SPEC.index, body)} == {None}
    index.engine.refresh(SPEC.index)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(columns=TABLES, filters=st.lists(FILTERS, min_size=10, max_size=20))
def test_engines_keep_what_the_memory_engine_keeps(server, columns, filters):
    memory = Index(SPEC, MemoryEngine())
    memory.create()
    for index in (server, memory):
        fill(index, as_documents(columns))
    for filter_ in filters:
        expected = {f"p{i}" for i in range(ROWS) if matches(filter_, columns, ROWS)[i]}
        for index in (server, memory):
            found = index.search("every", plan="bm25", filter=filter_, size=ROWS, fields=())
            assert set(found.ids) == expected
            assert found.total == index.count(filter_) == len(expected)
