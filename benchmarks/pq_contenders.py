"""Who makes codes: Kokeshi, faiss, nanopq, ScaNN; each trains, encodes and scans in its own way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.pq_data import Words
from kokeshi.codes.in_process import build_faiss_index
from kokeshi.codes.product import ProductQuantizer
from kokeshi.codes.score_aware import ScoreAwareQuantizer
from kokeshi.types import Float32

TOP = 100
THRESHOLD = 0.2
SCANS = 10
"""Queries by which the scan is timed, one at a time."""

NANOPQ_ROWS = 65_536
"""nanopq has no sample of its own; so many rows are what faiss takes for 256 codewords."""

Ids = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Setting:
    """subvectors of 100 dimensions; bits of each code."""

    subvectors: int
    bits: int

    def __str__(self) -> str:
        return f"{self.subvectors} × {self.bits}"


@dataclass(frozen=True)
class Measured:
    """training_s: CPU seconds. encoded, scanned: vectors a CPU second. found: (1000, 100) ids, best first."""

    training_s: float
    encoded: float
    scanned: float
    found: Ids


Contender = Callable[[Words, Setting], Measured]
"""What measures one contender on words in a setting."""


def cpu_seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long an action keeps this process's processors busy, and its result."""
    started = time.process_time()
    result = action()
    return time.process_time() - started, result


def _rate(count: int, action: Callable[[], Any]) -> float:
    return count / cpu_seconds(action)[0]


def best_ids(vectors: Float32, queries: Float32) -> Ids:
    """Return the ids (Q, 100) of the highest dot products with vectors (N, D), best first."""
    found = []
    for part in np.split(queries, 10):
        scores = part @ vectors.T
        ids = np.argpartition(scores, -TOP, axis=1)[:, -TOP:]
        order = np.argsort(-np.take_along_axis(scores, ids, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(ids, order, axis=1))
    return np.concatenate(found)


def kokeshi_plain(words: Words, setting: Setting) -> Measured:
    """Kokeshi's codes of the plain loss."""
    return _kokeshi(ProductQuantizer(setting.subvectors, 2**setting.bits), words, setting)


def kokeshi_score_aware(words: Words, setting: Setting) -> Measured:
    """Kokeshi's codes of the score-aware loss."""
    quantizer = ScoreAwareQuantizer(setting.subvectors, 2**setting.bits, threshold=THRESHOLD)
    return _kokeshi(quantizer, words, setting)


def _kokeshi(quantizer: ProductQuantizer, words: Words, setting: Setting) -> Measured:
    rng = np.random.default_rng(words.seed)
    training, _ = cpu_seconds(lambda: quantizer.fit(words.base, rng=rng))
    encoding, codes = cpu_seconds(lambda: quantizer.encode(words.base))
    index = build_faiss_index(quantizer, codes, fast=setting.bits == 4)
    found = best_ids(quantizer.decode(codes), words.queries)
    return Measured(training, len(codes) / encoding, _scan(index.search, words), found)


def _scan(search: Callable[[Float32, int], Any], words: Words) -> float:
    queries = words.queries[: SCANS + 1, None]
    search(queries[0], TOP)
    return _rate(SCANS * len(words.base), lambda: [search(query, TOP) for query in queries[1:]])


def faiss_plain(words: Words, setting: Setting) -> Measured:
    """The ProductQuantizer of faiss and, to scan, IndexPQ or IndexPQFastScan."""
    import faiss

    index: Any = faiss.IndexPQ(100, setting.subvectors, setting.bits, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.seed = words.seed
    training, _ = cpu_seconds(lambda: index.train(words.base))
    encoding, codes = cpu_seconds(lambda: index.sa_encode(words.base))
    index.add_sa_codes(codes)
    found = best_ids(index.sa_decode(codes), words.queries)
    scanned = faiss.IndexPQFastScan(index) if setting.bits == 4 else index
    return Measured(training, len(codes) / encoding, _scan(scanned.search, words), found)


def nanopq_plain(words: Words, setting: Setting) -> Measured:
    """nanopq; its scan is NumPy's."""
    import nanopq

    rng = np.random.default_rng(words.seed)
    rows = rng.choice(len(words.base), min(NANOPQ_ROWS, len(words.base)), replace=False)
    quantizer = nanopq.PQ(setting.subvectors, 2**setting.bits, metric="dot", verbose=False)
    trained = words.base[rows]
    training, _ = cpu_seconds(lambda: quantizer.fit(trained, seed=words.seed))
    encoding, codes = cpu_seconds(lambda: quantizer.encode(words.base))
    found = best_ids(quantizer.decode(codes), words.queries)

    def search(query: Float32, k: int) -> Ids:
        scores = quantizer.dtable(query[0]).adist(codes)
        ids: Ids = np.argpartition(scores, -k)[-k:]
        return ids

    return Measured(training, len(codes) / encoding, _scan(search, words), found)


def scann_plain(words: Words, setting: Setting) -> Measured:
    """ScaNN without a tree and without reordering; what it finds is by tables of 8 bits."""
    return _scann(words, setting, math.nan)


def scann_score_aware(words: Words, setting: Setting) -> Measured:
    """ScaNN with the score-aware loss."""
    return _scann(words, setting, THRESHOLD)


def _scann(words: Words, setting: Setting, threshold: float) -> Measured:
    """ScaNN trains and encodes in one, and takes no seed: its sample changes with the rows' order.

    Encoding is the difference between all rows and a quarter of them after next to no training, and
    training is the rest of a build.
    """
    rows = words.base
    few = len(rows) // 4
    most, _ = cpu_seconds(lambda: _build_scann(rows, setting, threshold, 1000, 1))
    least, _ = cpu_seconds(lambda: _build_scann(rows[:few], setting, threshold, 1000, 1))
    encoded = (len(rows) - few) / (most - least)
    whole, searcher = cpu_seconds(lambda: _build_scann(rows, setting, threshold, 100_000, 10))
    scanned = _scan(lambda query, k: searcher.search(query[0], k), words)
    found, _ = searcher.search_batched(words.queries)
    return Measured(whole - len(rows) / encoded, encoded, scanned, found)


def _build_scann(
    rows: Float32, setting: Setting, threshold: float, sample: int, iterations: int
) -> Any:  # noqa: ANN401
    from scann import scann_ops_pybind

    builder = scann_ops_pybind.builder(rows, TOP, "dot_product").set_n_training_threads(1)
    return builder.score_ah(
        100 // setting.subvectors,
        anisotropic_quantization_threshold=threshold,
        hash_type="lut16" if setting.bits == 4 else "lut256",
        training_sample_size=sample,
        training_iterations=iterations,
    ).build()


CONTENDERS: Mapping[str, Contender] = {
    "Kokeshi": kokeshi_plain,
    "faiss": faiss_plain,
    "nanopq": nanopq_plain,
    "ScaNN": scann_plain,
    "Kokeshi, score-aware": kokeshi_score_aware,
    "ScaNN, score-aware": scann_score_aware,
}
