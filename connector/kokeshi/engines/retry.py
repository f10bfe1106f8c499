"""How a call goes to its end: which node is asked, when again, and when no more.

Pure: `Exchange` says what to send and how long to wait, and is told what came of it, so that one policy
serves threads and asyncio. A call is sent again within its deadline only, and only where that does no harm:

- no connection came about: nothing was sent, so any call can be sent again;
- the connection ended, or the node is busy: calls that are as good sent twice (`Call.repeatable`);
- no answer in time: the deadline is over.

A node that has not answered yet, or failed lately, is first asked who it is, briefly: one that is dead, or
takes connections and then hangs, does not use up the deadline of a call. An engine that has never answered
gets few tries: its address is rather wrong than its server restarting.
"""

from __future__ import annotations

import random
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

from kokeshi.engines.calls import Call, root
from kokeshi.engines.nodes import AWAY, Node, Nodes, has_failed
from kokeshi.engines.requests import RequestBuilder
from kokeshi.engines.transport import Reply, Request, TransportError

BUSY: Final = AWAY | {429}
"""Statuses after which the same request can succeed."""

PROBE_S: Final = 10.0
"""Seconds in which a node says who it is."""

FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 5.0
RETRIES_OF_A_STRANGER: Final = 3
"""Waits for an engine that never answered: half a second in all."""

Outcome = Reply | TransportError


@dataclass(frozen=True)
class Send:
    """Send this to a node. timeout: in seconds."""

    node: int
    request: Request
    timeout: float


@dataclass(frozen=True)
class Wait:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Tried:
    """What a call came to: the last outcome, how often it was tried and for how many seconds.

    known: whether the engine has ever answered, so that its address is right.
    """

    outcome: Outcome
    times: int
    seconds: float
    known: bool

    def __str__(self) -> str:
        return f"tried {self.times} times in {self.seconds:.1f} s"


Steps = Generator[Send | Wait, Any, Tried]
"""Is sent the outcome of each Send, and anything after a Wait."""


class Exchange:
    """One call under way. timeout: seconds for all its tries; retries: how often it may wait."""

    def __init__(
        self,
        call: Call[Any],
        builder: RequestBuilder,
        nodes: Nodes,
        *,
        timeout: float,
        retries: int,
    ) -> None:
        self._call = call
        self._builder = builder
        self._nodes = nodes
        self._started = time.monotonic()
        self._deadline = self._started + timeout
        self._retries = retries
        self._waits = 0
        self._dropped = False

    def steps(self) -> Steps:
        """Yield what to do until there is an answer, or can be none.

        Raises EngineError where the body of the call cannot be sent.
        """
        request = self._builder.build(self._call)
        times = 0
        while True:
            node = self._nodes.pick()
            sent, outcome = yield from self._try(node, request)
            times += 1
            self._nodes.settle(node, outcome)
            wait = self._next_wait(outcome, sent=sent)
            if wait is None or wait >= self._left:
                seconds = time.monotonic() - self._started
                return Tried(outcome, times, seconds, self._nodes.known)
            if wait:
                yield Wait(wait)

    @property
    def _left(self) -> float:
        return max(self._deadline - time.monotonic(), 0.001)

    def _try(self, node: Node, request: Request) -> Generator[Send, Outcome, tuple[bool, Outcome]]:
        """Send to one node; returns whether the call itself was sent, and what came of it."""
        if not node.proven:
            question = request if self._is_question else self._builder.build(root())
            outcome = yield self._send(node, question, min(PROBE_S, self._left))
            if self._is_question or has_failed(outcome):
                return self._is_question, outcome
        return True, (yield self._send(node, request, self._left))

    @property
    def _is_question(self) -> bool:
        return self._call.operation == "root"

    def _send(self, node: Node, request: Request, timeout: float) -> Send:
        return Send(node.place, self._builder.address(request, node.place), timeout)

    def _next_wait(self, outcome: Outcome, *, sent: bool) -> float | None:
        """Seconds until the next try; None where there is none."""
        if not self._can_repeat(outcome, sent=sent) or time.monotonic() >= self._deadline:
            return None
        if _is(outcome, "dropped") and self._nodes.known and not self._dropped:
            self._dropped = True  # it had been kept open, and a new one is there at once
            return 0.0
        if has_failed(outcome) and self._nodes.another_is_up():
            return 0.0
        if self._waits >= self._most_waits or (_is(outcome, "timeout") and not self._nodes.known):
            return None
        wait: float = min(FIRST_WAIT_S * 2**self._waits, LONGEST_WAIT_S)
        self._waits += 1
        return wait * random.uniform(0.5, 1)  # noqa: S311 (spreads the load)

    def _can_repeat(self, outcome: Outcome, *, sent: bool) -> bool:
        harmless = self._call.repeatable or not sent
        if isinstance(outcome, Reply):
            return harmless and (outcome.status in BUSY or self._call.is_busy(outcome.content))
        if outcome.trouble in ("dropped", "timeout"):
            return harmless
        return (
            outcome.trouble == "unreachable"
        )  # the others are about certificates, which stay as they are

    @property
    def _most_waits(self) -> int:
        return self._retries if self._nodes.known else min(self._retries, RETRIES_OF_A_STRANGER)


def _is(outcome: Outcome, trouble: str) -> bool:
    return isinstance(outcome, TransportError) and outcome.trouble == trouble
