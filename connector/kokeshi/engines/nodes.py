"""The addresses of a cluster: which one is asked next."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import count
from typing import Final

from kokeshi.engines.transport import Reply, TransportError

AWAY: Final = frozenset({502, 503, 504})
"""Statuses of a node, or of the proxy before it, that another node need not share."""

DOWN_S: Final = 5.0
"""Seconds for which a node that failed is passed over where another is left."""


@dataclass
class Node:
    """One address.

    proven: whether it has answered, and not failed since; down_until: by the monotonic clock.
    """

    place: int
    proven: bool = False
    down_until: float = 0.0


class Nodes:
    """The nodes, asked in turn. known: whether any has ever answered."""

    def __init__(self, number: int) -> None:
        self._nodes = [Node(place) for place in range(number)]
        self._turn = count()
        self.known = False

    def pick(self) -> Node:
        """Return the next node that is not down; where all are, the one that failed first."""
        turn = next(self._turn) % len(self._nodes)
        in_turn = self._nodes[turn:] + self._nodes[:turn]
        now = time.monotonic()
        up = (node for node in in_turn if node.down_until <= now)
        return next(up, None) or min(in_turn, key=lambda node: node.down_until)

    def another_is_up(self) -> bool:
        """Whether a node is left that did not fail lately."""
        now = time.monotonic()
        return any(node.down_until <= now for node in self._nodes)

    def settle(self, node: Node, outcome: Reply | TransportError) -> None:
        """Remember what came of asking a node."""
        failed = has_failed(outcome)
        node.proven = not failed
        node.down_until = time.monotonic() + DOWN_S if failed else 0.0
        self.known = self.known or isinstance(outcome, Reply)


def has_failed(outcome: Reply | TransportError) -> bool:
    """Whether the node itself is away, so that another may do better."""
    return isinstance(outcome, TransportError) or outcome.status in AWAY
