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
    """One document, serialised, with what a failure report shows of it. bare: it has no vector."""

    id: str
    line: int
    body: bytes
    fields: dict[str, Any]
    bare: bool = False


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
                return outcomes + _send_halves(engine, index, actions, error, sleep)
            if last or not error.retryable:
                raise
        else:
            answered = [Outcome(a, i.reason) for a, i in zip(actions, items, strict=True)]
            busy = [i.reason is not None and i.retryable and not last for i in items]
            outcomes += [o for o, again in zip(answered, busy, strict=True) if not again]
            actions, replaced = _to_repeat(actions, answered, busy)
            outcomes += [Outcome(action, None) for action in replaced]
        if not actions:
            break
        sleep(FIRST_WAIT_S * 2**attempt)
    return outcomes


def _send_halves(
    engine: Engine,
    index: str,
    actions: Sequence[Action],
    error: EngineError,
    sleep: Callable[[float], None],
) -> list[Outcome]:
    """Send a body that is too large as two; a single document that is too large has failed."""
    if len(actions) == 1:
        return [Outcome(actions[0], str(error))]
    middle = len(actions) // 2
    halves = (actions[:middle], actions[middle:])
    return [o for half in halves for o in send_batch(engine, index, half, sleep=sleep)]


def _to_repeat(
    actions: Sequence[Action], answered: Sequence[Outcome], busy: Sequence[bool]
) -> tuple[list[Action], list[Action]]:
    """Return the actions to send again, and those that a later document of the same id replaced.

    Sending one of the latter again would bring back what the file itself overwrote.
    """
    again: list[Action] = []
    replaced: list[Action] = []
    newer: set[str] = set()
    for action, outcome, repeat in reversed(list(zip(actions, answered, busy, strict=True))):
        if repeat:
            (replaced if action.id in newer else again).append(action)
        if repeat or outcome.reason is None:
            newer.add(action.id)
    return again[::-1], replaced
