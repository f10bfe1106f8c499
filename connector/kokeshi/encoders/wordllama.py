"""The default text encoder: WordLlama, 256 Matryoshka-trained dimensions, no download at run time."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from kokeshi.encoders.options import needs_extra, parse_options
from kokeshi.errors import EncoderError
from kokeshi.schema.base import Model
from kokeshi.types import Float32

TRAINED_DIMENSION = 256


class WordLlamaEncoder:
    """Averages of token embeddings; the package carries its weights. About 2,000 texts/s a core."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401
        self._model = model
        self._name = f"wordllama-{version('wordllama')}"

    @property
    def name(self) -> str:
        """The package and its version, since the weights ship in it."""
        return self._name

    @property
    def dim(self) -> int:
        """256."""
        return TRAINED_DIMENSION

    def encode(self, batch: Sequence[str]) -> Float32:
        """Return (N, 256) float32, not normalised; an empty text gives a zero vector."""
        vectors = np.zeros((len(batch), TRAINED_DIMENSION), np.float32)
        filled = [row for row, text in enumerate(batch) if text.strip()]
        if filled:
            vectors[filled] = self._model.embed([batch[row] for row in filled])
        return vectors


@contextmanager
def _logging_untouched() -> Iterator[None]:
    """The package configures the root logger when imported; an application's logging is its own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def build(*, dimension: int, **options: object) -> WordLlamaEncoder:
    """Load the weights that the package carries; there are no options."""
    parse_options(Model, "wordllama", options)
    if dimension != TRAINED_DIMENSION:
        raise EncoderError(
            f"encoder wordllama makes {TRAINED_DIMENSION} dimensions, not {dimension}; write "
            f"dimension: {TRAINED_DIMENSION} and give shorter ones as prefixes"
        )
    with needs_extra("the encoder wordllama", "text"), _logging_untouched():
        import wordllama
    # its default folder is the working directory; the weights lie beside the module
    folder = Path(wordllama.__file__).parent
    return WordLlamaEncoder(wordllama.WordLlama.load(cache_dir=folder, disable_download=True))
