"""Many queries in few calls; a query that the engine cannot parse is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import orjson

from kokeshi.errors import EngineError
from kokeshi.types import Json
from kokeshi_eval.ranking import first_line

T = TypeVar("T")

MAX_REQUESTS = 100
"""Queries in one call: they run under one timeout, and more in one call is hardly faster."""

MAX_BYTES = 8_000_000
"""Bytes of one call: engines refuse a body above 100 MB, proxies often one above 10 MB."""


def send_batches(
    what: str,
    requests: Sequence[Json],
    send: Callable[[Sequence[Json]], T],
    explain: Callable[[str], str | None] = lambda _: None,
) -> Iterator[tuple[list[Json], T]]:
    """Send requests, each with the query as its `id`, in batches; yield each with its answer.

    what: is asked, for messages. explain: from a query that is refused to a better reason than the
    refusal's. Raises EngineError, naming the query where it is one that the engine refuses, and the
    first and the last of a batch that got no answer.
    """
    for batch in build_batches(requests):
        yield batch, _send(what, batch, send, explain)


def build_batches(
    requests: Sequence[Json], *, max_requests: int = MAX_REQUESTS, max_bytes: int = MAX_BYTES
) -> Iterator[list[Json]]:
    """Yield the requests in order, in batches within both bounds; a larger request goes alone."""
    batch: list[Json] = []
    filled = 0
    for request in requests:
        length = len(orjson.dumps(request)) + 1
        if batch and (len(batch) == max_requests or filled + length > max_bytes):
            yield batch
            batch, filled = [], 0
        batch.append(request)
        filled += length
    if batch:
        yield batch


def _send(
    what: str,
    batch: Sequence[Json],
    send: Callable[[Sequence[Json]], T],
    explain: Callable[[str], str | None],
) -> T:
    """Send one batch; one query that cannot be parsed fails all of it, so find which and name it."""
    try:
        return send(batch)
    except EngineError as error:
        if error.status != 400:
            text = f"{what} of {_describe(batch)}: {error}"
            raise EngineError(text, status=error.status) from error
        if len(batch) == 1:
            query = batch[0]["id"]
            text = f"{what} refused query '{query}': {first_line(explain(query) or error)}"
            raise EngineError(text, status=400) from None
        for request in batch:
            _send(what, [request], send, explain)
        raise  # each was accepted alone: the batch as a whole is what the engine refused


def _describe(batch: Sequence[Json]) -> str:
    first, last = batch[0]["id"], batch[-1]["id"]
    return f"'{first}'" if len(batch) == 1 else f"{len(batch)} queries, '{first}' to '{last}'"
