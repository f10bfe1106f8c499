"""One index in memory: its documents in order, and their columns as a search needs them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from kokeshi.engines.memory.bm25 import Postings
from kokeshi.engines.memory.fields import (
    TYPES,
    Field,
    nest_properties,
    read_properties,
    read_values,
    read_vector,
)
from kokeshi.engines.memory.refusal import not_in_memory
from kokeshi.filters import fields_of, matches, read_filter
from kokeshi.types import Float32, Json

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Document:
    """One document. values: field -> its typed values; vectors: field -> (dims,) float32."""

    id: str
    source: Json
    values: dict[str, list[Any]]
    vectors: dict[str, Float32]


class Store:
    """The documents of an index, a replaced one at its new place, as in a Lucene segment.

    versions: of each id, for good, of one that was deleted too. places: of each document, the number of its
    last change.
    """

    def __init__(self, body: Json) -> None:
        self.id = uuid4().hex
        mappings: Json = body.get("mappings", {})
        properties = nest_properties(mappings.get("properties", {}))
        self.mappings: Json = mappings | {"properties": properties}
        self.fields = read_properties(properties)
        self.versions: dict[str, int] = {}
        self.places: dict[str, int] = {}
        self._changes = 0
        self._documents: dict[str, Document] = {}
        self._columns: Columns | None = None

    @property
    def columns(self) -> Columns:
        """The documents as they are now, by column."""
        if self._columns is None:
            self._columns = Columns(self.fields, list(self._documents.values()))
        return self._columns

    def put(self, id_: str, source: Json, version: int | None = None) -> bool:
        """Index a document; returns whether it is new. Raises Refusal where it does not fit.

        version: its new one; None counts on from the one that it has.
        """
        document = read_document(self.fields, id_, source)
        new = self.delete(id_, version) is False
        self._documents[id_] = document
        self.places[id_] = self._changes
        return new

    def get(self, id_: str) -> Json | None:
        """Return the source of a document, None where there is none."""
        document = self._documents.get(id_)
        return None if document is None else document.source

    def delete(self, id_: str, version: int | None = None) -> bool:
        """Delete a document; returns whether there was one. version: see `put`."""
        self._columns = None
        self._changes += 1
        self.versions[id_] = self.versions.get(id_, 0) + 1 if version is None else version
        return self._documents.pop(id_, None) is not None


def read_document(fields: dict[str, Field], id_: str, source: Json) -> Document:
    """Return a document with its values by field; raises Refusal where one is not of its type."""
    values, vectors = {}, {}
    for name, field in fields.items():
        if not field.is_vector:
            values[name] = read_values(field, source)
        elif (vector := read_vector(field, source)) is not None:
            vectors[name] = vector
    return Document(id_, source, values, vectors)


class Columns:
    """N documents by column, each made when it is first asked for."""

    def __init__(self, fields: dict[str, Field], documents: list[Document]) -> None:
        self.fields = fields
        self.documents = documents
        self._postings: dict[str, Postings] = {}
        self._vectors: dict[str, tuple[npt.NDArray[np.int64], Float32]] = {}

    @property
    def count(self) -> int:
        """N."""
        return len(self.documents)

    @cached_property
    def all(self) -> Bools:
        """Every document, (N,)."""
        return np.ones(self.count, np.bool_)

    def keep(self, text: str | None) -> Bools:
        """Return which documents a filter's text keeps, (N,)."""
        if text is None:
            return self.all
        types = {name: TYPES[f.type] for name, f in self.fields.items() if f.type in TYPES}
        filter_ = read_filter(text, types)
        columns = {name: self.values(name) for name in fields_of(filter_)}
        return matches(filter_, columns, self.count)

    def values(self, name: str) -> list[list[Any]]:
        """Return the values of a field, a list for each document."""
        return [document.values[name] for document in self.documents]

    def vectors(self, name: str) -> tuple[npt.NDArray[np.int64], Float32]:
        """Return the rows that have a vector, (n,), and the vectors, (n, dims)."""
        if name not in self._vectors:
            found = [
                (r, d.vectors[name]) for r, d in enumerate(self.documents) if name in d.vectors
            ]
            matrix = np.empty((len(found), self.fields[name].dims), np.float32)
            for at, (_, vector) in enumerate(found):
                matrix[at] = vector
            self._vectors[name] = (np.array([row for row, _ in found], np.int64), matrix)
        return self._vectors[name]

    def postings(self, name: str) -> Postings:
        """Return the words of a text field; raises CapabilityError for another analyzer."""
        analyzer = self.fields[name].analyzer
        if analyzer != "standard":
            raise not_in_memory(
                f"analyzer {analyzer}, which the field {name} has",
                "match other fields, or search on OpenSearch or Elasticsearch",
            )
        if name not in self._postings:
            self._postings[name] = Postings(self.values(name))
        return self._postings[name]
