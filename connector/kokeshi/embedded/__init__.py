"""A real engine without a container: assembled from Maven artifacts, run as a plain process."""

from kokeshi.embedded.engine import EmbeddedEngine, EngineStatus, running_engine
from kokeshi.embedded.progress import OnProgress, Progress

__all__ = ["EmbeddedEngine", "EngineStatus", "OnProgress", "Progress", "running_engine"]
