"""When a request is sent again: within its deadline, and when the server says."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

FIRST_WAIT_S = 0.5


@dataclass(frozen=True)
class Refusal:
    """Why a request failed. passing: it can succeed later, after retry_after_s where that is known."""

    reason: str
    remedy: str = ""
    passing: bool = False
    retry_after_s: float | None = None


class Tries:
    """The tries of one request: `retries` more than the first, all within `timeout_s`."""

    def __init__(self, timeout_s: float, retries: int) -> None:
        self._deadline = time.monotonic() + timeout_s
        self._allowed = retries + 1
        self._wait_s = FIRST_WAIT_S
        self.count = 1

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self._deadline - time.monotonic()

    def wait_after(self, refusal: Refusal) -> float | None:
        """Seconds until the next try, which this counts; None where there is none.

        Waits double, each cut by a random part so that clients do not come back together; the
        server's own wait is waited in full, or not at all where it ends after the deadline.
        """
        wait = self._wait_s * random.uniform(0.5, 1)  # noqa: S311 (no secret)
        wait = max(wait, refusal.retry_after_s or 0)
        if not refusal.passing or self.count == self._allowed or wait >= self.left_s:
            return None
        self.count += 1
        self._wait_s *= 2
        return wait
