"""Source templates such as `"{title}. {description}"`: the text of a document that is embedded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any


@dataclass(frozen=True)
class Template:
    """Literal text and field names, in turn.

    >>> Template.parse("{title}. {description}").render({"title": "Red shoe", "description": None})
    'Red shoe.'
    """

    parts: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Parse `text`; raises ValueError where it is not literal text and plain `{field}` names."""
        parts = []
        for literal, field, spec, conversion in Formatter().parse(text):
            if field is not None and (not field or spec or conversion or set("[]") & set(field)):
                raise ValueError(f"only plain {{field}} names are accepted, not {{{field}}}")
            parts.append((literal, field))
        template = cls(tuple(parts))
        if not template.fields:
            raise ValueError("it names no {field}")
        return template

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the template reads, in order."""
        return tuple(field for _, field in self.parts if field is not None)

    def render(self, document: Mapping[str, Any]) -> str:
        """Return the text of one document; a missing field is left out, a list is joined by spaces."""
        pieces = [
            literal + (_as_text(document.get(field)) if field is not None else "")
            for literal, field in self.parts
        ]
        return "".join(pieces).strip()


def _as_text(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return " ".join(_as_text(item) for item in value)
    return str(value)
