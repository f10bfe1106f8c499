"""One pass over the first documents of a file: what each field holds, counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson

from kokeshi.encoders import Record
from kokeshi.errors import InputError
from kokeshi.ingest import BadLine
from kokeshi.ingest.sources import Source
from kokeshi.init.kinds import Kind, kind_of

EXAMPLES = 3
"""Distinct values that a profile keeps to show."""

_UNPARTED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_NUMBERS = {"integer", "float"}


@dataclass
class FieldProfile:
    """What the sample holds in one field; an empty text, an empty list and null are no value.

    filled: documents with a value. blanks: documents with an empty text, or one or null in a list.
    kinds: of all values, those in lists counted one by one.
    json_types: `text`, `number`, `boolean` as JSON writes them. words, characters, several: sums
    over the texts: words, characters, and texts of several words. lengths: of the lists of JSON
    numbers, with how many have each. distinct: hashes of the values.
    """

    name: str
    filled: int = 0
    blanks: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    json_types: set[str] = field(default_factory=set)
    by_kind: dict[Kind, Any] = field(default_factory=dict)
    lists: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    words: int = 0
    characters: int = 0
    several: int = 0
    longest: int = 0
    distinct: set[int] = field(default_factory=set)
    examples: list[Any] = field(default_factory=list)

    def add(self, value: Any) -> None:  # noqa: ANN401
        """Count the value of one document."""
        given = value if isinstance(value, list) else [value]
        items = [item for item in given if _is_value(item)]
        # a null alone is a field that is left out, but a null in a list is not
        self.blanks += len(items) < len(given) and value is not None
        if not items:
            return
        self.filled += 1
        self._remember(value)
        kinds = [self._add_item(item) for item in items]
        if isinstance(value, list):
            self.lists += 1
            if _NUMBERS.issuperset(kinds) and not any(isinstance(item, str) for item in items):
                self.lengths[len(value)] += 1

    def _remember(self, value: Any) -> None:  # noqa: ANN401
        key = hash(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
        if key not in self.distinct and len(self.examples) < EXAMPLES:
            self.examples.append(value)
        self.distinct.add(key)

    def _add_item(self, item: Any) -> Kind:  # noqa: ANN401
        kind = kind_of(item)
        self.kinds[kind] += 1
        self.by_kind.setdefault(kind, item)
        self.json_types.add(_json_type(item))
        if kind != "object":
            self._measure(str(item))
        return kind

    def _measure(self, text: str) -> None:
        words = _count_words(text)
        self.words += words
        self.several += words > 1
        self.characters += len(text)
        self.longest = max(self.longest, len(text))

    @property
    def values(self) -> int:
        """How many values there are, those in lists counted one by one."""
        return sum(self.kinds.values())

    @property
    def mean_words(self) -> float:
        """Words in a value, on average."""
        return self.words / self.values if self.values else 0.0

    @property
    def usual_length(self) -> tuple[int, int]:
        """The commonest length of the lists of numbers, and how many documents have it."""
        return self.lengths.most_common(1)[0] if self.lengths else (0, 0)


@dataclass(frozen=True)
class Sample:
    """The profiles of the first documents, in the order in which fields appear.

    path: the file. documents: read. bad: the lines among them that are no document.
    """

    path: str
    documents: int
    bad: int
    fields: tuple[FieldProfile, ...]


def read_sample(source: Source, limit: int = 1000) -> Sample:
    """Profile the first `limit` lines of `source`; raises InputError where none is a document."""
    fields: dict[str, FieldProfile] = {}
    bad: list[BadLine] = []
    documents = 0
    for item in islice(source, limit):
        if isinstance(item, BadLine):
            bad.append(item)
            continue
        documents += 1
        _add_fields(fields, item)
    if not documents:
        raise InputError(_no_documents(source.path, bad))
    return Sample(source.path, documents, len(bad), tuple(fields.values()))


def _add_fields(fields: dict[str, FieldProfile], record: Record) -> None:
    for name, value in record.fields.items():
        if name not in fields:
            fields[name] = FieldProfile(name)
        fields[name].add(value)


def _no_documents(path: str, bad: Iterable[BadLine]) -> str:
    bad = list(bad)
    if not bad:
        return f"{path}: no documents to guess from; read at least one"
    first = bad[0]
    return (
        f"{path}: none of the first {len(bad):,} lines is a document; line {first.line}: "
        f"{first.reason}; check the file, or give its --format"
    )


def _count_words(text: str) -> int:
    """Count words; Chinese and Japanese do not part them, and take about two characters for each."""
    unparted = 0 if text.isascii() else len(_UNPARTED.findall(text))
    parted = sum(any(map(str.isalnum, word)) for word in text.split())
    return max(parted, unparted // 2)


def _is_value(item: Any) -> bool:  # noqa: ANN401
    return item is not None and item not in ("", [], {})


def _json_type(item: Any) -> str:  # noqa: ANN401
    if isinstance(item, bool):
        return "boolean"
    return "text" if isinstance(item, str) else "number"
