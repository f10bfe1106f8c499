"""Texts that a model wants in front of queries and documents, such as E5's `query: `."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from hashlib import sha256

from kokeshi.schema.base import Model
from kokeshi.types import Float32


class Prompts(Model):
    """Options of encoders that put a text in front of every query or document."""

    query_prefix: str = ""
    document_prefix: str = ""


class PromptedEncoder(ABC):
    """An encoder that adds the prefixes; how texts become vectors is for the class below it."""

    def __init__(self, name: str, prompts: Prompts) -> None:
        self._name = name
        self._prompts = prompts

    @property
    def name(self) -> str:
        """Identity of the model and of what stands in front of documents."""
        return self._name

    def encode(self, batch: Sequence[str]) -> Float32:
        """Return (N, dim) float32 of N documents, as the model makes them."""
        return self._embed([self._prompts.document_prefix + text for text in batch])

    def encode_queries(self, batch: Sequence[str]) -> Float32:
        """Return (N, dim) float32 of N queries, as the model makes them."""
        return self._embed([self._prompts.query_prefix + text for text in batch])

    @abstractmethod
    def _embed(self, texts: Sequence[str]) -> Float32:
        """Return (N, dim) float32 of N texts that are complete."""


def short_digest(*parts: bytes) -> str:
    """Return 12 hexadecimal digits of SHA-256; the length of each part is hashed before the part."""
    whole = sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big"))
        whole.update(part)
    return whole.hexdigest()[:12]
