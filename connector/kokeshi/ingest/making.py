"""From documents as they were read to bulk actions: check, encode, serialise, each a stage of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from kokeshi.encoders import CacheCounts, Encoder, Record, cache_counts, embed_records
from kokeshi.encoders.precomputed import PrecomputedEncoder
from kokeshi.errors import InputError
from kokeshi.ingest.actions import Action, Failure
from kokeshi.ingest.documents import (
    code_columns,
    document_id,
    serialise,
    serialise_column,
    typed_fields,
    vector_columns,
)
from kokeshi.ingest.sources import BadLine
from kokeshi.schema import IndexSpec, VectorSpec
from kokeshi.types import Base64Floats, Float32, Json

if TYPE_CHECKING:
    from kokeshi.codes.codebook import Codebook


class Checked(NamedTuple):
    """A document with its id and its typed fields, without what a stage after this one makes."""

    record: Record
    id: str
    fields: Json


@dataclass(frozen=True)
class Encoded:
    """Documents with the columns of their vectors: field -> a value for each of `rows`.

    columns: rows of the documents, and the values of a field for these. bare: rows without a vector.
    """

    documents: list[Checked]
    columns: list[tuple[str, Sequence[int], Sequence[Any]]] = field(default_factory=list)
    failures: dict[int, Failure] = field(default_factory=dict)
    bare: set[int] = field(default_factory=set)

    @property
    def weight(self) -> int:
        """The bytes of the vectors."""
        return sum(getattr(values, "nbytes", 64 * len(values)) for _, _, values in self.columns)


class Maker:
    """What makes the actions of one spec. encoders, codebooks: vector name -> its own.

    base64: of which numbers vectors are sent as base64, for an engine that takes them so.
    """

    def __init__(
        self,
        spec: IndexSpec,
        encoders: Mapping[str, Encoder],
        codebooks: Mapping[str, Codebook],
        *,
        base64: Base64Floats | None = None,
    ) -> None:
        self._spec = spec
        self._encoders = encoders
        self._codebooks = codebooks
        self._base64 = base64
        # what a document itself says of a vector was not checked: only what an encoder gave is sent
        self._unsent = {*spec.vector_fields(), *spec.code_fields()} | {
            encoder.column
            for encoder in encoders.values()
            if isinstance(encoder, PrecomputedEncoder) and encoder.column
        }

    def count_texts(self) -> CacheCounts:
        """Return what the caches of the encoders were asked so far."""
        return cache_counts(self._encoders)

    def check(self, items: Iterable[Record | BadLine]) -> tuple[list[Checked], list[Failure]]:
        """Return the documents that have an id and typed fields, and why the others cannot be sent."""
        documents, failures = [], []
        for item in items:
            found = self._check(item)
            if isinstance(found, Failure):
                failures.append(found)
            else:
                documents.append(found)
        return documents, failures

    def _check(self, item: Record | BadLine) -> Checked | Failure:
        if isinstance(item, BadLine):
            return item.fail()
        id_ = None
        try:
            id_ = document_id(item, self._spec)
            fields = typed_fields(item, self._spec)
        except InputError as error:
            return Failure.of(item, str(error), id_)
        for name in self._unsent.intersection(fields):
            del fields[name]
        return Checked(item, id_, fields)

    def encode(self, documents: list[Checked]) -> Encoded:
        """Return the vectors of documents, their prefixes and codes."""
        encoded = Encoded(documents)
        if not documents:  # some models fail on an empty batch
            return encoded
        records = [document.record for document in documents]
        for name, vector in self._spec.vectors.items():
            found = embed_records(self._encoders[name], vector, records)
            for row, reason in found.unusable.items():
                one = documents[row]
                failure = Failure.of(one.record, f"vector '{name}' {reason}", one.id)
                encoded.failures.setdefault(row, failure)
            encoded.bare.update(found.absent)
            left_out = found.absent.union(found.unusable)
            rows = [row for row in range(len(records)) if row not in left_out]
            vectors = found.vectors[rows] if left_out else found.vectors
            for field_, values in self._columns(name, vector, vectors).items():
                encoded.columns.append((field_, rows, values))
        return encoded

    def _columns(self, name: str, vector: VectorSpec, vectors: Float32) -> dict[str, Sequence[Any]]:
        """Return the fields of a vector and of its codes: field -> N values."""
        floats = vector_columns(vector, name, vectors)
        columns: dict[str, Any] = {**floats}
        if name in self._codebooks and len(vectors):
            columns |= code_columns(self._codebooks[name], name, floats[name])
        return columns

    def serialise(self, encoded: Encoded, chunk: int) -> tuple[list[Action], list[Failure]]:
        """Return the actions of encoded documents, and why the others cannot be sent."""
        columns: list[list[bytes]] = [[] for _ in encoded.documents]
        for name, rows, values in encoded.columns:
            members = serialise_column(name, values, self._base64)
            for row, member in zip(rows, members, strict=True):
                columns[row].append(member)
        actions, failures = [], list(encoded.failures.values())
        for row, (one, members) in enumerate(zip(encoded.documents, columns, strict=True)):
            if row in encoded.failures:
                continue
            try:
                body = serialise(one.id, one.fields, members)
            except TypeError as error:  # a value that JSON has not, of a source that is not JSON
                reason = f"it cannot be written as JSON: {error}"
                failures.append(Failure.of(one.record, reason, one.id))
                continue
            actions.append(Action(one.id, one.record, body, chunk, bare=row in encoded.bare))
        return actions, failures
