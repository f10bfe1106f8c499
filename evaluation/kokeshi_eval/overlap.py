"""How alike two rankings are, whatever the judgments say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest


def rbo(a: Sequence[str], b: Sequence[str], p: float = 0.9) -> float:
    """Return the extrapolated rank-biased overlap, from 0 (nothing shared) to 1 (identical).

    RBO_ext for lists of unlike length: Webber, Moffat and Zobel, "A similarity measure for
    indefinite rankings", TOIS 2010, equation 32. With X_d the overlap of the first d of both, s and l
    the lengths of the shorter and the longer:

        (1-p)/p * (sum over d <= l of X_d/d * p^d  +  sum over s < d <= l of X_s (d-s)/(s d) * p^d)
        + ((X_l - X_s)/l + X_s/s) * p^l

    a, b: best first, none twice. p: the persistence, above 0 and below 1; the smaller, the more the
    top counts. Two empty lists are identical; an empty one shares nothing with another.

    >>> rbo(["a", "b"], ["a", "b"])
    1.0
    """
    shorter, longer = sorted((a, b), key=len)
    s, l = len(shorter), len(longer)  # noqa: E741 (the paper's names)
    if not s:
        return 0.0 if l else 1.0
    overlaps = _overlaps(shorter, longer)
    x_s, x_l = overlaps[s - 1], overlaps[-1]
    agreed = sum(x / d * p**d for d, x in enumerate(overlaps, start=1))
    assumed = sum(x_s * (d - s) / (s * d) * p**d for d in range(s + 1, l + 1))
    return (1 - p) / p * (agreed + assumed) + ((x_l - x_s) / l + x_s / s) * p**l


def same_top(a: Sequence[str], b: Sequence[str], k: int) -> bool:
    """Return whether the first k are the same in the same order."""
    return tuple(a[:k]) == tuple(b[:k])


def kept(before: Sequence[str], after: Sequence[str], k: int) -> float | None:
    """Return the share of the first k after that were among the first k before; None without hits.

    >>> kept(["a", "b", "c"], ["b", "x"], 3)
    0.5
    """
    old, new = set(before[:k]), after[:k]
    return sum(doc_id in old for doc_id in new) / len(new) if new else None


def _overlaps(shorter: Sequence[str], longer: Sequence[str]) -> list[int]:
    """X_d for d from 1 to the length of the longer list: how many of the first d are in both."""
    seen: set[str] = set()
    found, overlaps = 0, []
    for short, long in zip_longest(shorter, longer):
        for doc_id in {short, long} - {None}:
            found += doc_id in seen or short == long
            seen.add(doc_id)
        overlaps.append(found)
    return overlaps
