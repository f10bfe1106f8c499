"""Group bulk actions into bodies of bounded size, and send each until every item has an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kokeshi.engines import Engine
from kokeshi.errors import EngineError

TRIES = 6
FIRST_WAIT_S = 0.5


@dataclass(frozen=True)
class Action:
    """One document, serialised, with what a failure report shows of it."""

    id: str
    line: int
    body: bytes
    fields: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of one action. reason: None where it was indexed."""

    action: Action
    reason: str | None


def batch_by_bytes(actions: Iterable[Action], max_bytes: int) -> Iterator[list[Action]]:
    """Yield lists of actions whose bodies together stay within max_bytes, one at least in each."""
    batch: list[Action] = []
    size = 0
    for action in actions:
        if batch and size + len(action.body) > max_bytes:
            yield batch
            batch, size = [], 0
        batch.append(action)
        size += len(action.body)
    if batch:
        yield batch


def send_batch(
    engine: Engine,
    index: str,
    actions: Sequence[Action],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Outcome]:
    """Send actions in order; what the engine could not take for now is sent again, waiting longer.

    Raises EngineError where the engine as a whole still refuses at the last try.
    """
    outcomes: list[Outcome] = []
    for attempt in range(TRIES):
        last = attempt == TRIES - 1
        try:
            items = engine.bulk(index, b"".join(action.body for action in actions))
        except EngineError as error:
            if error.status == 413:
                if len(actions) == 1:
                    return [*outcomes, Outcome(actions[0], str(error))]
                middle = len(actions) // 2
                halves = (actions[:middle], actions[middle:])
                return outcomes + [
                    o for h in halves for o in send_batch(engine, index, h, sleep=sleep)
                ]
            if last or not error.retryable:
                raise
            sleep(FIRST_WAIT_S * 2**attempt)
            continue
        again = []
        for action, item in zip(actions, items, strict=True):
            if item.reason and item.retryable and not last:
                again.append(action)
            else:
                outcomes.append(Outcome(action, item.reason))
        if not again:
            break
        actions = again
        sleep(FIRST_WAIT_S * 2**attempt)
    return outcomes
