"""Train a codebook on a sample of vectors, and measure it on others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import numpy as np

from kokeshi.codes.cells import Cells
from kokeshi.codes.checks import check_vectors
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.codes.quality import Quality, measure_quality
from kokeshi.codes.rotation import OpqRotation
from kokeshi.codes.sample import check_sample
from kokeshi.codes.score_aware import ScoreAwareQuantizer
from kokeshi.errors import CodebookError
from kokeshi.types import Float32

OnProgress = Callable[[str, float], None]
"""Called with what is done next, and how much is done, 0 to 1."""


@dataclass(frozen=True)
class TrainingOptions:
    """What is trained; the first seven as in the section `codes:` of a spec.

    sample: most vectors to train on. held_out: vectors kept apart, of which the quality is measured;
    at most a tenth of all. seed: of everything random; the same vectors and options train the same
    codebook.
    """

    subvectors: int
    codebook_size: int = 16
    loss: str = "score-aware"
    threshold: float = 0.2
    rotation: str = "none"
    cells: int = 0
    residual: bool = False
    sample: int = 100_000
    held_out: int = 1_000
    seed: int = 1


@dataclass(frozen=True)
class Trained:
    """A new codebook. warnings: sentences about a sample that is usable but poor."""

    codebook: Codebook
    quality: Quality
    warnings: tuple[str, ...] = ()


def train_codebook(
    vectors: Float32,
    options: TrainingOptions,
    *,
    space: str,
    encoder: str,
    source: Mapping[str, Any],
    on_progress: OnProgress = lambda _stage, _done: None,
) -> Trained:
    """Train cells, rotation and codewords on a sample of vectors (N, D), of length 1 for cosine.

    encoder: identity of the model that made them. source: what describes them, kept in the codebook.
    The quality is that of the held-out vectors as queries, with the sample to search.

    Raises:
        CodebookError: the sample is too small or degenerate, or the options do not fit it or each other.
    """
    check_options(options, space)
    rng = np.random.default_rng(options.seed)
    sample, held_out = _split(check_vectors(vectors), options, rng)
    on_progress("Checking", 0.0)
    warnings = check_sample(sample, codebook_size=options.codebook_size, nlist=options.cells)
    codebook = _train(sample, options, space, encoder, rng, on_progress)
    on_progress("Measuring", 0.9)
    quality = measure_quality(codebook, sample, held_out, space=space)
    trained = _describe(options, len(sample), source, quality)
    on_progress("Trained", 1.0)
    return Trained(replace(codebook, trained=trained), quality, warnings)


def check_options(options: TrainingOptions, space: str) -> None:
    """Refuse options that do not fit the space or each other.

    Raises:
        CodebookError: names the option and what is accepted.
    """
    if options.loss not in ("plain", "score-aware"):
        raise CodebookError(f"loss '{options.loss}': write plain or score-aware")
    if options.rotation not in ("none", "opq"):
        raise CodebookError(f"rotation '{options.rotation}': write none or opq")
    if space == "l2" and options.loss == "score-aware":
        raise CodebookError("loss 'score-aware' is for cosine and dot: write plain for l2")
    if options.residual and (space == "l2" or not options.cells):
        raise CodebookError(
            "residual is for cosine and dot, with cells: write cells, or leave it out"
        )
    for name in ("sample", "held_out"):
        if (number := getattr(options, name)) < 1:
            raise CodebookError(f"{name} {number}: write 1 or more")


def _split(
    vectors: Float32, options: TrainingOptions, rng: np.random.Generator
) -> tuple[Float32, Float32]:
    """Return a random sample to train on, and other vectors to measure with, one at least."""
    order = rng.permutation(len(vectors))
    apart = min(options.held_out, -(-len(vectors) // 10))
    return vectors[order[apart : apart + options.sample]], vectors[order[:apart]]


def _train(
    sample: Float32,
    options: TrainingOptions,
    space: str,
    encoder: str,
    rng: np.random.Generator,
    on_progress: OnProgress,
) -> Codebook:
    cells = None
    rest = sample
    if options.cells:
        on_progress("Finding cells", 0.05)
        cells = Cells(options.cells).fit(sample, rng=rng)
    if cells and options.residual:
        rest = sample - cells.centroids[cells.assign(sample)]
    on_progress("Learning codewords", 0.2)
    quantizer = _quantizer(options).fit(rest, rng=rng)
    return Codebook(quantizer, cells, options.residual, space, encoder)


def _quantizer(options: TrainingOptions) -> ProductQuantizer:
    size = (options.subvectors, options.codebook_size)
    rotation = OpqRotation(*size) if options.rotation == "opq" else None
    if options.loss == "plain":
        return ProductQuantizer(*size, rotation)
    return ScoreAwareQuantizer(*size, rotation, threshold=options.threshold)


def _describe(
    options: TrainingOptions, sampled: int, source: Mapping[str, Any], quality: Quality
) -> dict[str, Any]:
    """Return what the codebook keeps of its training."""
    return {
        **source,
        "sampled": sampled,
        "seed": options.seed,
        "kokeshi": version("kokeshi"),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "quality": asdict(quality),
    }
