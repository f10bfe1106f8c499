"""What changes an index: a whole document, some of its fields, or its end, each with a version or without.

A change is one JSON object:

    {"op": "index", "version": 16, "document": {"id": "p1", "title": "Shoe", "price": 12.5}}
    {"op": "update", "id": "p1", "version": 17, "document": {"price": 9.5}}
    {"op": "delete", "id": "p1", "version": 18}
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, cast, get_args

from kokeshi.encoders import Record
from kokeshi.errors import InputError
from kokeshi.ingest.actions import Failure
from kokeshi.ingest.documents import document_id, typed_fields
from kokeshi.ingest.sources import BadLine
from kokeshi.schema import IndexSpec
from kokeshi.types import Json

Op = Literal["index", "update", "delete"]

MOST: Final = 2**63 - 1
"""The largest version that an engine takes."""

_OPS: Final = get_args(Op)
_KEYS: Final = frozenset({"op", "id", "version", "document"})


@dataclass(frozen=True)
class Change:
    """One change. document: the whole document, or the fields to update, of their types; {} of a delete.

    version: None where the message has none. record: the message as it was read, for the dead letters.
    """

    op: Op
    id: str
    document: Json
    version: int | None
    record: Record

    def fail(self, reason: str) -> Failure:
        """Return the failure of this change."""
        return Failure.of(self.record, reason, self.id)


@dataclass(frozen=True)
class ChangeReport:
    """What became of changes: read = indexed + updated + deleted + stale + missing + failed.

    stale: older than what the index has, or had deleted. missing: deletes of a document that is not there.
    failed: in the dead letters, with their reason; updates of a document that is not there among them. What
    a newer change of the same batch overtook counts by its op.
    encoded: texts whose vector was computed; cached: those whose vector the cache had.
    """

    read: int = 0
    indexed: int = 0
    updated: int = 0
    deleted: int = 0
    stale: int = 0
    missing: int = 0
    failed: int = 0
    encoded: int = 0
    cached: int = 0
    seconds: float = 0.0
    failures_file: str | None = None
    first_failure: str | None = None

    def __add__(self, other: ChangeReport) -> ChangeReport:
        """Return the counts of both; the later one says where failures are."""
        counts = {
            one.name: getattr(self, one.name) + getattr(other, one.name)
            for one in fields(self)
            if one.name not in ("failures_file", "first_failure")
        }
        return ChangeReport(
            **counts,
            failures_file=other.failures_file or self.failures_file,
            first_failure=self.first_failure or other.first_failure,
        )

    @property
    def changed(self) -> int:
        """How many changes the index took."""
        return self.indexed + self.updated + self.deleted

    def to_json(self) -> Json:
        """Return what `--json` prints."""
        return asdict(self)


def parse_change(item: Record | BadLine, spec: IndexSpec) -> Change | Failure:
    """Return the change that a JSON object describes, or why it is none.

    item: its fields are the object; line and row are where it stands in its source. The id may be that of
    the document, in the field that the spec says.
    """
    if isinstance(item, BadLine):
        return item.fail()
    id_ = None
    try:
        op = _read_op(item.fields)
        version = _read_version(item.fields)
        document = _read_document(op, item.fields)
        id_ = _read_id(op, item, document, spec)
        return Change(op, id_, _typed(op, id_, item, document, spec), version, item)
    except InputError as error:
        return Failure.of(item, str(error), id_)


def _read_op(change: Json) -> Op:
    op = change.get("op")
    if op not in _OPS:
        raise InputError(f"op {op!r:.40}: one of {', '.join(_OPS)} is expected")
    if unknown := sorted(map(str, set(change) - _KEYS)):
        raise InputError(
            f"'{unknown[0]:.40}' is no part of a change, which has {', '.join(sorted(_KEYS))}; "
            "fields belong into document"
        )
    return cast("Op", op)


def _read_version(change: Json) -> int | None:
    version = change.get("version")
    if version is None:
        return None
    if isinstance(version, bool) or not isinstance(version, int) or not 0 <= version <= MOST:
        raise InputError(f"version {version!r:.40}: an integer from 0 to {MOST} is expected")
    return version


def _read_document(op: Op, change: Json) -> Json:
    document = change.get("document")
    if op == "delete":
        if document is not None:
            raise InputError(
                "document: a delete has none; leave it out, or take op index or update"
            )
        return {}
    if not isinstance(document, dict):
        raise InputError(
            f"document {document!r:.40}: an object is expected, with "
            + ("every field" if op == "index" else "the fields to update")
        )
    return document


def _read_id(op: Op, item: Record, document: Json, spec: IndexSpec) -> str:
    outer, inner = item.fields.get("id"), document.get(spec.id)
    if outer is None and op != "index":
        raise InputError(f"id: op {op} needs the id of its document")
    if outer is not None and inner is not None and str(outer) != str(inner):
        raise InputError(
            f"id {outer!r:.40}: the document has another, '{spec.id}' is {inner!r:.40}"
        )
    if inner is not None:
        document_id(Record(item.row, item.line, document), spec)  # not true, nor 1.0
    value: Any = inner if outer is None else outer
    return document_id(Record(item.row, item.line, {spec.id: value}), spec)


def _typed(op: Op, id_: str, item: Record, document: Json, spec: IndexSpec) -> Json:
    """Return the document with values of their types, and its id; an empty number is null in an update."""
    if op == "delete":
        return {}
    typed = typed_fields(Record(item.row, item.line, document), spec)
    if op == "update":
        return {name: typed.get(name) for name in document if name != spec.id}
    return typed if typed.get(spec.id) is not None else typed | {spec.id: id_}
