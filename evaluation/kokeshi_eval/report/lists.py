"""Two lists of hits for one query beside each other: what moved, what is new, what is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from kokeshi_eval.model import Evaluation, QueryResult, Ranked

Move = Literal["same", "up", "down", "new", "gone"]

SHADES: Final = 4
"""Steps of colour between grade 0 and the best grade."""

MAX_CHARS: Final = 240
"""Of a field's value; a description can be a page long."""

_TITLES: Final = ("title", "name", "product_title", "product_name")


@dataclass(frozen=True)
class Hit:
    """One line of a list.

    shade: 0 (grade 0) to SHADES (the best), None without a grade. move: against the other list; in the
    baseline's list where the document goes, in the candidate's where it comes from. by: how many ranks.
    """

    rank: int
    doc_id: str
    title: str
    fields: str
    grade: int | None
    shade: int | None
    move: Move
    by: int = 0


@dataclass(frozen=True)
class Pair:
    """One query under the baseline and one candidate. requests: label -> bodies as JSON."""

    anchor: str
    query: QueryResult
    before: float
    after: float
    change: float | None
    baseline: tuple[Hit, ...]
    candidate: tuple[Hit, ...]
    requests: dict[str, tuple[str, ...]]

    @property
    def delta(self) -> float:
        """Of the main measure."""
        return self.after - self.before


def build_pairs(evaluation: Evaluation, at: int, ids: Sequence[str]) -> tuple[Pair, ...]:
    """Return the queries with these ids under the baseline and the candidate of that position."""
    known = {query.id: (n, query) for n, query in enumerate(evaluation.queries)}
    return tuple(_pair(evaluation, at, *known[id_]) for id_ in ids)


def _pair(evaluation: Evaluation, at: int, n: int, query: QueryResult) -> Pair:
    after = query.candidates[at]
    systems = (evaluation.baseline, evaluation.candidates[at].system)
    return Pair(
        anchor=f"candidate-{at + 1}-query-{n + 1}",
        query=query,
        before=query.baseline.values[evaluation.label],
        after=after.ranked.values[evaluation.label],
        change=after.moved.change if after.moved else None,
        baseline=build_hits(evaluation, systems[0].index, query.baseline, after.ranked, "gone"),
        candidate=build_hits(evaluation, systems[1].index, after.ranked, query.baseline, "new"),
        requests={
            system.label: tuple(
                orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
                for body in evaluation.requests.get(system.label, {}).get(query.id, [])
            )
            for system in systems
        },
    )


def build_hits(
    evaluation: Evaluation, index: str, own: Ranked, other: Ranked, missing: Literal["gone", "new"]
) -> tuple[Hit, ...]:
    """Return the first k hits of `own`. missing: what a hit is that `other` does not have at any rank."""
    ranks = {doc_id: rank for rank, doc_id in enumerate(other.ids, start=1)}
    hits = []
    k = evaluation.options.k
    for rank, (doc_id, grade) in enumerate(zip(own.ids[:k], own.grades[:k], strict=True), start=1):
        there = ranks.get(doc_id)
        by = 0 if there is None else there - rank if missing == "new" else rank - there
        title, fields = describe(doc_id, evaluation.documents.get(index, {}).get(doc_id, {}))
        hits.append(
            Hit(
                rank=rank,
                doc_id=doc_id,
                title=title,
                fields=fields,
                grade=grade,
                shade=_shade(grade, evaluation.judgments.max_grade),
                move=missing if there is None else "up" if by > 0 else "down" if by else "same",
                by=abs(by),
            )
        )
    return tuple(hits)


def describe(doc_id: str, fields: Mapping[str, object]) -> tuple[str, str]:
    """Return what a document is called, and its other fields in one line.

    >>> describe("7", {"brand": "Corvid", "title": "Red hat"})
    ('Red hat', 'Corvid')
    """
    texts = {name: _text(value) for name, value in fields.items() if value not in (None, "", [])}
    name = next((name for name in (*_TITLES, *texts) if name in texts), None)
    if name is None:
        return doc_id, ""
    return texts.pop(name), " · ".join(texts.values())


def _text(value: object) -> str:
    if isinstance(value, list):
        text = ", ".join(_text(one) for one in value)
    else:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


def _shade(grade: int | None, best: int) -> int | None:
    if grade is None:
        return None
    return round(SHADES * min(grade, best) / best) if best else 0
