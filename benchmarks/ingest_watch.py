"""Which stages of an ingest run at the same time, and which one the others wait for."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kokeshi.metrics import IngestMetrics, Stage
from kokeshi.types import Json

Span = tuple[float, float]
"""Seconds from the beginning."""

STAGES: Sequence[Stage] = ("encode", "serialise", "send")
RESOLUTION_S = 0.001


class Watch(IngestMetrics):
    """Notes when batches were encoded, requests under way, and queues filled."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self.encoding: list[Span] = []
        self.sending: list[Span] = []
        self.depths: list[tuple[float, Stage, int]] = []

    def observe_encode(self, seconds: float) -> None:
        """A batch was encoded just now."""
        self.encoding.append((self._now - seconds, self._now))

    def observe_bulk(self, seconds: float, _: int) -> None:
        """A request was answered just now."""
        self.sending.append((self._now - seconds, self._now))

    def set_queue(self, stage: Stage, depth: int) -> None:
        """So many batches wait."""
        self.depths.append((self._now, stage, depth))

    @property
    def _now(self) -> float:
        return time.perf_counter() - self._begun


def describe(watch: Watch) -> Json:
    """Return shares of the time from the first batch that was encoded to the last answer.

    encoding, sending: when that was under way; both: at the same time. waiting: by stage, when something
    waited for it. bottleneck: the last stage that something waited for more than half of the time, as
    queues behind the slowest stage are empty and those before it full; `read` where there is none.
    """
    begun, end = watch.encoding[0][0], max(span[1] for span in watch.sending)
    encoding, sending = (_mask(spans, begun, end) for spans in (watch.encoding, watch.sending))
    waiting = {stage: _share(_mask(_filled(watch, stage, end), begun, end)) for stage in STAGES}
    slow = [stage for stage, share in waiting.items() if share > 0.5]
    return {
        "encoding": _share(encoding),
        "sending": _share(sending),
        "both": _share(encoding & sending),
        "waiting": waiting,
        "bottleneck": slow[-1] if slow else "read",
    }


def _filled(watch: Watch, stage: Stage, end: float) -> list[Span]:
    """Return when something waited for a stage."""
    changes = [(at, depth) for at, name, depth in watch.depths if name == stage]
    later = [at for at, _ in changes[1:]] + [end]
    return [(at, to) for (at, depth), to in zip(changes, later, strict=False) if depth]


def _mask(spans: Sequence[Span], begun: float, end: float) -> npt.NDArray[np.bool_]:
    mask = np.zeros(max(1, round((end - begun) / RESOLUTION_S)), np.bool_)
    for start, stop in spans:
        first, last = (max(0, round((at - begun) / RESOLUTION_S)) for at in (start, stop))
        mask[first:last] = True
    return mask


def _share(mask: npt.NDArray[np.bool_]) -> float:
    return round(float(mask.mean()), 3)
