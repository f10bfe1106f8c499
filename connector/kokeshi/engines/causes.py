"""Why an engine refused something, from the error that it answered with."""

from __future__ import annotations

from kokeshi.types import Json


def describe_cause(error: Json) -> str:
    """Return `type: reason` of the innermost cause."""
    cause = find_cause(error)
    return f"{cause.get('type', 'error')}: {cause.get('reason', 'no reason given')}"


def find_cause(error: Json) -> Json:
    """Return the innermost cause, which is the one that helps: `type` and `reason`."""
    for shard in error.get("failed_shards", [])[:1]:
        return find_cause(shard.get("reason", {}))
    while isinstance(error.get("caused_by"), dict):
        error = error["caused_by"]
    return error
