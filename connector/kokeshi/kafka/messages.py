"""One message of a Kafka topic to one change. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from kokeshi.changes.model import Change, parse_change
from kokeshi.encoders import Record
from kokeshi.errors import InputError
from kokeshi.ingest.actions import Failure
from kokeshi.ingest.sources import parse_object
from kokeshi.schema import IndexSpec
from kokeshi.types import Json

Versions = Literal["message", "timestamp"]
"""Where versions come from: the message, else the timestamp of its record; or always the latter."""


@dataclass(frozen=True)
class Message:
    """One record of a partition. value: None for a tombstone. timestamp: ms since 1970, None without one."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int | None


def read_message(
    message: Message, spec: IndexSpec, versions: Versions = "message"
) -> Change | Failure:
    """Return the change that a message stands for, or why it stands for none.

    The place of its record is that of the message: row is the partition, line the offset.
    """
    try:
        fields = _read_fields(message, spec)
        if versions == "timestamp" or fields.get("version") is None:
            fields["version"] = _read_timestamp(message)
    except InputError as error:
        key = None if message.key is None else message.key[:512].decode(errors="replace")
        # all of it: the topic may forget it
        value = (message.value or b"").decode(errors="replace")
        return Failure(message.offset, str(error), value, key, message.partition)
    found = parse_change(Record(message.partition, message.offset, fields), spec)
    if isinstance(found, Failure) and found.id is None and isinstance(fields.get("id"), str):
        return replace(found, id=fields["id"])
    return found


def _read_fields(message: Message, spec: IndexSpec) -> Json:
    if message.value is None:
        if not message.key:
            raise InputError("neither key nor value; a tombstone has the id of its document as key")
        return {"op": "delete", "id": _read_key(message.key)}
    fields = parse_object(message.value)
    if fields.get("id") is None and message.key and not _names_itself(fields, spec):
        fields["id"] = _read_key(message.key)
    return fields


def _names_itself(fields: Json, spec: IndexSpec) -> bool:
    """Whether it is a whole document with an id of its own, which its key need not be."""
    document = fields.get("document")
    return (
        fields.get("op") == "index"
        and isinstance(document, dict)
        and document.get(spec.id) is not None
    )


def _read_key(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        raise InputError(f"the key {key!r:.40} is no UTF-8, but stands for the id") from None


def _read_timestamp(message: Message) -> int:
    if message.timestamp is None:
        raise InputError("neither the message nor its record has a version: a timestamp is needed")
    return message.timestamp
