"""Judgments: which document deserves which grade for which query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Format = Literal["csv", "jsonl", "trec", "quepid", "rank_eval"]
Merge = Literal["refuse", "median", "max", "majority"]
"""What becomes of grades in which raters differ."""

MAX_GRADE: Final = 20
"""The gain of a grade g is 2^g - 1; measures keep a table of that length."""


class Rating(NamedTuple):
    """What one line of a file says. grade: as it is written, None where there is none.

    rater: who graded, None where the file does not say. where: file and line, for messages.
    index_name: where the document is, None where the file does not say.
    """

    query: str
    doc_id: str
    grade: object
    rater: str | None
    where: str
    index_name: str | None = None


@dataclass(frozen=True)
class Judgments:
    """Grades by query id and document, in the order of the files.

    merged: rows left out because they say the same again. unrated: rows left out because they have no
    grade. raters: how many people, or files, graded. agreement: Krippendorff's ordinal alpha, None where
    no document has two raters or all grades are equal. name: what messages and reports call them.
    indices: that the files say the documents are of, concrete ones or aliases; only bodies of
    `_rank_eval` do.
    """

    grades: Mapping[str, Mapping[str, int]]
    merged: int = 0
    raters: int = 1
    agreement: float | None = None
    name: str = "judgments"
    unrated: int = 0
    indices: tuple[str, ...] = ()

    @property
    def queries(self) -> list[str]:
        """The query ids in order."""
        return list(self.grades)

    @property
    def count(self) -> int:
        """How many documents are graded, over all queries."""
        return sum(map(len, self.grades.values()))

    @property
    def max_grade(self) -> int:
        """The best grade that was given; 0 without any."""
        return max((max(found.values()) for found in self.grades.values() if found), default=0)

    def positives(self, query: str) -> int:
        """Count the documents of a query with a grade above 0."""
        return sum(grade > 0 for grade in self.grades[query].values())
