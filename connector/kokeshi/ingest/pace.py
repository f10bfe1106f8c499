"""How large a bulk request may be, learnt from the engine's answers. No I/O: the clock is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import accumulate, takewhile
from typing import Final

from kokeshi.ingest.actions import Action

BATCH_BYTES: Final = 4 * 1024 * 1024
"""Largest bulk body; engines accept 100 MB, but smaller ones overlap better and hold less memory."""

BATCH_DOCUMENTS: Final = 4_000
"""Most documents of one bulk request: small ones cost the engine by their number, not by their bytes."""

SLOW_S: Final = 15.0
"""An answer that takes longer asks for smaller requests: it comes near to the time limit of a call."""

LEAST_SHARE: Final = 1 / 64
GROWTH: Final = 1 / 16


class Pace:
    """The size of the next request of one connection.

    It halves when the engine is busy (429, 5xx, no answer) or slow, and grows back by a sixteenth of
    the full size with each good answer (additive increase, multiplicative decrease; Chiu and Jain
    1989). A 413 lowers the full size for good.

    clock: seconds; one that jumps costs at most a request of half the size.
    """

    def __init__(
        self,
        max_bytes: int = BATCH_BYTES,
        max_documents: int = BATCH_DOCUMENTS,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_documents = max_documents
        self._share = 1.0
        self._clock = clock
        self._begun = clock()

    @property
    def bytes(self) -> int:
        """The most bytes of the next request; a document larger than that goes alone."""
        return max(1, int(self._max_bytes * self._share))

    @property
    def documents(self) -> int:
        """The most documents of the next request."""
        return max(1, int(self._max_documents * self._share))

    def begin(self) -> None:
        """A request is being sent."""
        self._begun = self._clock()

    def end(self, *, busy: bool) -> None:
        """Its answer has come, or none. busy: whether a part of it must be sent again."""
        if busy or self._clock() - self._begun > SLOW_S:
            self._share = max(LEAST_SHARE, self._share / 2)
        else:
            self._share = min(1.0, self._share + GROWTH)

    def refuse(self, size: int) -> None:
        """The engine takes no request of so many bytes (413)."""
        self._max_bytes = max(1, min(self._max_bytes, size // 2))

    def fits(self, size: int, documents: int) -> bool:
        """Whether so much may go in one request."""
        return size <= self.bytes and documents <= self.documents

    def cut(self, actions: Sequence[Action]) -> list[Action]:
        """Return the first actions that go in one request, one at least."""
        sizes = accumulate(len(action.body) for action in actions)
        fitting = sum(1 for _ in takewhile(self.bytes.__ge__, sizes))
        return list(actions[: max(1, min(fitting, self.documents))])
