"""Engines: what Kokeshi asks of one, and one module for each."""

from kokeshi.engines.base import BulkItem, Capabilities, Connection, Engine

__all__ = ["BulkItem", "Capabilities", "Connection", "Engine"]
