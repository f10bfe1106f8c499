"""What waits to be sent, handed to connections one request at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from kokeshi.ingest.actions import Action
from kokeshi.ingest.pace import Pace
from kokeshi.ingest.queues import ByteQueue, Stopped


class Outbox:
    """Any connection takes what comes next, so none is idle while there is something to send.

    Of one id nothing is taken while an earlier document of it is under way: the last one stays.

    shares: actions in the order of their source.
    """

    def __init__(self, shares: ByteQueue[list[Action]]) -> None:
        self._queue = shares
        self._shares = iter(shares)
        self._waiting: list[Action] = []
        self._size = 0
        self._taking = threading.Lock()
        self._under_way: set[str] = set()
        self._released = threading.Condition()
        self._stopped = False

    def take(self, pace: Pace) -> list[Action]:
        """Return actions that fill a request, or what there is while the engine has nothing to do.

        Each is under way until `release`. At the end there are none. Raises Stopped after `stop`.
        """
        with self._taking:
            self._fill(pace)
            candidates = pace.cut(self._waiting)
            batch, held = self._claim(candidates)
            self._waiting = held + self._waiting[len(candidates) :]
            self._size -= sum(len(one.body) for one in batch)
            return batch

    def release(self, batch: Iterable[Action]) -> None:
        """What was taken has its answers."""
        with self._released:
            self._under_way.difference_update([one.id for one in batch])
            self._released.notify_all()

    def stop(self) -> None:
        """Let those that wait for a release raise Stopped."""
        with self._released:
            self._stopped = True
            self._released.notify_all()

    def _fill(self, pace: Pace) -> None:
        while pace.fits(self._size, len(self._waiting)):
            if self._waiting and not self._under_way and not len(self._queue):
                return
            share = next(self._shares, None)
            if share is None:
                return
            self._waiting += share
            self._size += sum(len(one.body) for one in share)

    def _claim(self, candidates: list[Action]) -> tuple[list[Action], list[Action]]:
        """Return those of which no id is under way, waiting until there is one, and the others."""
        with self._released:
            while not self._stopped:
                held = [one for one in candidates if one.id in self._under_way]
                if len(held) < len(candidates) or not candidates:
                    free = [one for one in candidates if one.id not in self._under_way]
                    self._under_way.update([one.id for one in free])
                    return free, held
                self._released.wait()
        raise Stopped
