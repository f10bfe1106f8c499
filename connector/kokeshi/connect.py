"""Which engine: arguments, environment, credential file, `kokeshi.yaml`; else the running embedded one."""

from __future__ import annotations

from kokeshi.embedded import running_engine
from kokeshi.engines import AsyncEngine, Connection, Engine
from kokeshi.engines.http import AsyncHttpEngine, HttpEngine
from kokeshi.engines.settings import Settings, give, read_environment, resolve
from kokeshi.errors import EngineError
from kokeshi.schema.engine import EngineSpec

Target = Connection | Settings | str | None
"""What names an engine: a connection as it is; or settings, or an address, that other sources complete."""


def connect(target: Target = None, spec: EngineSpec | None = None) -> Engine:
    """Return an engine to talk to; nothing is sent yet. spec: the section `engine:` of `kokeshi.yaml`.

    Raises EngineError where settings are unusable, or no address is known and no embedded engine runs.
    """
    return HttpEngine(find_connection(target, spec) or _embedded())


def connect_async(target: Target = None, spec: EngineSpec | None = None) -> AsyncEngine:
    """Return an engine to talk to from asyncio; as `connect`."""
    return AsyncHttpEngine(find_connection(target, spec) or _embedded())


def find_connection(target: Target = None, spec: EngineSpec | None = None) -> Connection | None:
    """Return the connection that all sources together name; None where none has an address."""
    if isinstance(target, Connection):
        return target
    given = target if isinstance(target, Settings) else give(url=target or None)
    section = spec.model_dump(exclude_none=True) if spec else {}
    return resolve(given, read_environment(), give(**section))


def _embedded() -> Connection:
    status = running_engine()
    if status is None or not status.url:
        raise EngineError(
            "no engine is running: start one with `kokeshi engine start`, "
            "or name yours with --url or KOKESHI_URL"
        )
    return Connection(status.url)
