"""What searches have taught of an index: how much each filter leaves, and on how many shards it lies."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import orjson

from kokeshi.filters import Filter, build_query
from kokeshi.plans import Known

MOST = 1_000
"""Filters remembered; the least recently used is forgotten first."""

FRESH_S = 300.0
"""Seconds that a count holds. A stale one costs time, never hits: see `kokeshi.plans.adapt`."""


class Knowledge:
    """The counts of the last filters; threads can share it. clock: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: OrderedDict[bytes, tuple[float, int]] = OrderedDict()
        self._shards = self._indices = 1

    def find(self, filter_: Filter | None) -> Known | None:
        """Return what is known of a filter; None where nothing recent is."""
        with self._lock:
            documents, kept = self._fresh(b""), self._fresh(_key(filter_))
            if documents is None or kept is None:
                return None
            return Known(documents, min(kept, documents), self._shards, self._indices)

    def learn(self, filter_: Filter | None, count: int, shards: int, indices: int = 1) -> None:
        """Remember what a filter leaves, and on how many shards of how many indices all lies."""
        key = _key(filter_)
        with self._lock:
            self._counts[key] = (self._clock(), count)
            self._counts.move_to_end(key)
            self._shards, self._indices = max(shards, 1), indices
            if len(self._counts) > MOST:
                self._counts.popitem(last=False)

    def forget(self) -> None:
        """Know nothing any more: the name stands for another index now."""
        with self._lock:
            self._counts.clear()

    def _fresh(self, key: bytes) -> int | None:
        learnt, count = self._counts.get(key, (float("-inf"), 0))
        if self._clock() - learnt > FRESH_S:
            return None
        self._counts.move_to_end(key)
        return count


def _key(filter_: Filter | None) -> bytes:
    return b"" if filter_ is None else orjson.dumps(build_query(filter_))
