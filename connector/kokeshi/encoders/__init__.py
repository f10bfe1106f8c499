"""Encoders: text (or whatever a document names) to vectors. Found by entry point, checked once."""

from kokeshi.encoders.base import (
    NO_ROW,
    ClosableEncoder,
    Encoder,
    QueryEncoder,
    Record,
    RecordEncoder,
    close_encoders,
)
from kokeshi.encoders.cache import CacheCounts, cache_counts
from kokeshi.encoders.checks import check_query, embed_query, embed_records
from kokeshi.encoders.registry import encoder_names, load_encoder

__all__ = [
    "NO_ROW",
    "CacheCounts",
    "ClosableEncoder",
    "Encoder",
    "QueryEncoder",
    "Record",
    "RecordEncoder",
    "cache_counts",
    "check_query",
    "close_encoders",
    "embed_query",
    "embed_records",
    "encoder_names",
    "load_encoder",
]
