"""Which texts are searched and embedded, the most telling first."""

from __future__ import annotations

from collections.abc import Sequence

from kokeshi.init.guess import FieldGuess
from kokeshi.init.naming import text_rank

_FEW_WORDS = 8


def text_fields(guesses: Sequence[FieldGuess]) -> list[FieldGuess]:
    """Return the fields to search, the most telling first."""
    fields = [guess for guess in guesses if guess.role == "text"]
    return sorted(fields, key=lambda g: (g.type is not None, _rank(g.name)))


def _rank(name: str) -> int:
    rank = text_rank(name)
    return 1000 if rank is None else rank


def source_template(guesses: Sequence[FieldGuess]) -> str:
    """Return the template of the text that is embedded, such as `{title}. {description}`.

    Texts come first; where they are short, names such as the brand follow. Empty without any text.
    """
    fields = text_fields(guesses)
    texts = [field for field in fields if field.type is None][:2]
    long = sum(field.words * field.filled for field in texts) >= _FEW_WORDS
    names = [] if long else [field for field in fields if field.type][:2]
    stop = ". " if len(texts) > 1 else " "
    parts = [stop.join(f"{{{field.name}}}" for field in texts), *(f"{{{f.name}}}" for f in names)]
    return " ".join(part for part in parts if part)
