"""Requests over the connection pools (urllib3) that the nodes of both client libraries hold.

The pools are used directly: choosing a node, trying again and reading the JSON is Kokeshi's own, and the
clients' way to their pools takes as long again as a request over an open connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from urllib3 import HTTPConnectionPool, Retry, Timeout
from urllib3.exceptions import EmptyPoolError, HTTPError

from kokeshi.engines.transport import Reply, Request, TransportError, diagnose

_ONCE: Final = Retry(False)
"""Neither again nor after a redirect, which would make a GET without a body of a search."""


class PoolTransport:
    """The nodes of one cluster.

    prefixes: the paths before those of the engine, by node. headers: what the client says of itself.
    """

    def __init__(
        self,
        pools: Sequence[HTTPConnectionPool],
        prefixes: Sequence[str],
        headers: Mapping[str, str],
    ) -> None:
        self._pools = pools
        self._prefixes = prefixes
        self._headers = dict(headers)

    def send(self, node: int, request: Request, timeout: float) -> Reply:
        """Send to a node; raises TransportError where no answer came.

        timeout: until the connection stands, and again for every pause of the answer.
        """
        try:
            response = self._pools[node].urlopen(
                request.method,
                self._prefixes[node] + request.target,
                request.content,
                {**self._headers, **request.headers},
                _ONCE,
                redirect=False,
                timeout=Timeout(total=timeout),
                pool_timeout=timeout,  # type: ignore[arg-type] # a part of a second will do
            )
        except EmptyPoolError:
            raise TransportError("timeout", "every connection is in use") from None
        except HTTPError as error:
            raise diagnose(error) from None
        return Reply(response.status, response.headers, response.data)

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools:
            pool.close()
