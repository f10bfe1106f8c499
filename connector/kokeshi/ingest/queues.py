"""A queue between two threads, bounded by bytes and by number, that either side can close."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 (a signal between threads, no error)
    """The queue was stopped by the other side: the work is not wanted any more."""


class ByteQueue(Generic[T]):
    """Holds `max_items` of at most `max_bytes` together, or a single larger one.

    on_change: called after an item came or went, by the thread that put or took it.
    """

    def __init__(
        self, max_bytes: int, max_items: int = 1 << 30, on_change: Callable[[], None] = lambda: None
    ) -> None:
        self.max_bytes = max_bytes
        self.max_items = max_items
        self._on_change = on_change
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._ended = self._stopped = False
        self._changed = threading.Condition()

    def put(self, item: T, size: int) -> None:
        """Add an item, waiting for room. size: in bytes. Raises Stopped after `stop`."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._has_room(size))
            if self._stopped:
                raise Stopped
            self._items.append((item, size))
            self._bytes += size
            self._changed.notify_all()
        self._on_change()

    def __len__(self) -> int:
        return len(self._items)

    def _has_room(self, size: int) -> bool:
        fits = len(self._items) < self.max_items and self._bytes + size <= self.max_bytes
        return not self._items or fits

    def end(self) -> None:
        """Say that nothing more will be added."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Drop what waits, and let both sides raise Stopped."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Yield items as they come, until `end`. Raises Stopped after `stop`."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._ended or bool(self._items))
                if self._stopped:
                    raise Stopped
                if not self._items:
                    return
                item, size = self._items.popleft()
                self._bytes -= size
                self._changed.notify_all()
            self._on_change()
            yield item
