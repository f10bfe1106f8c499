"""What the pages show that an evaluation does not have as such: rows of tables, made of it alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kokeshi_eval.model import Candidate, EngineFigure, Evaluation, QueryResult
from kokeshi_eval.report.lists import describe

MAX_ROWS: Final = 500
"""Of one table: a page for people. The JSON has every row."""


@dataclass(frozen=True)
class Flag:
    """A figure of the engine's that is not the standard one, or not even that of its own definition."""

    query: QueryResult
    system: str
    label: str
    figure: EngineFigure


@dataclass(frozen=True)
class ToJudge:
    """A hit whose grade would settle a decision, with what people know it by."""

    query: QueryResult
    doc_id: str
    title: str
    fields: str
    swing: float


def build_flags(evaluation: Evaluation) -> tuple[Flag, ...]:
    """Return every figure of the engine's that needs a word; those that are wrong first."""
    return tuple(sorted(_flags(evaluation), key=lambda flag: not flag.figure.wrong))


def build_wrong(evaluation: Evaluation, label: str) -> tuple[Flag, ...]:
    """Return the figures of one contender's that disagree with the hits that came with them."""
    return tuple(flag for flag in _flags(evaluation) if flag.figure.wrong and flag.system == label)


def build_to_judge(evaluation: Evaluation, candidate: Candidate) -> tuple[ToJudge, ...]:
    """Return the documents that would settle the decision on a candidate, the first ones first."""
    queries = {query.id: query for query in evaluation.queries}
    documents = evaluation.documents.get(candidate.system.index, {})
    return tuple(
        ToJudge(
            queries[one.query],
            one.doc_id,
            *describe(one.doc_id, documents.get(one.doc_id, {})),
            one.swing,
        )
        for one in candidate.decision.to_judge
    )


def _flags(evaluation: Evaluation) -> Iterator[Flag]:
    labels = (evaluation.baseline.label, *(one.system.label for one in evaluation.candidates))
    for query in evaluation.queries:
        answers = (query.baseline, *(one.ranked for one in query.candidates))
        for system, ranked in zip(labels, answers, strict=True):
            for label, figure in ranked.engine.items():
                if figure.wrong or figure.why:
                    yield Flag(query, system, label, figure)
