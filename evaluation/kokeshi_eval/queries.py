"""The queries of an evaluation: what is asked, under which filter, and how much each counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

LONG: Final = 4
"""Queries of so many words, and more, are one value of the attribute `words`."""


@dataclass(frozen=True)
class EvalQuery:
    """One query. id: what judgments call it; where a file gives none, its text.

    filter: an expression, beside the plan's own. weight: in every mean, above 0. attributes: what the
    query set says of it, such as `band`, `category`.
    """

    id: str
    text: str
    filter: str | None = None
    weight: float = 1.0
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def traits(self) -> dict[str, str]:
        """The attributes, with `words` (how many the text has) and `filter` where there is any."""
        count = len(self.text.split())
        found = {"words": f"{LONG}+" if count >= LONG else str(count)}
        if self.filter:
            found["filter"] = self.filter
        return found | dict(self.attributes)


def queries_of(ids: Iterable[str]) -> tuple[EvalQuery, ...]:
    """Return queries whose ids are their texts."""
    return tuple(EvalQuery(id_, id_) for id_ in ids)
