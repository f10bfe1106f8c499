"""Pseudo judgments: the ranking before a change, taken as if it were the truth."""

from __future__ import annotations

from collections.abc import Sequence


def pseudo_grades(ids: Sequence[str], k: int) -> dict[str, int]:
    """Grade the first k documents of a ranking by their rank.

    The grade is the bit length of k less that of the rank, plus 1: for k = 20 it is 5 for rank 1,
    4 for 2 to 3, 3 for 4 to 7, 2 for 8 to 15, 1 for 16 to 20. Under the gain 2^grade - 1 the gain
    halves whenever the rank doubles, about 1 / rank: what leaves the top weighs more than what
    leaves the end, and the same documents in another order are a change too.

    >>> pseudo_grades(["a", "b", "c", "d"], 3)
    {'a': 2, 'b': 1, 'c': 1}
    """
    top = k.bit_length() + 1
    return {doc_id: top - rank.bit_length() for rank, doc_id in enumerate(ids[:k], start=1)}
