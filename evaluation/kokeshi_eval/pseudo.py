"""Pseudo judgments: the ranking before a change, taken as if it were the truth."""

from __future__ import annotations

from collections.abc import Sequence


def pseudo_grades(ids: Sequence[str], k: int) -> dict[str, int]:
    """Grade the first k documents of a ranking 1, and no other.

    The nDCG@k of another ranking is then 1 where it keeps all of them, in whatever order, and falls
    the more of them leave, those at the top of the new ranking counting most. A mere change of
    order shows in `Impact.identical`.

    >>> pseudo_grades(["a", "b", "c"], 2)
    {'a': 1, 'b': 1}
    """
    return dict.fromkeys(ids[:k], 1)
