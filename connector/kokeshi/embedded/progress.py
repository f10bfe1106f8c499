"""What the embedded engine reports while it works, for a progress bar or a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One event: what is going on, and how far it is.

    stage: a short text, e.g. "Downloading OpenSearch 3.6.0".
    done, total: files, steps or megabytes, as the stage says; total is 0 where the length is not known.
    """

    stage: str
    done: int = 0
    total: int = 0


OnProgress = Callable[[Progress], None]


def ignore_progress(event: Progress) -> None:
    """Report nothing."""
