"""Whatever is asked in whatever order: a cached encoder answers, bit for bit, as the encoder alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kokeshi.encoders.cache import CachedEncoder
from kokeshi.encoders.cache_file import CacheFile
from tests.unit.test_embedding_cache import CountingEncoder, Days

TEXTS = st.text(st.characters(), max_size=3)
BATCHES = st.lists(st.lists(TEXTS, max_size=8), max_size=6)


@settings(max_examples=25, deadline=None)
@given(batches=BATCHES, steps=st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_a_cached_encoder_answers_as_the_encoder_alone(batches, steps) -> None:
    with tempfile.TemporaryDirectory() as folder:
        days, plain, inner = Days(), CountingEncoder(), CountingEncoder()
        for batch, step in zip(batches, steps, strict=False):
            days.today += step
            encoder = CachedEncoder(inner, CacheFile(Path(folder) / "c", 10**9, today=days))
            np.testing.assert_array_equal(
                encoder.encode(batch).view(np.uint32), plain.encode(batch).view(np.uint32)
            )
            encoder.close()
        assert inner.seen == list(dict.fromkeys(text for batch in batches for text in batch))


@settings(max_examples=15, deadline=None)
@given(
    batches=st.lists(st.lists(st.integers(0, 400), max_size=80), min_size=1, max_size=12),
    limit=st.integers(60_000, 120_000),
)
def test_a_small_cache_answers_so_too_and_stays_small(batches, limit) -> None:
    with tempfile.TemporaryDirectory() as folder:
        days, plain = Days(), CountingEncoder()
        file = CacheFile(Path(folder) / "c", limit, today=days)
        encoder = CachedEncoder(CountingEncoder(), file)
        for batch in batches:
            days.today += 1
            texts = [f"text {number}" for number in batch]
            np.testing.assert_array_equal(encoder.encode(texts), plain.encode(texts))
        encoder.close()
        size = file.path.stat().st_size if file.path.exists() else 0
        assert size <= limit + 3 * 16_384
