"""Judgments (qrels): which document deserves which grade for which query, read from CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kokeshi.errors import InputError

COLUMNS = ("query", "doc_id", "grade")
MAX_GRADE = 20
"""The gain of a grade g is 2^g - 1; measures keep a table of that length."""

_WHOLE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Judgments:
    """Grades by query and document, in the order of the file. merged: identical rows left out."""

    grades: Mapping[str, Mapping[str, int]]
    merged: int = 0

    @property
    def queries(self) -> list[str]:
        """The queries in order."""
        return list(self.grades)

    @property
    def count(self) -> int:
        """How many documents are graded, over all queries."""
        return sum(map(len, self.grades.values()))

    def positives(self, query: str) -> int:
        """Count the documents of a query with a grade above 0."""
        return sum(grade > 0 for grade in self.grades[query].values())


def load_judgments(path: str | Path) -> Judgments:
    """Read a CSV file with the columns query, doc_id, grade; see `parse_judgments`."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise InputError(f"{path}: {reason} (judgments)") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error.reason} (judgments)") from None
    return parse_judgments(text, str(path))


def parse_judgments(text: str, name: str = "judgments") -> Judgments:
    r"""Parse CSV text with a header that names query, doc_id and grade, in any order.

    Other columns are passed over. A row that says the same twice is merged and counted. name: what
    messages call the text. Raises InputError, with the line, where a column is missing, a grade is
    no whole number from 0 to 20, or one document has two grades for one query.

    >>> parse_judgments("query,doc_id,grade\nred shoe,7,3\n").grades
    {'red shoe': {'7': 3}}
    """
    grades: dict[str, dict[str, int]] = {}
    lines: dict[tuple[str, str], int] = {}
    merged = 0
    for line, query, doc_id, grade in _rows(text, name):
        found = grades.setdefault(query, {})
        if found.setdefault(doc_id, grade) != grade:
            raise InputError(
                f"{name}, line {line}: document '{doc_id}' has grade {grade} for '{query}', but "
                f"{found[doc_id]} on line {lines[query, doc_id]}; keep one grade for each pair"
            )
        merged += (query, doc_id) in lines
        lines.setdefault((query, doc_id), line)
    if not grades:
        raise InputError(f"{name}: no judgments; give rows of {', '.join(COLUMNS)}")
    return Judgments(grades, merged)


def _rows(text: str, name: str) -> Iterator[tuple[int, str, str, int]]:
    """Yield line, query, document and grade; the line is the row's last where quotes span several."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    order: list[int] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{name}, line {reader.line_num}"
            if not order:
                order = _find_columns(cells, where)
                continue
            yield reader.line_num, *_parse_row(cells, order, where)
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: not CSV: {error}") from None


def _find_columns(header: list[str], where: str) -> list[int]:
    names = [cell.strip().lower() for cell in header]
    if missing := [column for column in COLUMNS if column not in names]:
        raise InputError(
            f"{where}: the header lacks {', '.join(missing)}; it names {', '.join(names)[:200]}"
        )
    return [names.index(column) for column in COLUMNS]


def _parse_row(cells: list[str], order: list[int], where: str) -> tuple[str, str, int]:
    if len(cells) <= max(order):
        raise InputError(f"{where}: {len(cells)} cells, the header names more; quote commas")
    query, doc_id, grade = (cells[column].strip() for column in order)
    if not query or not doc_id:
        raise InputError(f"{where}: the {'doc_id' if query else 'query'} is empty")
    if not _WHOLE.fullmatch(grade) or int(grade) > MAX_GRADE:
        raise InputError(f"{where}: grade '{grade}' is not a whole number from 0 to {MAX_GRADE}")
    return query, doc_id, int(grade)
