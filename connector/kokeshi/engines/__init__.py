"""Engines: what Kokeshi asks of one, and one module for each."""

from kokeshi.engines.base import AsyncEngine, Capabilities, Dialect, Engine, Flow
from kokeshi.engines.calls import Call
from kokeshi.engines.connection import Connection
from kokeshi.engines.items import BulkItem

__all__ = [
    "AsyncEngine",
    "BulkItem",
    "Call",
    "Capabilities",
    "Connection",
    "Dialect",
    "Engine",
    "Flow",
]
