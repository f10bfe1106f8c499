"""An engine in memory: no server, exact answers, the oracle of every plan."""

from kokeshi.engines.memory.engine import AsyncMemoryEngine, MemoryEngine

__all__ = ["AsyncMemoryEngine", "MemoryEngine"]
