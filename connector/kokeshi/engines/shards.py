"""Whether every shard of a search has answered.

Where a node dies, both engines answer with the hits of the other shards, status 200. The shard that was being
fetched from is listed as a failure; one without a copy that runs too, on Elasticsearch, while on OpenSearch
only the counts tell. The same search soon has a complete answer, by another copy.
"""

from __future__ import annotations

import re
from typing import Final

import orjson

from kokeshi.engines.causes import find_cause
from kokeshi.types import Json

NO_COPY: Final = "no_shard_available_action_exception"
PASSING: Final = frozenset(
    {
        "connect_transport_exception",
        "es_rejected_execution_exception",
        "no_node_available_exception",
        NO_COPY,
        "node_closed_exception",
        "node_disconnected_exception",
        "node_not_connected_exception",
        "rejected_execution_exception",
        "search_context_missing_exception",
    }
)
"""Types of failures of a shard whose node is away or busy."""

_SHARDS: Final = b'"_shards":{"total":'
_COUNTS: Final = re.compile(rb'(\d+),"successful":(\d+)')


def can_be_completed(content: bytes) -> bool:
    """Whether the same searches can have a better answer later: a node was away or busy."""
    if not _has_gap(content):  # without parsing every answer twice
        return False
    body = orjson.loads(content)
    return any(_can_be_completed(answer) for answer in body.get("responses", [body]))


def count_missing(shards: Json) -> int:
    """Return how many shards have not answered, from the `_shards` of an answer."""
    total: int = shards.get("total", 0)
    answered: int = shards.get("successful", total)
    return total - answered


def _has_gap(content: bytes) -> bool:
    if b'"status":429' in content or b'"status":503' in content:
        return True
    counts = (_COUNTS.match(part) for part in content.split(_SHARDS)[1:])
    return any(found is not None and found[1] != found[2] for found in counts)


def _can_be_completed(answer: Json) -> bool:
    if answer.get("status") in (429, 503):
        return True
    shards = answer.get("_shards", {})
    failures = (find_cause(one.get("reason", {})) for one in shards.get("failures", ()))
    return count_missing(shards) > 0 and all(cause.get("type") in PASSING for cause in failures)
