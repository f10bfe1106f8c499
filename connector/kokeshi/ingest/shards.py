"""One of several processes that ingest a source together, each the documents whose ids are its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zlib import crc32

from kokeshi.encoders import Record
from kokeshi.errors import InputError
from kokeshi.ingest.documents import document_id
from kokeshi.ingest.sources import BadLine
from kokeshi.schema import IndexSpec


@dataclass(frozen=True)
class Shard:
    """The `number`th, from 1, of `of` parts of a source; `Shard(1, 1)` is the whole.

    An id belongs to one shard, so that the last document of an id stays, as in one process. What has no id,
    a bad line among it, belongs to the first. Raises InputError where there is no such part.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise InputError(
                f"shard {self}: there is none; the shards of {max(1, self.of)} are "
                f"1/{max(1, self.of)} to {max(1, self.of)}/{max(1, self.of)}"
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard of a text such as `2/8`.

        >>> Shard.parse("2/8")
        Shard(number=2, of=8)
        """
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip(), re.ASCII)
        if found is None:
            raise InputError(f"shard '{text}' is not i/n, such as 2/8 for the second of eight")
        return cls(int(found[1]), int(found[2]))

    @property
    def suffix(self) -> str:
        """What the names of its files end in: `.2-of-8`; nothing for the whole."""
        return "" if self.of == 1 else f".{self.number}-of-{self.of}"

    def holds(self, id_: str) -> bool:
        """Whether an id is one of this shard's.

        By the upper bits of its CRC-32, so that what else goes by the lower ones stays even within a shard.
        """
        return crc32(id_.encode()) * self.of >> 32 == self.number - 1

    def select(
        self, items: Iterable[Record | BadLine], spec: IndexSpec
    ) -> Iterable[Record | BadLine]:
        """Return those of the items that belong to this shard, in their order."""
        return items if self.of == 1 else self._select(items, spec)

    def _select(
        self, items: Iterable[Record | BadLine], spec: IndexSpec
    ) -> Iterator[Record | BadLine]:
        for item in items:
            id_ = _find_id(item, spec)
            if self.number == 1 if id_ is None else self.holds(id_):
                yield item


WHOLE = Shard(1, 1)
"""All of a source."""


def _find_id(item: Record | BadLine, spec: IndexSpec) -> str | None:
    """Return the id of a document; None where it has none that an engine takes."""
    if isinstance(item, BadLine):
        return None
    try:
        return document_id(item, spec)
    except InputError:
        return None
