"""Which engine: an explicit address, else KOKESHI_URL, else the running embedded engine."""

from __future__ import annotations

from kokeshi.embedded import running_engine
from kokeshi.engines import Connection, Engine
from kokeshi.engines.opensearch import OpenSearchEngine
from kokeshi.errors import EngineError


def connect(connection: Connection | str | None = None) -> Engine:
    """Return an engine to talk to; nothing is sent yet.

    Raises EngineError where no address is known and no embedded engine runs.
    """
    if not isinstance(connection, Connection):
        connection = Connection.from_environment(connection) or _embedded()
    return OpenSearchEngine(connection)


def _embedded() -> Connection:
    status = running_engine()
    if status is None or not status.url:
        raise EngineError(
            "no engine is running: start one with `kokeshi engine start`, "
            "or name yours with --url or KOKESHI_URL"
        )
    return Connection(status.url)
