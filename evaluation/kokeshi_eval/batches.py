"""Many queries in few calls; a query that the engine cannot parse is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import orjson

from kokeshi.errors import EngineError
from kokeshi.types import Json
from kokeshi_eval.ranking import Path

T = TypeVar("T")

MAX_REQUESTS = 100
"""Queries in one call: they run under one timeout, and more in one call is hardly faster."""

MAX_BYTES = 8_000_000
"""Bytes of one call: engines refuse a body above 100 MB, proxies often one above 10 MB."""


def send_batches(
    path: Path, requests: Sequence[Json], send: Callable[[Sequence[Json]], T]
) -> Iterator[tuple[list[Json], T]]:
    """Send requests, each with the query as its `id`, in batches; yield each with its answer.

    Raises EngineError, naming the query where it is one that the engine refuses.
    """
    for batch in build_batches(requests):
        yield batch, _send(path, batch, send)


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


def _send(path: Path, batch: Sequence[Json], send: Callable[[Sequence[Json]], T]) -> T:
    """Send one batch; one query that cannot be parsed fails all of it, so find which and name it."""
    try:
        return send(batch)
    except EngineError as error:
        if error.status != 400:
            raise
        if len(batch) == 1:
            raise EngineError(
                f"{path} refused query '{batch[0]['id']}': {error}", status=400
            ) from None
        for request in batch:
            _send(path, [request], send)
        raise  # each was accepted alone: the batch as a whole is what the engine refused
