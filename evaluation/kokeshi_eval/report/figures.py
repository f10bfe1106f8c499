"""Figures as text for people. Files for machines have them unrounded."""

from __future__ import annotations

from typing import Final

NONE: Final = "–"
"""For a figure that does not exist."""

SMALLEST_P: Final = 0.0001


def number(value: float | None, digits: int = 4) -> str:
    """Return a figure with so many decimals.

    >>> number(0.85547), number(None)
    ('0.8555', '–')
    """
    return NONE if value is None else _minus(f"{value:.{digits}f}")


def signed(value: float | None, digits: int = 4) -> str:
    """Return a difference with its sign; without one where it rounds to nothing.

    >>> signed(0.0845), signed(-0.00001)
    ('+0.0845', '0.0000')
    """
    return NONE if value is None else _minus(f"{value:+.{digits}f}")


def interval(low: float | None, high: float | None) -> str:
    """Return both ends of an interval of a difference.

    >>> interval(0.01, 0.02)
    '+0.0100 to +0.0200'
    """
    return NONE if low is None or high is None else f"{signed(low)} to {signed(high)}"


def p_value(p: float | None) -> str:
    """Return a p value with four decimals; one that rounds to 0 as a bound.

    >>> p_value(0.00001), p_value(0.0031)
    ('< 0.0001', '0.0031')
    """
    if p is None:
        return NONE
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"{p:.4f}"


def percent(share: float | None) -> str:
    """Return a share of 1 as whole percent.

    >>> percent(0.7862)
    '79%'
    """
    return NONE if share is None else f"{share:.0%}"


def count(items: int, noun: str, nouns: str | None = None) -> str:
    """Return how many of what.

    >>> count(1, "query", "queries"), count(2, "warning")
    ('1 query', '2 warnings')
    """
    return f"{items:,} {noun if items == 1 else nouns or noun + 's'}"


def names(labels: list[str]) -> str:
    """Return a list as a sentence has it.

    >>> names(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, [", ".join(labels[:-1]), *labels[-1:]]))


def _minus(text: str) -> str:
    if float(text) == 0:
        return text.lstrip("+-")
    return text.replace("-", "−")
