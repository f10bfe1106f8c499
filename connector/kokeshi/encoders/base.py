"""What an encoder is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from kokeshi.types import Float32

NO_ROW: Final = -1
"""`Record.row` of a document that was not read beside a file of vectors: none of its rows belongs to it."""


class Record(NamedTuple):
    """One document as read. row: its number among the documents of its file, from 0. line: from 1."""

    row: int
    line: int
    fields: dict[str, Any]


@runtime_checkable
class Encoder(Protocol):
    """Texts to vectors. A third party registers a factory in the entry-point group `kokeshi.encoders`.

    The factory is called with the options of `kokeshi.yaml` as keyword arguments, and the full
    `dimension`, and returns an Encoder.
    """

    @property
    def name(self) -> str:
        """Identity of the model, with its version: vectors of different names do not compare."""

    @property
    def dim(self) -> int:
        """The dimension D of the vectors."""

    def encode(self, batch: Sequence[str]) -> Float32:
        """Return the vectors (N, D) float32 of N texts, not normalised unless the model does."""


@runtime_checkable
class QueryEncoder(Encoder, Protocol):
    """An encoder for which a query is not a document, as models trained with prompts want it."""

    def encode_queries(self, batch: Sequence[str]) -> Float32:
        """Return the vectors (N, D) float32 of N queries; `encode` is then for documents alone."""


@runtime_checkable
class RecordEncoder(Encoder, Protocol):
    """An encoder that takes the document itself, not a text made from a template."""

    def encode_records(self, records: Sequence[Record]) -> tuple[Float32, dict[int, str]]:
        """Return the vectors (N, D) float32 of N documents, and position -> why it has none."""


@runtime_checkable
class ClosableEncoder(Encoder, Protocol):
    """An encoder that holds connections."""

    def close(self) -> None:
        """Close them."""


def close_encoders(encoders: Iterable[Encoder]) -> None:
    """Close those that hold connections."""
    for encoder in encoders:
        if isinstance(encoder, ClosableEncoder):
            encoder.close()
