"""Judgments from files: rows that say the same are merged, raters too where a rule is given."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from kokeshi.errors import InputError
from kokeshi_eval.files import open_text
from kokeshi_eval.judgments.formats import detect_format, read_ratings
from kokeshi_eval.judgments.model import MAX_GRADE, Format, Judgments, Merge, Rating
from kokeshi_eval.judgments.raters import MERGES, krippendorff_alpha
from kokeshi_eval.judgments.scales import Scale, check_same_scale, read_grade
from kokeshi_eval.tables import suffix_of


def load_judgments(
    *paths: str | Path,
    format: Format | Literal["auto"] = "auto",  # noqa: A002
    merge: Merge = "refuse",
    scale: Scale | None = None,
    max_grade: int | None = None,
) -> Judgments:
    """Read files of judgments, plain or .gz; each is a rater, unless it has a column `rater`.

    merge: what becomes of documents on which raters differ; see `kokeshi_eval.judgments.raters`. scale:
    maps the grades of all files. max_grade: the best grade of the scale that all files share; without
    it their best grades must be the same. Raises InputError, with the line, for everything that
    `parse_judgments` refuses, and for raters who differ where nothing says how to merge.
    """
    panel = Panel(several=len(paths) > 1)
    tops = {}
    for path in paths:
        with open_text(path) as stream:
            text = stream.read()
        kind = detect_format(text, str(path), suffix_of(path)) if format == "auto" else format
        tops[str(path)] = panel.add(
            read_ratings(text, str(path), kind), str(path), scale, max_grade
        )
    if max_grade is None:
        check_same_scale(tops)
    return panel.merge(merge, ", ".join(tops))


def parse_judgments(
    text: str,
    name: str = "judgments",
    format: Format = "csv",  # noqa: A002
    merge: Merge = "refuse",
) -> Judgments:
    r"""Parse judgments; CSV has a header that names query, doc_id and grade, in any order.

    A row that says the same twice is merged and counted. name: what messages call the text. Raises
    InputError, with the line, where a column is missing, a grade is no whole number from 0 to 20, or
    one rater gives one document two grades for one query.

    >>> parse_judgments("query,doc_id,grade\nred shoe,7,3\n").grades
    {'red shoe': {'7': 3}}
    """
    panel = Panel()
    panel.add(read_ratings(text, name, format), name)
    return panel.merge(merge, name)


class Panel:
    """What all raters say, collected before it is merged. several: each source is a rater."""

    def __init__(self, *, several: bool = False) -> None:
        self._several = several
        self._grades: dict[str, dict[str, dict[str, int]]] = {}
        self._places: dict[tuple[str, str, str], str] = {}
        self._merged = self._unrated = 0
        self._indices: dict[str, None] = {}

    def add(
        self,
        ratings: Iterable[Rating],
        source: str,
        scale: Scale | None = None,
        max_grade: int | None = None,
    ) -> int:
        """Add the ratings of a source and return its best grade."""
        top = count = 0
        for rating in ratings:
            if rating.grade is None:
                self._unrated += 1
                continue
            grade = read_grade(rating, scale, MAX_GRADE if max_grade is None else max_grade)
            self._add(rating, grade, rating.rater or (source if self._several else ""))
            top, count = max(top, grade), count + 1
            if rating.index_name is not None:
                self._indices[rating.index_name] = None
        if not count:
            raise InputError(f"{source}: no judgments; give rows of query, doc_id, grade")
        return top

    def merge(self, rule: Merge, name: str) -> Judgments:
        """Return one grade for each document; raises InputError where raters differ and must not."""
        if rule == "refuse":
            self._refuse(name)
        choose = MERGES.get(rule, max)  # where nobody differs, any
        return Judgments(
            {
                query: {doc_id: choose([*grades.values()]) for doc_id, grades in found.items()}
                for query, found in self._grades.items()
            },
            merged=self._merged,
            raters=len({rater for _, _, rater in self._places}),
            agreement=krippendorff_alpha(
                [*grades.values()] for found in self._grades.values() for grades in found.values()
            ),
            name=name,
            unrated=self._unrated,
            indices=tuple(self._indices),
        )

    def _add(self, rating: Rating, grade: int, rater: str) -> None:
        grades = self._grades.setdefault(rating.query, {}).setdefault(rating.doc_id, {})
        key = (rating.query, rating.doc_id, rater)
        if rater not in grades:
            grades[rater] = grade
            self._places[key] = rating.where
        elif grades[rater] == grade:
            self._merged += 1
        else:
            raise InputError(
                f"{rating.where}: document '{rating.doc_id}' has grade {grade} for "
                f"'{rating.query}', but {grades[rater]} in {self._places[key]}; keep one grade for "
                "each pair, or name who graded in a column 'rater'"
            )

    def _refuse(self, name: str) -> None:
        differ = [
            (query, doc_id, grades)
            for query, found in self._grades.items()
            for doc_id, grades in found.items()
            if len({*grades.values()}) > 1
        ]
        if not differ:
            return
        query, doc_id, grades = differ[0]
        given = ", ".join(
            f"{grade} by {rater or 'nobody named'}" for rater, grade in grades.items()
        )
        raise InputError(
            f"{name}: raters differ on {len(differ):,} documents, such as '{doc_id}' for '{query}' "
            f"({given}); choose --merge median, max or majority"
        )
