"""Send bulk actions over one connection until every one has an answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from kokeshi.engines import BulkItem, Engine
from kokeshi.errors import EngineError
from kokeshi.ingest.actions import Action, Outcome
from kokeshi.ingest.pace import Pace
from kokeshi.metrics import IngestMetrics

TRIES: Final = 6
"""Of what is refused for another reason than load; the waits between take 15 s."""

BUSY_TRIES: Final = 20
"""Of what the engine is too busy for, or away, as while it restarts; the waits take two minutes, and
each try as long as the connection itself waits for an engine that is away."""

LOGGER: Final = logging.getLogger("kokeshi.ingest")

BUSY: Final = frozenset({429, 502, 503, 504})
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 8.0


@dataclass(frozen=True)
class _Sent:
    """What came of one request. again: to be sent again, with why; refusal: what the engine said of it.

    refusal is None where sending again, smaller, needs no wait. whole: the request as a whole was refused.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    again: list[Outcome] = field(default_factory=list)
    refusal: EngineError | None = None
    whole: bool = False


def send_actions(
    engine: Engine,
    index: str,
    actions: Sequence[Action],
    pace: Pace,
    *,
    sleep: Callable[[float], None] = time.sleep,
    metrics: IngestMetrics | None = None,
) -> Iterator[list[Outcome]]:
    """Send actions in order, in requests as large as `pace` allows; yield what became of them.

    What the engine could not take for now is sent again, before anything later and waiting longer each
    time. Raises EngineError where the engine as a whole still refuses at the last try.
    """
    metrics = metrics or IngestMetrics()
    pending = list(actions)
    tries = given_up = 0
    taken = False
    while pending:
        batch = pace.cut(pending)
        started = time.monotonic()
        sent = _send(engine, index, batch, pace)
        metrics.observe_bulk(time.monotonic() - started, sum(len(one.body) for one in batch))
        yield sent.outcomes
        # of what went before a request that was taken whole nothing follows for the next one
        taken = bool(sent.again) and (taken or bool(sent.outcomes))
        given_up = 0 if sent.outcomes else given_up
        tries = 1 if sent.outcomes or not sent.again else tries + 1
        rest = pending[len(batch) :]
        pending = [one.action for one in sent.again] + rest
        if sent.refusal is None:
            tries = 0  # to send it in parts was no try
            continue
        metrics.count_retries(str(sent.refusal.status or "connection"), len(sent.again))
        LOGGER.warning("%d documents are sent again: %s", len(sent.again), sent.refusal)
        if tries >= (BUSY_TRIES if _is_busy(sent.refusal) else TRIES):
            _check_blocked(sent, len(batch) + given_up, taken=taken)
            yield sent.again
            pending, tries, taken = rest, 0, False
            given_up += len(sent.again)
            continue
        sleep(wait_s(tries))


def wait_s(tries: int) -> float:
    """Return how many seconds to wait before a request is sent again. tries: that it has had."""
    wait: float = min(FIRST_WAIT_S * 2 ** (tries - 1), LONGEST_WAIT_S)
    return wait


def _is_busy(refusal: EngineError) -> bool:
    return refusal.away or refusal.status in BUSY


def _check_blocked(sent: _Sent, count: int, *, taken: bool) -> None:
    """Raise what the engine said where it is the engine that takes nothing, not these documents.

    count: of documents refused, one after another. taken: whether others of their request were not.
    A full disk, for one, refuses each document: going on would call every further one a failure.
    """
    refusal = sent.refusal
    if refusal is None:
        return
    if sent.whole and not (refusal.status == 429 and count == 1):
        raise refusal
    if not sent.whole and not taken and count > 1 and refusal.status in BUSY:
        raise refusal


def _send(engine: Engine, index: str, batch: list[Action], pace: Pace) -> _Sent:
    body = b"".join(action.body for action in batch)
    pace.begin()
    try:
        items = engine.bulk(index, body)
    except EngineError as error:
        if error.status == 413:
            return _halve(batch, len(body), error, pace)
        if not error.retryable:
            raise
        pace.end(busy=True)
        return _Sent(again=[Outcome(a, str(error)) for a in batch], refusal=error, whole=True)
    sent = _read(index, batch, items)
    pace.end(busy=bool(sent.again))
    return sent


def _halve(batch: list[Action], size: int, error: EngineError, pace: Pace) -> _Sent:
    """A request that is too large is sent as two; a single document that is too large has failed."""
    if len(batch) == 1:
        return _Sent([Outcome(batch[0], str(error))])
    pace.refuse(size)
    return _Sent(again=[Outcome(action, str(error)) for action in batch])


def _read(index: str, batch: list[Action], items: list[BulkItem]) -> _Sent:
    if len(items) != len(batch):
        raise EngineError(
            f"bulk of '{index}': {len(batch)} documents were sent, but the engine answered for "
            f"{len(items)}; is there a proxy that changes answers?"
        )
    busy = [item.reason is not None and item.retryable for item in items]
    answered = [Outcome(a, item.reason, item.status) for a, item in zip(batch, items, strict=True)]
    if not any(busy):
        return _Sent(answered)
    first = items[busy.index(True)]
    again, replaced = _to_repeat(answered, busy)
    settled = [one for one, repeat in zip(answered, busy, strict=True) if not repeat]
    refusal = EngineError(f"bulk of '{index}': {first.reason}", status=first.status)
    return _Sent(settled + replaced, again, refusal)


def _to_repeat(
    answered: Sequence[Outcome], busy: Sequence[bool]
) -> tuple[list[Outcome], list[Outcome]]:
    """Return what to send again, and what a later document of the same id replaced.

    Sending one of the latter again would bring back what the source itself overwrote.
    """
    again: list[Outcome] = []
    replaced: list[Outcome] = []
    newer: set[str] = set()
    for outcome, repeat in reversed(list(zip(answered, busy, strict=True))):
        id_ = outcome.action.id
        if repeat and id_ in newer:
            replaced.append(Outcome(outcome.action, None))
        elif repeat:
            again.append(outcome)
        if repeat or outcome.reason is None:
            newer.add(id_)
    return again[::-1], replaced
