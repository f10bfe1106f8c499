"""What became of the documents of a bulk request."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from kokeshi.engines.causes import describe_cause
from kokeshi.errors import EngineError
from kokeshi.types import Json

CLOSED_FOR_NOW: Final = frozenset({"cluster_block_exception", "index_closed_exception"})
"""Errors of an item that say that its index takes nothing for now, whatever the document."""

OF_NO_DOCUMENT: Final = frozenset({"security_exception", "index_not_found_exception"})
"""Errors of an item that are those of the whole request."""


class BulkItem(NamedTuple):
    """What became of one document of a bulk request. reason: None where it was indexed.

    status: as the engine gave it, but 503 where the index takes nothing for now, for which engines have
    403, 429 and 400.
    """

    status: int
    reason: str | None = None

    @property
    def retryable(self) -> bool:
        """Whether the same document can succeed later: the engine was busy or a node was away."""
        return self.status == 429 or self.status >= 500


def read_item(index: str, item: Json) -> BulkItem:
    """Return what became of one document; raises EngineError where the error is that of the request."""
    (result,) = item.values()
    if "error" not in result:
        return _taken(result["status"])
    error, status = result["error"], result["status"]
    reason = _describe_item(error)
    if error.get("type") in OF_NO_DOCUMENT:
        raise EngineError(f"bulk of '{index}': {reason}", status=status)
    return BulkItem(503 if error.get("type") in CLOSED_FOR_NOW else status, reason)


@cache
def _taken(status: int) -> BulkItem:
    """Nearly all items are this one: making it anew takes longer than all else that is done with an item."""
    return BulkItem(status)


def _describe_item(error: Json) -> str:
    """The outermost reason names the field and its value, the innermost what is wrong with it."""
    cause = describe_cause(error)
    return f"{error.get('reason', '')}; {cause}" if error.get("caused_by") else cause
