"""The changes of one id in one batch, folded into one action: what they would come to one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kokeshi.changes.model import Change, Op
from kokeshi.encoders import Encoder, RecordEncoder
from kokeshi.encoders.precomputed import PrecomputedEncoder
from kokeshi.engines.calls import Stored
from kokeshi.merging import merge
from kokeshi.schema import IndexSpec
from kokeshi.types import Json

Fate = Literal["indexed", "updated", "deleted", "stale", "missing", "absent"]
"""What becomes of a change. missing: nothing to delete; absent: nothing to update."""

_FATES: dict[Op, Fate] = {"index": "indexed", "update": "updated", "delete": "deleted"}


@dataclass(frozen=True)
class Step:
    """What changes of one id come to. fates: of each, where the engine takes the action.

    op: None where there is nothing to send. fields: of the whole document, or those to update. remade:
    vectors to be made anew. condition: what the action line says of versions.
    """

    changes: Sequence[Change]
    fates: Sequence[Fate]
    op: Op | None
    fields: Json
    remade: frozenset[str]
    condition: Json

    @property
    def id(self) -> str:
        """The id of the document."""
        return self.changes[0].id


class Shape:
    """What of a document its vectors are made from.

    made: fields that no document says, as they are computed: vectors, prefixes, codes.
    """

    def __init__(self, spec: IndexSpec, encoders: Mapping[str, Encoder]) -> None:
        self.vectors = frozenset(spec.vectors)
        columns = {e.column for e in encoders.values() if isinstance(e, PrecomputedEncoder)}
        self._made = frozenset({*spec.vector_fields(), *spec.code_fields()} - columns)
        self._sources = {name: _sources(spec, name, encoders[name]) for name in spec.vectors}

    def touched(self, update: Json) -> frozenset[str]:
        """Return the vectors that an update changes: those made from a field of it."""
        return frozenset(
            name
            for name, sources in self._sources.items()
            if (update if sources is None else not sources.isdisjoint(update))
        )

    def given(self, update: Json) -> Json:
        """Return an update without what a document cannot say."""
        return {name: value for name, value in update.items() if name not in self._made}


def _sources(spec: IndexSpec, name: str, encoder: Encoder) -> frozenset[str] | None:
    """Return the fields that a vector is made from; None where any may be."""
    template = spec.vectors[name].template
    if isinstance(encoder, PrecomputedEncoder):
        return frozenset({encoder.column} if encoder.column else ())
    if isinstance(encoder, RecordEncoder) or template is None:
        return None
    return frozenset(template.fields)


def fold(changes: Sequence[Change], shape: Shape) -> Step | None:
    """Return what changes of one id come to; None where what the engine has must be read first."""
    versioned = [change.version is not None for change in changes]
    if all(versioned):
        if any(change.op == "update" for change in changes):
            return None  # the engines know no version of a partial update
        return _fold_versioned(changes, shape)
    return None if any(versioned) else _fold_plain(changes, shape)


def _fold_versioned(changes: Sequence[Change], shape: Shape) -> Step:
    """The newest one stays; of equal versions the last."""
    newest, fates = changes[0], list[Fate]()
    for change in changes:
        old = (change.version or 0) < (newest.version or 0)
        newest = newest if old else change
        fates.append("stale" if old else _FATES[change.op])
    remade = shape.vectors if newest.op == "index" else frozenset()
    return Step(changes, fates, newest.op, newest.document, remade, _external(newest.version))


def _fold_plain(changes: Sequence[Change], shape: Shape) -> Step | None:
    """The last whole document or delete stays, with the updates after it."""
    fates: list[Fate] = [_FATES[change.op] for change in changes]
    whole = [place for place, change in enumerate(changes) if change.op != "update"]
    start = whole[-1] if whole else 0
    updates = [shape.given(change.document) for change in changes[start + bool(whole) :]]
    if whole and changes[start].op == "delete":
        after: list[Fate] = ["absent"] * len(updates)
        return Step(changes, fates[: start + 1] + after, "delete", {}, frozenset(), {})
    fields = changes[start].document if whole else {}
    for update in updates:
        fields = merge(fields, update)
    if whole:
        return Step(changes, fates, "index", fields, shape.vectors, {})
    if shape.touched(fields):
        return None
    return Step(changes, fates, "update", fields, frozenset(), {"retry_on_conflict": 3})


def fold_read(changes: Sequence[Change], stored: Stored, shape: Shape) -> Step:
    """Return what changes of one id come to, knowing what the engine has of the document."""
    fields, version = stored.source, stored.version
    fates, remade = list[Fate](), frozenset[str]()
    last: Change | None = None
    external = False
    for change in changes:
        if change.version is not None and version is not None and change.version < version:
            fates.append("stale")
            continue
        if change.op == "update" and fields is None:
            fates.append("absent")
            continue
        fates.append("missing" if change.op == "delete" and fields is None else _FATES[change.op])
        fields, remade = _apply(change, fields, remade, shape)
        if change.version is not None:
            version, external = change.version, True
        elif version is not None:
            version += 1  # as the engine counts
        last = change
    op: Op | None = None if last is None else "delete" if fields is None else "index"
    condition = _external(version) if external else stored.condition
    return Step(changes, fates, op, fields or {}, remade, condition)


def _apply(
    change: Change, fields: Json | None, remade: frozenset[str], shape: Shape
) -> tuple[Json | None, frozenset[str]]:
    """Return the document after a change, and which of its vectors are to be made."""
    if change.op == "delete":
        return None, frozenset()
    if change.op == "index" or fields is None:
        return change.document, shape.vectors
    update = shape.given(change.document)
    return merge(fields, update), remade | shape.touched(update)


def _external(version: int | None) -> Json:
    return {"version": version, "version_type": "external_gte"}
