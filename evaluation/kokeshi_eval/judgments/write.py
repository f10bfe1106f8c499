"""Judgments written to a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import orjson

from kokeshi.errors import InputError
from kokeshi_eval.files import check_output, write_text
from kokeshi_eval.judgments.model import Format, Judgments
from kokeshi_eval.tables import suffix_of

_SUFFIXES: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".qrels": "trec",
    ".trec": "trec",
}


def write_judgments(
    judgments: Judgments,
    path: str | Path,
    format: Format | None = None,  # noqa: A002
    *,
    force: bool = False,
) -> None:
    """Write a file as a whole. format: by the suffix of its name where it is None.

    Raises InputError where the file exists, unless `force`; where the format cannot be written or
    hold the ids. A body of `_rank_eval` cannot: it needs searches, which judgments know nothing of.
    """
    check_output(path, force=force)
    write_text(path, build_text(judgments, format or _guess_format(path)), force=force)


def build_text(judgments: Judgments, format: Format) -> str:  # noqa: A002
    """Return the content of a file; see `write_judgments`."""
    build = _BUILDERS.get(format)
    if build is None:
        raise InputError(f"format '{format}' is read only; write one of {', '.join(_BUILDERS)}")
    return build(judgments)


def _guess_format(path: str | Path) -> Format:
    found = _SUFFIXES.get(suffix_of(path))
    if found is None:
        raise InputError(
            f"{path}: its format is not known by its name; accepted are {', '.join(_SUFFIXES)}, "
            "or give --to"
        )
    return found


def _rows(judgments: Judgments) -> Iterator[tuple[str, str, int]]:
    for query, found in judgments.grades.items():
        for doc_id, grade in found.items():
            yield query, doc_id, grade


def _table(judgments: Judgments, *header: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(_rows(judgments))
    return text.getvalue()


def _build_csv(judgments: Judgments) -> str:
    return _table(judgments, "query", "doc_id", "grade")


def _build_quepid(judgments: Judgments) -> str:
    return _table(judgments, "query", "docid", "rating")


def _build_jsonl(judgments: Judgments) -> str:
    lines = [
        orjson.dumps({"query": query, "doc_id": doc_id, "grade": grade}) + b"\n"
        for query, doc_id, grade in _rows(judgments)
    ]
    return b"".join(lines).decode()


def _build_trec(judgments: Judgments) -> str:
    lines = []
    for query, doc_id, grade in _rows(judgments):
        for id_ in (query, doc_id):
            if len(id_.split()) != 1:
                raise InputError(f"id '{id_}': qrels part ids by spaces; write .csv or .jsonl")
        lines.append(f"{query} 0 {doc_id} {grade}\n")
    return "".join(lines)


_BUILDERS: Final[dict[Format, Callable[[Judgments], str]]] = {
    "csv": _build_csv,
    "jsonl": _build_jsonl,
    "trec": _build_trec,
    "quepid": _build_quepid,
}
