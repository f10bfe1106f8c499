"""The embedding cache: a text that was encoded once is not encoded again.

A vector is kept by SHA-256 of what made it: the encoder's name, its options, the dimension, and the text. So
another model, or another template, finds nothing of the old one, and nothing ever needs to be declared stale.
Queries are not kept: they are few at a time, and what users look for does not belong on a disk.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import orjson
import platformdirs

from kokeshi.encoders.base import ClosableEncoder, Encoder, QueryEncoder, RecordEncoder
from kokeshi.encoders.cache_file import CacheFile
from kokeshi.errors import EncoderError
from kokeshi.schema import CacheSpec, VectorSpec
from kokeshi.types import Float32

VARIABLE: Final = "KOKESHI_EMBEDDING_CACHE"
"""The environment variable that comes before the spec: `on`, `off`, or the path of the file."""

FAST: Final = frozenset({"wordllama"})
"""Encoders that are cached only where one asks for it: they keep ahead of any engine without."""

_WITHOUT_EFFECT: Final[Mapping[str, frozenset[str]]] = {
    "onnx-text": frozenset({"folder", "model", "tokenizer", "threads", "query_prefix"}),
    "sentence-transformers": frozenset({"device", "batch", "query_prefix"}),
    "http": frozenset(
        {"key_variable", "batch", "concurrency", "timeout", "retries", "ca_file", "query_prefix"}
    ),
}
"""Encoder -> options that do not change a document's vector, or do so by what its name says."""


@dataclass(frozen=True)
class CacheCounts:
    """asked: texts of which a vector was wanted; encoded: of these, how many the encoder was given."""

    asked: int
    encoded: int

    @property
    def hit_rate(self) -> float:
        """The share of the texts that were not encoded; 0 where there were none."""
        return self.cached / self.asked if self.asked else 0.0

    @property
    def cached(self) -> int:
        """How many of the texts were not encoded."""
        return self.asked - self.encoded

    def __sub__(self, earlier: CacheCounts) -> CacheCounts:
        """Return what was asked since `earlier`."""
        return CacheCounts(self.asked - earlier.asked, self.encoded - earlier.encoded)


class CachedEncoder:
    """An encoder with its cache in front; a text that stands twice in a batch is encoded once.

    A vector with NaN, infinite components, or zeros alone is handed on but not kept: a fault of a server
    must not outlast it.
    """

    def __init__(
        self, encoder: Encoder, file: CacheFile, options: Mapping[str, object] | None = None
    ) -> None:
        self._encoder = encoder
        self._file = file
        self._lock = threading.Lock()
        self._counts = CacheCounts(0, 0)
        self._identity = sha256()
        for part in (encoder.name, encoder.dim, dict(options or {})):
            content = orjson.dumps(part, option=orjson.OPT_SORT_KEYS, default=repr)
            self._identity.update(len(content).to_bytes(8, "big") + content)

    @property
    def name(self) -> str:
        """The identity of the model: that of the encoder."""
        return self._encoder.name

    @property
    def dim(self) -> int:
        """The dimension of the vectors."""
        return self._encoder.dim

    @property
    def counts(self) -> CacheCounts:
        """What was asked for so far, and how much of it was encoded."""
        return self._counts

    def encode(self, batch: Sequence[str]) -> Float32:
        """Return the vectors (N, dim) float32 of N documents, bit for bit as they were first made."""
        keys = [self._key(text) for text in batch]
        found = self._file.get(list(dict.fromkeys(keys)), self.dim)
        missing = {key: text for key, text in zip(keys, batch, strict=True) if key not in found}
        if missing:
            made = dict(zip(missing, self._encode([*missing.values()]), strict=True))
            self._file.put({key: vector for key, vector in made.items() if _is_sound(vector)})
            found |= made
        self._count(len(batch), len(missing))
        vectors = np.empty((len(batch), self.dim), np.float32)
        for row, key in enumerate(keys):
            vectors[row] = found[key]
        return vectors

    def encode_queries(self, batch: Sequence[str]) -> Float32:
        """Return the vectors (N, dim) float32 of N queries, always encoded."""
        if isinstance(self._encoder, QueryEncoder):
            return self._encoder.encode_queries(batch)
        return self._encoder.encode(batch)

    def close(self) -> None:
        """Close the file, and the encoder where it holds connections."""
        self._file.close()
        if isinstance(self._encoder, ClosableEncoder):
            self._encoder.close()

    def _encode(self, texts: Sequence[str]) -> Float32:
        vectors = np.asarray(self._encoder.encode(texts), np.float32)
        if vectors.shape != (len(texts), self.dim):
            raise EncoderError(
                f"encoder {self.name}: the shape {(len(texts), self.dim)} is expected, "
                f"found {vectors.shape}"
            )
        return vectors

    def _key(self, text: str) -> bytes:
        whole = self._identity.copy()
        whole.update(text.encode(errors="surrogatepass"))
        return whole.digest()

    def _count(self, asked: int, encoded: int) -> None:
        with self._lock:
            before = self._counts
            self._counts = CacheCounts(before.asked + asked, before.encoded + encoded)


def with_cache(encoder: Encoder, spec: VectorSpec) -> Encoder:
    """Return an encoder with the cache that its spec or the environment gives it, or as it is.

    An encoder of records, such as `precomputed`, has no texts to find vectors by.
    """
    if isinstance(encoder, RecordEncoder):
        return encoder
    file = find_cache(spec, os.environ)
    if file is None:
        return encoder
    unimportant = _WITHOUT_EFFECT.get(spec.encoder.name, frozenset())
    options = {k: v for k, v in spec.encoder.options.items() if k not in unimportant}
    return CachedEncoder(encoder, file, options)


def find_cache(spec: VectorSpec, environment: Mapping[str, str]) -> CacheFile | None:
    """Return the cache of a vector, not opened yet; None where it has none.

    One that was asked for, in the spec or the environment, must be usable; the default one need not.
    """
    chosen = environment.get(VARIABLE, "")
    asked = bool(chosen) or bool(spec.cache)
    wanted = asked if chosen or spec.cache is not None else spec.encoder.name not in FAST
    if chosen == "off" or not wanted:
        return None
    section = spec.cache if isinstance(spec.cache, CacheSpec) else CacheSpec()
    path = (chosen if chosen != "on" else "") or section.path
    where = Path(path).expanduser() if path else default_path(environment)
    return CacheFile(where, int(section.limit_gb * 1e9), required=asked)


def default_path(environment: Mapping[str, str]) -> Path:
    """Return where vectors are kept: in KOKESHI_CACHE, else in the user's cache folder."""
    folder = environment.get("KOKESHI_CACHE")
    base = Path(folder).expanduser() if folder else platformdirs.user_cache_path("kokeshi")
    return base / "embeddings.sqlite"


def cache_counts(encoders: Mapping[str, Encoder]) -> CacheCounts:
    """Return what the caches of encoders were asked together; zeros where none has one."""
    counts = [encoder.counts for encoder in encoders.values() if isinstance(encoder, CachedEncoder)]
    return CacheCounts(sum(one.asked for one in counts), sum(one.encoded for one in counts))


def _is_sound(vector: Float32) -> bool:
    return bool(np.isfinite(vector).all() and vector.any())
