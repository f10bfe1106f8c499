"""Time contenders in turn: every query goes to all of them before the next is asked."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import numpy as np

from benchmarks.asking import Ask
from benchmarks.cells import Cell

TARGET = 0.99
"""The recall@10 that a contender must keep."""

SLACK = 0.01
"""A sweep asks few queries: a setting so little below the target may keep it with all of them."""


S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True)
class Timing:
    """Of one contender in one cell. seconds, recalls: for each query."""

    seconds: Sequence[float]
    recalls: Sequence[float]

    @property
    def p50_ms(self) -> float:
        """The median latency."""
        return median(self.seconds) * 1000

    @property
    def p95_ms(self) -> float:
        """The latency that one query in twenty exceeds."""
        return float(np.percentile(self.seconds, 95)) * 1000

    @property
    def recall(self) -> float:
        """The mean recall@10."""
        return sum(self.recalls) / len(self.recalls)


def measure(cell: Cell, asks: Mapping[S, Ask], queries: Sequence[int]) -> dict[S, Timing]:
    """Time each of `asks` with the queries of these numbers; who begins changes with each."""
    seconds: dict[S, list[float]] = {name: [] for name in asks}
    recalls: dict[S, list[float]] = {name: [] for name in asks}
    names = list(asks)
    with _without_collection():
        for number in queries:
            first = number % len(names)
            for name in names[first:] + names[:first]:
                started = time.perf_counter()
                ids = asks[name](number)
                seconds[name].append(time.perf_counter() - started)
                recalls[name].append(cell.recall(number, ids))
    return {name: Timing(seconds[name], recalls[name]) for name in names}


def fastest_setting(cell: Cell, swept: Mapping[S, Timing], prepare: Callable[[S], Ask]) -> S | None:
    """Return the fastest setting that keeps the target with all queries; None where none does.

    swept: what a sweep of a few queries measured, by setting. The check warms caches too.
    """
    hopeful = [setting for setting, timing in swept.items() if timing.recall >= TARGET - SLACK]
    hopeful.sort(key=lambda setting: swept[setting].p50_ms)
    for setting in hopeful:
        asks = {setting: prepare(setting)}
        if measure(cell, asks, range(len(cell.queries)))[setting].recall >= TARGET:
            return setting
    return None


def throughput(ask: Ask, queries: int, clients: int) -> float:
    """Return queries a second, with so many threads that each ask the next query when one is answered."""
    with ThreadPoolExecutor(clients) as pool, _without_collection():
        list(pool.map(ask, range(clients)))  # opens each thread's connection
        started = time.perf_counter()
        list(pool.map(ask, range(queries)))
        return queries / (time.perf_counter() - started)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Collect garbage before, not while, time is taken."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
