"""Send bulk actions over one connection until every one has an answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from kokeshi.engines import BulkItem, Engine
from kokeshi.engines.retry import BUSY
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
    time. Raises EngineError where it is the engine that still refuses at the last try, not a document.
    """
    metrics = metrics or IngestMetrics()
    pending = list(actions)
    tries = given_up = 0
    while pending:
        batch = pace.cut(pending)
        started = time.monotonic()
        sent = _send(engine, index, batch, pace)
        metrics.observe_bulk(time.monotonic() - started, sum(len(one.body) for one in batch))
        yield sent.outcomes
        given_up = 0 if sent.outcomes else given_up
        tries = 1 if sent.outcomes or not sent.again else tries + 1
        again, rest = sent.again, pending[len(batch) :]
        if sent.refusal is None:  # to send it in parts was no try
            pending, tries = [one.action for one in again] + rest, 0
            continue
        metrics.count_retries(str(sent.refusal.status or "connection"), len(again))
        LOGGER.warning("%d documents are sent again: %s", len(again), sent.refusal)
        if spent := [one for one in again if tries >= _most_tries(one)]:
            _check_engine(sent, spent, given_up)
            yield spent
            again = [one for one in again if tries < _most_tries(one)]
            given_up += sum(one.status in BUSY for one in spent)
        pending = [one.action for one in again] + rest
        if again:
            sleep(wait_s(tries))
        else:
            tries = 0


def wait_s(tries: int) -> float:
    """Return how many seconds to wait before a request is sent again. tries: that it has had."""
    wait: float = min(FIRST_WAIT_S * 2 ** (tries - 1), LONGEST_WAIT_S)
    return wait


def _most_tries(one: Outcome) -> int:
    """Return how often a document is tried, by its own answer."""
    return BUSY_TRIES if one.status in BUSY else TRIES


def _check_engine(sent: _Sent, spent: Sequence[Outcome], given_up: int) -> None:
    """Raise what the engine said where it is the engine that takes nothing, not a document.

    given_up: how many documents were before, one after another, since it was too busy. A full disk, for
    one, refuses each document: going on would call every further one a failure. But one that is too large
    for the memory of the engine gets 429 for ever, be it alone in its request or not.
    """
    busy = [one for one in spent if one.status in BUSY]
    of_engine = any(one.status != 429 for one in busy) or (busy and len(busy) + given_up > 1)
    if sent.refusal and (of_engine or (sent.whole and not busy)):
        raise sent.refusal


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
        status = error.status or 503  # without an answer the engine is away
        again = [Outcome(action, str(error), status) for action in batch]
        return _Sent(again=again, refusal=error, whole=True)
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
    first = next((item for item in items if item.status in BUSY), items[busy.index(True)])
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
