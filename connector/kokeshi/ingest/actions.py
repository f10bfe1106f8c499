"""What passes between the stages of an ingest: chunks of documents, bulk actions, what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kokeshi.encoders import Record


@dataclass(frozen=True)
class Position:
    """How far a source was read. row: documents, bad lines among them; line: the last one, from 1.

    offset: bytes, unpacked; 0 where a source cannot go to one.
    """

    row: int = 0
    line: int = 0
    offset: int = 0


@dataclass(frozen=True)
class Failure:
    """A document that cannot be indexed. row: among the documents of its source; None where unknown."""

    line: int
    reason: str
    document: Any
    id: str | None = None
    row: int | None = None

    @classmethod
    def of(cls, record: Record, reason: str, id_: str | None = None) -> Failure:
        """Return that of a record, with all of it."""
        return cls(record.line, reason, record.fields, id_, record.row)


class Action(NamedTuple):
    """One document, serialised. record: as it was read, for the dead letters. bare: it has no vector.

    chunk: the number of the chunk that it was read in.
    """

    id: str
    record: Record
    body: bytes
    chunk: int = 0
    bare: bool = False

    def fail(self, reason: str) -> Failure:
        """Return the failure of this document."""
        return Failure.of(self.record, reason, self.id)


class Outcome(NamedTuple):
    """What became of one action. reason: None where it was indexed. status: 0 where it has no answer."""

    action: Action
    reason: str | None
    status: int = 0


def weigh(value: Any) -> int:  # noqa: ANN401
    """Return about how many bytes of memory a parsed value holds.

    >>> weigh({"title": "shoe", "v": [0.5, 1.0]})
    358
    """
    kind = type(value)  # exact, as parsers give them: this is asked of every value of a source
    if kind is str or kind is bytes:
        return 56 + len(value)
    if kind is dict:
        size = 64 + 64 * len(value)
        for item in value.values():
            size += 56 + len(item) if type(item) is str else weigh(item)
        return size
    if kind is list or kind is tuple:
        if value and type(value[0]) is float:
            return 56 + 32 * len(value)
        return 56 + sum([weigh(item) + 8 for item in value])
    return 112 + value.nbytes if isinstance(value, np.ndarray) else 32
