"""Follow a stream of changes: read a batch, apply it, commit, until told to stop or its end is reached."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

import orjson

from kokeshi.changes.applying import Applier
from kokeshi.changes.model import ChangeReport
from kokeshi.ingest.actions import Failure
from kokeshi.ingest.failures import SUFFIX, FailureLog, read_entries
from kokeshi.ingest.ids import IdSet
from kokeshi.ingest.pipeline import Pacing
from kokeshi.ingest.queues import Stopped
from kokeshi.ingest.session import Target
from kokeshi.kafka.messages import Versions, read_message
from kokeshi.kafka.topics import Batch
from kokeshi.types import Json

AT_ONCE: Final = 4_096
"""Dead letters whose places are read at once."""

LOGGER: Final = logging.getLogger("kokeshi.ingest")


class Topic(Protocol):
    """A stream of messages in partitions, whose places are committed; `KafkaTopic` is one."""

    name: str

    def poll(self) -> Batch:
        """Return the next messages, none after a while."""

    def commit(self, batch: Batch) -> None:
        """A batch is settled."""

    def finish(self) -> None:
        """Wait until everything settled is committed."""

    def find_ends(self) -> dict[int, int]:
        """Return the offset behind each partition that has messages."""

    def has_reached(self, ends: Mapping[int, int], batch: Batch) -> bool:
        """Whether everything before offsets is settled."""

    def lag(self) -> dict[int, int]:
        """Return how many messages each partition is behind."""


@dataclass(frozen=True)
class FollowReport:
    """What became of the messages of a topic. lag: messages that were behind at the end."""

    changes: ChangeReport
    lag: int

    def to_json(self) -> Json:
        """Return what `--json` prints."""
        return self.changes.to_json() | {"lag": self.lag}


class TopicFailures(FailureLog):
    """The dead letters of a topic, of all runs: a place that is read again is not written again.

    row is the partition, line the offset; the reason names both.
    """

    def __init__(self, topic: str) -> None:
        path = Path(topic + SUFFIX)
        self._topic = topic
        self._places = IdSet()
        if path.exists():
            places = _read_places(path)
            while some := list(islice(places, AT_ONCE)):
                self._places.add(some)
        super().__init__(path, keep=sys.maxsize, kind="change")
        self.first = None  # of this run

    def write(self, failure: Failure) -> None:
        """Add one failure, unless it is there."""
        place = _place(failure.row, failure.line, failure.document)
        if not self._places.add([place]):
            where = f"topic '{self._topic}', partition {failure.row}, offset {failure.line}"
            reason = f"{where}: {failure.reason}"
            first = self.first or reason
            super().write(replace(failure, reason=reason))
            self.first = first


def _place(row: int | None, line: int, document: object) -> str:
    """Return partition, offset, and a digest: a topic made anew has other messages at the same offsets."""
    return f"{row} {line} {sha256(orjson.dumps(document, default=repr)).hexdigest()}"


def _read_places(path: Path) -> Iterator[str]:
    for entry in read_entries(path, "change"):
        if entry["change"] is not None:
            yield _place(entry["row"], entry["line"], entry["change"])


def follow_topic(
    target: Target,
    topic: Topic,
    failures: FailureLog,
    *,
    versions: Versions = "message",
    until_end: bool = False,
    stop: threading.Event | None = None,
    pacing: Pacing | None = None,
    on_progress: Callable[[FollowReport], None] = lambda _: None,
) -> FollowReport:
    """Apply the messages of a topic as they come; each is committed after it is settled, or comes again.

    until_end: end where the topic ended at the start. stop: end after the batch under way, or where that
    waits for an engine that is away, without it. on_progress: is called after each batch.

    Raises EngineError where the engine still refuses, or is away, at the last try: what was not settled
    is not committed.
    """
    started, stop = time.monotonic(), stop or threading.Event()
    total = ChangeReport()
    ends = topic.find_ends() if until_end else None
    batch = Batch()
    target.create(False)
    LOGGER.info("topic '%s' is followed into '%s'", topic.name, target.spec.index)
    with Applier(target, failures, pacing=pacing, stopped=stop) as applier:
        while not stop.is_set() and not (ends is not None and topic.has_reached(ends, batch)):
            batch = topic.poll()
            try:
                total += _apply(target, applier, failures, batch, versions)
            except Stopped:
                LOGGER.warning("the batch under way was not settled; it will come again")
                break
            topic.commit(batch)
            on_progress(FollowReport(total, _show_lag(target, topic)))
        topic.finish()
        if total.changed and not stop.is_set():
            target.engine.refresh(target.spec.index)
    report = FollowReport(
        replace(total, seconds=time.monotonic() - started), sum(topic.lag().values())
    )
    LOGGER.info("topic '%s' is left", topic.name, extra=report.to_json())
    return report


def _apply(
    target: Target, applier: Applier, failures: FailureLog, batch: Batch, versions: Versions
) -> ChangeReport:
    if not batch.messages:
        return ChangeReport()
    report = applier.apply([read_message(one, target.spec, versions) for one in batch.messages])
    failures.sync()  # before the offsets are committed
    return report


def _show_lag(target: Target, topic: Topic) -> int:
    found = topic.lag()
    for partition, messages in found.items():
        target.metrics.set_lag(partition, messages)
    return sum(found.values())
