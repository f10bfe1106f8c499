"""Fast, filterable, measurable vector search for Elasticsearch and OpenSearch product catalogues."""

from importlib.metadata import version

from kokeshi.async_index import AsyncIndex
from kokeshi.embedded import EmbeddedEngine
from kokeshi.encoders import Encoder
from kokeshi.engines import Connection
from kokeshi.engines.memory import MemoryEngine
from kokeshi.errors import KokeshiError
from kokeshi.filters import F, parse_filter
from kokeshi.index import Index
from kokeshi.results import Hit, SearchResult
from kokeshi.schema import IndexSpec, SearchPlan, load_plan, load_spec

__version__ = version("kokeshi")

__all__ = [
    "AsyncIndex",
    "Connection",
    "EmbeddedEngine",
    "Encoder",
    "F",
    "Hit",
    "Index",
    "IndexSpec",
    "KokeshiError",
    "MemoryEngine",
    "SearchPlan",
    "SearchResult",
    "__version__",
    "load_plan",
    "load_spec",
    "parse_filter",
]
