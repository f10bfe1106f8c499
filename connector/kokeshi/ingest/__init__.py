"""From a file of documents to an index: read, encode, send in bounded batches, keep what failed."""

from kokeshi.ingest.pipeline import IngestProgress, IngestReport, Pacing, ingest_records
from kokeshi.ingest.shards import Shard
from kokeshi.ingest.sources import BadLine, Source

__all__ = [
    "BadLine",
    "IngestProgress",
    "IngestReport",
    "Pacing",
    "Shard",
    "Source",
    "ingest_records",
]
