"""The formats that judgments come in: how each is told from the others, and how its ratings are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any, Final

import orjson

from kokeshi.errors import InputError
from kokeshi.types import Json
from kokeshi_eval.judgments.model import Format, Rating
from kokeshi_eval.tables import Row, read_objects, read_table

QUERY: Final = ("query_id", "qid", "query_text", "query")
DOC_ID: Final = ("docid", "doc_id")
GRADE: Final = ("rating", "grade")
"""Names of the columns; messages use the last."""

_SUFFIXES: Final[dict[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".qrels": "trec",
    ".qrel": "trec",
    ".trec": "trec",
}
_QRELS_LINE = re.compile(r"\S+\s+\S+\s+\S+\s+-?\d+\s*")
_UNRATED: Final = ("", "--")
"""How Quepid's exports write a document without a rating."""


def detect_format(text: str, name: str, suffix: str = "") -> Format:
    """Return the format of a text, by the suffix of its file where that says it, else by its content.

    Raises InputError where it looks like none.
    """
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    first = next((line for line in StringIO(text) if line.strip()), "")
    if first.lstrip().startswith("{"):
        return _detect_json(text)
    if suffix not in (".csv", ".tsv") and _QRELS_LINE.fullmatch(first):
        return "trec"
    names = {cell.strip(' "\t\r\n').lower().replace(" ", "_") for cell in re.split("[,\t]", first)}
    if "docid" in names or {"query_text", "rating"} <= names:
        return "quepid"
    if suffix in (".csv", ".tsv") or names & {*QUERY, *DOC_ID, *GRADE}:
        return "csv"
    raise InputError(
        f"{name}: it looks like no known format; give --format csv, jsonl, trec, quepid or rank_eval"
    )


def read_ratings(text: str, name: str, format: Format) -> Iterator[Rating]:  # noqa: A002
    """Yield what each line says; raises InputError, with the line, where it cannot be read."""
    return _READERS[format](text, name)


def _detect_json(text: str) -> Format:
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "jsonl"
    if "requests" in whole:
        return "rank_eval"
    return "quepid" if {"queries", "query_doc_pairs"} & whole.keys() else "jsonl"


def _read_csv(text: str, name: str) -> Iterator[Rating]:
    rows = read_table(StringIO(text, newline=""), name, (QUERY, DOC_ID, GRADE))
    return (_rating(row) for row in rows)


def _read_jsonl(text: str, name: str) -> Iterator[Rating]:
    return (_rating(row) for row in read_objects(StringIO(text), name))


def _read_trec(text: str, name: str) -> Iterator[Rating]:
    """Lines of: query id, iteration (not used), document id, grade."""
    for number, line in enumerate(StringIO(text), start=1):
        cells = line.split()
        where = f"{name}, line {number}"
        if cells and len(cells) != 4:
            raise InputError(
                f"{where}: {len(cells)} words; qrels have four: query, iteration, document, grade"
            )
        if cells:
            yield Rating(cells[0], cells[2], cells[3], None, where)


def _read_quepid(text: str, name: str) -> Iterator[Rating]:
    """Exports of a case (query, docid, rating) or of a book (a column for each rater), CSV or JSON."""
    if text.lstrip().startswith("{"):
        return _read_quepid_json(_load(text, name), name)
    return _read_quepid_csv(text, name)


def _read_quepid_csv(text: str, name: str) -> Iterator[Rating]:
    for row in read_table(StringIO(text, newline=""), name, (QUERY, DOC_ID), pad=True):
        query = row.text(*QUERY)
        doc_id = row.find(*DOC_ID)
        if not doc_id:  # a query that nobody rated yet
            yield Rating(query, "", None, None, row.where)
            continue
        for rater, grade in _quepid_grades(row):
            yield Rating(query, doc_id, None if grade in _UNRATED else grade, rater, row.where)


def _quepid_grades(row: Row) -> Iterator[tuple[str | None, str]]:
    if (grade := row.find(*GRADE)) is not None:
        yield None, grade
        return
    raters = [name for name in row.cells if name not in (*QUERY, *DOC_ID)]
    if not raters:
        raise InputError(
            f"{row.where}: no column of ratings; Quepid exports have query, docid, rating"
        )
    for rater in raters:
        yield rater, row.cells[rater]


def _read_quepid_json(whole: Json, name: str) -> Iterator[Rating]:
    for place, query in _objects(whole.get("queries", []), f"{name}, queries"):
        text = Row(place, query).text("query_text", "query")
        for doc_id, grade, rater in _quepid_ratings(query.get("ratings"), f"{place}.ratings"):
            yield Rating(text, doc_id, grade, rater, place)
    for place, pair in _objects(whole.get("query_doc_pairs", []), f"{name}, query_doc_pairs"):
        row = Row(place, pair)
        for where, judgement in _objects(pair.get("judgements", []), f"{place}.judgements"):
            grade = None if judgement.get("unrateable") else judgement.get("rating")
            rater = judgement.get("user_email")
            yield Rating(row.text("query_text"), row.text("doc_id"), grade, rater, where)


def _quepid_ratings(found: Any, place: str) -> Iterator[tuple[str, Any, str | None]]:  # noqa: ANN401
    """Yield document, grade and rater of a case's query: document -> grade, or objects in older exports."""
    if isinstance(found, dict):
        for doc_id, grade in found.items():
            yield doc_id, grade, None
        return
    for where, rating in _objects(found or [], place):
        yield Row(where, rating).text("doc_id"), rating.get("rating"), rating.get("user_email")


def _read_rank_eval(text: str, name: str) -> Iterator[Rating]:
    """The body of a `_rank_eval` request; its searches are passed over."""
    requests = _load(text, name).get("requests")
    for place, request in _objects(requests, f"{name}, requests"):
        query = Row(place, request).text("id")
        for where, rating in _objects(request.get("ratings", []), f"{place}.ratings"):
            row = Row(where, rating)
            index = row.text("_index") if rating.get("_index") is not None else None
            yield Rating(query, row.text("_id"), rating.get("rating", ""), None, where, index)


_READERS: Final[dict[Format, Callable[[str, str], Iterator[Rating]]]] = {
    "csv": _read_csv,
    "jsonl": _read_jsonl,
    "trec": _read_trec,
    "quepid": _read_quepid,
    "rank_eval": _read_rank_eval,
}


def _rating(row: Row) -> Rating:
    rater = row.find("rater")
    grade = row.find(*GRADE)
    return Rating(
        row.text(*QUERY),
        row.text(*DOC_ID),
        "" if grade is None else grade,
        None if rater in (None, "") else str(rater),
        row.where,
    )


def _load(text: str, name: str) -> Json:
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{name}: not JSON: {error.msg}") from None
    if not isinstance(whole, dict):
        raise InputError(f"{name}: not a JSON object but {type(whole).__name__}")
    return whole


def _objects(found: Any, place: str) -> Iterator[tuple[str, Json]]:  # noqa: ANN401
    """Yield the objects of a list, each with its place; raises InputError where it is no such list."""
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise InputError(f"{place}: a list of objects is expected")
    for number, one in enumerate(found):
        yield f"{place}[{number}]", one
