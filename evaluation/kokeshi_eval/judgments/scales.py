"""Scales of grades: what counts as a grade, another scale mapped to it, and scales that do not fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from kokeshi.errors import InputError
from kokeshi_eval.judgments.model import MAX_GRADE, Rating

Scale = Mapping[str, int]
"""A grade as a file writes it -> the grade it becomes."""

_WHOLE: Final = re.compile(r"([0-9]{1,9})(?:\.0{1,9})?")


def parse_scale(text: str) -> Scale:
    """Return a scale from text such as `0=0,1=3` or `bad=0,good=2,perfect=3`.

    Raises InputError where a part is no such pair, or its grade none from 0 to 20.
    """
    scale: dict[str, int] = {}
    for part in text.split(","):
        written, equals, grade = (piece.strip() for piece in part.partition("="))
        if not written or not equals or written in scale:
            raise InputError(f"scale '{part}': give each grade once, as in 0=0,1=3 (--scale)")
        scale[written] = _whole(grade, f"scale '{part}'")
    return scale


def read_grade(rating: Rating, scale: Scale | None = None, max_grade: int = MAX_GRADE) -> int:
    """Return the grade of a rating, mapped where there is a scale.

    Raises InputError where it is no whole number from 0 to max_grade: engines would cut it to one.
    """
    if scale is None:
        return _whole(rating.grade, rating.where, max_grade)
    written = _text(rating.grade)
    if written not in scale:
        known = ",".join(f"{name}={grade}" for name, grade in scale.items())
        raise InputError(f"{rating.where}: grade '{written}' is not in the scale {known} (--scale)")
    return scale[written]


def check_same_scale(tops: Mapping[str, int]) -> None:
    """Raise InputError where files have other best grades: their scales may differ.

    tops: file -> its best grade.
    """
    if len(set(tops.values())) < 2:
        return
    known = "; ".join(f"{name}: 0 to {top}" for name, top in _extremes(tops))
    raise InputError(
        f"mixed grade scales ({known}): if they share one, say so with --max-grade "
        f"{max(tops.values())}, else map each file to it first, "
        "such as with kokeshi eval judgments convert --scale 0=0,1=3"
    )


def _extremes(tops: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    ordered = sorted(tops.items(), key=lambda item: item[1])
    return ordered[0], ordered[-1]


def _whole(grade: object, where: str, max_grade: int = MAX_GRADE) -> int:
    found = _WHOLE.fullmatch(_text(grade))
    if not found or int(found[1]) > max_grade:
        raise InputError(f"{where}: grade '{grade}' is not a whole number from 0 to {max_grade}")
    return int(found[1])


def _text(grade: object) -> str:
    """Return a grade as a file may write it: 3.0, as JSON exports have it, is 3."""
    if isinstance(grade, float) and grade.is_integer():
        return str(int(grade))
    return str(grade).strip()
