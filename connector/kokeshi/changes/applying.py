"""Apply changes to an index, in their order: an old one never overwrites a new one.

Of one id each batch sends one action: what its changes come to. So the ids of a batch can go in any order,
over several connections, and what is sent again cannot pass what came later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import zip_longest
from typing import Final, TypeVar

from kokeshi.changes.fates import Books, Group, Taken
from kokeshi.changes.folding import Shape, Step, fold, fold_read
from kokeshi.changes.making import ChangeMaker
from kokeshi.changes.model import Change, ChangeReport
from kokeshi.engines import Call, calls
from kokeshi.errors import EngineError
from kokeshi.ingest.actions import Action, Failure, Outcome, weigh
from kokeshi.ingest.failures import FailureLog
from kokeshi.ingest.pace import Pace
from kokeshi.ingest.pipeline import IngestProgress, Pacing
from kokeshi.ingest.queues import Stopped
from kokeshi.ingest.sending import BUSY_TRIES, send_actions, wait_s
from kokeshi.ingest.session import Target

T = TypeVar("T")

SEVERAL: Final = 200
"""Actions that are worth several connections."""

BATCH_CHANGES: Final = 4_000
"""Changes that are applied at once; several of one id among them cost no more than one."""

BATCH_BYTES: Final = 16 * 1024 * 1024
"""Memory of the changes that are applied at once; fewer where they are large."""

PART: Final = 256
"""Documents that are read, or encoded, at once: with their vectors they are large."""

TRIES: Final = 5
"""To change a document that somebody else changes at the same time."""


class Applier:
    """Applies batches of changes to one index; see `apply`. Use as a context manager, or call `close`.

    Made once, it is cheap to call for each batch of a stream. target: as `Index` makes it, the index is
    there. failures: where changes go that cannot be applied, of the kind "change"; `sync` is the caller's.
    stopped: once it is set, `apply` raises Stopped where it would wait for an engine that is busy or away.
    """

    def __init__(
        self,
        target: Target,
        failures: FailureLog,
        *,
        pacing: Pacing | None = None,
        stopped: threading.Event | None = None,
    ) -> None:
        self._target = target
        self._failures = failures
        self._shape = Shape(target.spec, target.encoders)
        base64 = target.engine.capabilities.base64_vectors
        self._maker = ChangeMaker(target.spec, target.encoders, target.codebooks, base64=base64)
        pacing = pacing or Pacing()
        self._paces = [
            Pace(pacing.batch_bytes, clock=pacing.clock) for _ in range(pacing.connections)
        ]
        self._threads = ThreadPoolExecutor(pacing.connections, "kokeshi-apply")
        self._stopped = stopped or threading.Event()

    def __enter__(self) -> Applier:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads; what they wait for is not sent again."""
        self._stopped.set()
        self._threads.shutdown()

    def apply(
        self,
        changes: Iterable[Change | Failure],
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
    ) -> ChangeReport:
        """Apply changes in order; when it returns, each is in the index, stale, missing, or a dead letter.

        on_progress: is called after each batch.
        Changes of one id must come through one process at a time. Nothing is refreshed. Raises
        EngineError where the engine still refuses, or is away, at the last try: the same changes again
        complete it.
        """
        started = time.monotonic()
        total = ChangeReport()
        for batch in _batches(changes):
            total += self._apply(batch)
            on_progress(IngestProgress(total.read, total.changed, total.failed))
        return replace(
            total,
            seconds=time.monotonic() - started,
            failures_file=str(self._failures.path) if self._failures.count else None,
            first_failure=self._failures.first,
        )

    def _apply(self, batch: Sequence[Change | Failure]) -> ChangeReport:
        books, before = Books(self._failures), self._maker.count_texts()
        groups: dict[str, list[Change]] = {}
        for one in batch:
            if isinstance(one, Failure):
                books.fail(one)
            else:
                groups.setdefault(one.id, []).append(one)
        refused = self._settle(list(groups.values()), books)
        for wave in zip_longest(*refused):  # one by one each may do what they could not together
            self._settle([[change] for change in wave if change], books)
        texts = self._maker.count_texts() - before
        books.count(self._target.metrics, len(batch))
        self._target.metrics.count_texts(texts.cached, texts.encoded)
        return replace(books.report(len(batch)), encoded=texts.encoded, cached=texts.cached)

    def _settle(self, groups: Sequence[Group], books: Books) -> list[Group]:
        """Apply groups of changes, each of one id; return those of several changes that were refused."""
        steps = [(group, fold(group, self._shape)) for group in groups]
        known = [step for _, step in steps if step]
        light = [step for step in known if step.op != "index"]
        heavy = _parts([step for step in known if step.op == "index"])
        taken = [self._take(some, books) for some in (light, *heavy) if some]
        refused = [group for one in taken for group in one.refused]
        again = [group for group, step in steps if step is None]
        again += [group for one in taken for group in one.again]
        for _ in range(TRIES):
            taken = [self._take(self._read(some), books) for some in _parts(again)]
            refused += [group for one in taken for group in one.refused]
            again = [group for one in taken for group in one.again]
        for group in again:
            for change in group:
                books.fail(
                    change.fail(f"it was changed by others meanwhile, {TRIES} times; retry it")
                )
        return refused

    def _read(self, groups: Sequence[Group]) -> list[Step]:
        """Return what groups come to, by what the engine has of their documents."""
        call = calls.get_documents(
            self._target.spec.index,
            [group[0].id for group in groups],
            ask_for_vectors=self._target.engine.capabilities.leaves_vectors_out,
        )
        found = self._perform(call)
        return [
            fold_read(group, stored, self._shape)
            for group, stored in zip(groups, found, strict=True)
        ]

    def _perform(self, call: Call[T]) -> T:
        """Send a call that reads, as patiently as bulk requests are sent."""
        tries = 1
        while True:
            try:
                return self._target.engine.perform(call)
            except EngineError as error:
                if not error.retryable or tries >= BUSY_TRIES:
                    raise
                self._target.metrics.count_retries(str(error.status or "connection"), 1)
            self._sleep(wait_s(tries))
            tries += 1

    def _take(self, steps: Sequence[Step], books: Books) -> Taken:
        """Send steps and note what became of their changes."""
        taken = Taken()
        by_id = {step.id: step for step in steps}
        for step in steps:
            if step.op is None:
                books.settle(step, step.fates)
        actions, failures = self._make(steps)
        for failure in failures:
            taken.refuse(by_id[failure.id or ""], failure.reason, books)
        for outcome in self._send(actions):
            taken.note(by_id[outcome.action.id], outcome, books)
        return taken

    def _make(self, steps: Sequence[Step]) -> tuple[list[Action], list[Failure]]:
        started = time.monotonic()
        made = self._maker.make(steps)
        self._target.metrics.observe_encode(time.monotonic() - started)
        return made

    def _send(self, actions: Sequence[Action]) -> Iterator[Outcome]:
        """Send actions, each of another id, and yield what became of them; over all connections if many."""
        several = len(self._paces) if len(actions) >= SEVERAL else 1
        shares = [actions[start::several] for start in range(several)]
        for outcomes in self._threads.map(self._send_share, shares, self._paces):
            yield from outcomes

    def _send_share(self, actions: Sequence[Action], pace: Pace) -> list[Outcome]:
        target = self._target
        sent = send_actions(
            target.engine,
            target.spec.index,
            actions,
            pace,
            sleep=self._sleep,
            metrics=target.metrics,
        )
        return [outcome for outcomes in sent for outcome in outcomes]

    def _sleep(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise Stopped


def _batches(changes: Iterable[Change | Failure]) -> Iterator[list[Change | Failure]]:
    batch: list[Change | Failure] = []
    weight = 0
    for one in changes:
        batch.append(one)
        weight += weigh(one.document)
        if len(batch) == BATCH_CHANGES or weight >= BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), PART):
        yield items[start : start + PART]


def apply_changes(
    target: Target,
    changes: Iterable[Change | Failure],
    failures: FailureLog,
    *,
    pacing: Pacing | None = None,
    on_progress: Callable[[IngestProgress], None] = lambda _: None,
) -> ChangeReport:
    """Apply a source of changes and return the counts; see `Applier.apply`.

    The index is made where it is missing.
    """
    with Applier(target, failures, pacing=pacing) as applier:
        target.create(False)
        return applier.apply(changes, on_progress)
