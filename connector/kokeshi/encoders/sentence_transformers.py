"""Models of the package sentence-transformers, by name or from a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from kokeshi.encoders.options import needs_extra, parse_options
from kokeshi.encoders.prompts import short_digest
from kokeshi.errors import EncoderError
from kokeshi.schema.base import Model
from kokeshi.types import Float32

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class Options(Model):
    """model: a name or a folder. device: as PyTorch names it; the best there is if not given.

    query_prefix, document_prefix: in place of the prompts that the model brings.
    """

    model: str
    device: str | None = None
    batch: Annotated[int, Field(ge=1)] = 32
    query_prefix: str | None = None
    document_prefix: str | None = None


class SentenceTransformersEncoder:
    """One model, with its own prompts for queries and documents where it has them."""

    def __init__(self, model: SentenceTransformer, options: Options) -> None:
        self._model = model
        self._options = options
        self._name = _identity(model, options)
        self._dim: int = self.encode(["one text"]).shape[1]

    @property
    def name(self) -> str:
        """A digest of the weights and the prompt for documents."""
        return self._name

    @property
    def dim(self) -> int:
        """The dimension that the model makes."""
        return self._dim

    def encode(self, batch: Sequence[str]) -> Float32:
        """Return (N, dim) float32 of N documents, as the model makes them."""
        return self._run(self._model.encode_document, batch, self._options.document_prefix)

    def encode_queries(self, batch: Sequence[str]) -> Float32:
        """Return (N, dim) float32 of N queries, as the model makes them."""
        return self._run(self._model.encode_query, batch, self._options.query_prefix)

    def _run(
        self, encode: Callable[..., object], texts: Sequence[str], prompt: str | None
    ) -> Float32:
        if not texts:
            return np.empty((0, self._dim), np.float32)
        found = encode(
            list(texts), prompt=prompt, batch_size=self._options.batch, show_progress_bar=False
        )
        return np.asarray(found, np.float32)


def build(*, dimension: int, **options: object) -> SentenceTransformersEncoder:  # noqa: ARG001 (the registry compares)
    """Load the model; the package fetches it where it is neither a folder nor fetched before.

    Raises EncoderError where it cannot be loaded.
    """
    given = parse_options(Options, "sentence-transformers", options)
    with needs_extra("the encoder sentence-transformers", "sentence-transformers"):
        from sentence_transformers import SentenceTransformer
    try:
        model = SentenceTransformer(given.model, device=given.device)
    except (OSError, ValueError, RuntimeError) as error:
        found = " ".join(str(error).split())
        raise EncoderError(
            f"encoder sentence-transformers: option model: '{given.model}' cannot be loaded: "
            f"{found:.300}"
        ) from error
    return SentenceTransformersEncoder(model, given)


def _identity(model: SentenceTransformer, options: Options) -> str:
    """Name the weights, whatever file or layer names they have, and the prompt of documents."""
    weights = sorted(
        sha256(part.detach().cpu().float().numpy().tobytes()).digest()
        for part in model.parameters()
    )
    prompt = options.document_prefix
    if prompt is None:
        prompt = model.prompts.get("document", "")
    return f"sentence-transformers-{short_digest(*weights, prompt.encode())}"
