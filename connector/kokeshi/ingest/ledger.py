"""What was read, indexed and failed, and up to where everything has been settled."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from kokeshi.ingest.actions import Position


@dataclass
class Tally:
    """Counts of documents. read = indexed + failed, once all are settled.

    without_vector: of the indexed, how many had no text to embed.
    """

    read: int = 0
    indexed: int = 0
    failed: int = 0
    without_vector: int = 0

    def add(self, other: Tally) -> None:
        """Add the counts of another."""
        self.read += other.read
        self.indexed += other.indexed
        self.failed += other.failed
        self.without_vector += other.without_vector


@dataclass
class _Chunk:
    number: int
    tally: Tally
    after: Position | None

    @property
    def settled(self) -> bool:
        return self.tally.read == self.tally.indexed + self.tally.failed


class Ledger:
    """The chunks of a source that are under way.

    total: counts of everything so far. settled, position: counts of the chunks before the first that is
    under way, and where it begins in the source: an interrupted ingest continues there.
    """

    def __init__(self, settled: Tally | None = None, position: Position | None = None) -> None:
        self.settled = Tally() if settled is None else settled
        self.position = position
        self.total = Tally()
        self.total.add(self.settled)
        self._open: deque[_Chunk] = deque()

    def open(self, number: int, *, read: int, failed: int, after: Position | None) -> None:
        """Begin a chunk. number: one more than the last one's; failed: cannot be sent at all."""
        tally = Tally(read, 0, failed)
        self.total.add(tally)
        self._open.append(_Chunk(number, tally, after))

    def settle(self, number: int, count: int = 1, *, indexed: bool, bare: bool) -> None:
        """So many documents of a chunk have their answers. bare: they have no vector."""
        settled = Tally(
            indexed=count * indexed,
            failed=count * (not indexed),
            without_vector=count * (indexed and bare),
        )
        self.total.add(settled)
        self._open[number - self._open[0].number].tally.add(settled)

    def advance(self) -> bool:
        """Leave the chunks behind that are settled; returns whether there were any."""
        before = len(self._open)
        while self._open and self._open[0].settled:
            chunk = self._open.popleft()
            self.settled.add(chunk.tally)
            self.position = chunk.after
        return len(self._open) < before
