"""What a reader must know of the figures of an evaluation, as sentences: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from kokeshi_eval.judgments import Judgments, Unknown
from kokeshi_eval.model import TOLERANCE, Evaluation, QueryResult, Ranked

MANY: Final = 0.2
"""A share of the judgments, or of the queries, that makes a mean doubtful where it lacks its other half."""
_NAMED: Final = 5


def build_notes(
    evaluation: Evaluation, judgments: Judgments, unknown: Sequence[Unknown]
) -> tuple[str, ...]:
    """Return what was left out of which mean, where hits came from, and what the engine counts otherwise."""
    rows = evaluation.queries
    ungraded = _ungraded(evaluation, judgments)
    without = [row.id for row in rows if not row.positives and row.id not in ungraded]
    silent = [row.id for row in rows if not row.baseline.ids]
    asked = {row.id for row in rows}
    unasked = [query for query in judgments.queries if query not in asked]
    baseline = evaluation.baseline.label
    notes = [
        "" if judgments.queries else "No judgments are given: only the impact is known.",
        _left_out(ungraded, "without any judgment left out of the means of improvement"),
        _left_out(without, "without a positive grade left out of the means of improvement"),
        _left_out(
            silent, f"for which {baseline} returns nothing: what a candidate finds there is all new"
        ),
        _left_out(unasked, "of the judgments not in the query set"),
        *(
            f"{found.count} judgments are of documents that '{found.index}' does not have."
            for found in unknown
        ),
        *_routes(evaluation),
        *_differences(evaluation),
    ]
    if judgments.merged:
        notes.append(f"Judgments: {judgments.merged} repeated rows merged.")
    return tuple(note for note in notes if note)


def build_warnings(
    evaluation: Evaluation, judgments: Judgments, unknown: Sequence[Unknown]
) -> tuple[str, ...]:
    """Return what makes figures doubtful; empty where nothing does."""
    warnings = []
    if wrong := [row.id for row in evaluation.queries if _disagrees(row)]:
        warnings.append(
            f"_rank_eval disagrees with its own hits by more than {TOLERANCE:g} for "
            f"{_queries(wrong)}: do not trust these figures"
        )
    if len(ungraded := _ungraded(evaluation, judgments)) > MANY * len(evaluation.queries):
        warnings.append(
            f"{len(ungraded)} of {len(evaluation.queries)} queries have no judgment: the means are "
            "those of the others; judgments name a query by its id"
        )
    warnings += [
        f"{found.count} of {judgments.count} judgments are of documents that '{found.index}' does not "
        "have: are they of another index?"
        for found in unknown
        if found.count > MANY * judgments.count
    ]
    return (*warnings, *_unseen(evaluation))


def _unseen(evaluation: Evaluation) -> Iterable[str]:
    """Say where no grade meets a hit."""
    hits = [ranked for row in evaluation.queries if row.positives for ranked in _all(row)]
    if hits and not any(ranked.ids for ranked in hits):
        yield "no contender returns anything for a judged query: check the filters"
    elif hits and not any(ranked.judged for ranked in hits):
        yield "not one hit has a grade: check that doc_id in the judgments is the id of the documents"


def _ungraded(evaluation: Evaluation, judgments: Judgments) -> list[str]:
    """Return the queries that no judgment is about, where there are judgments at all."""
    if not judgments.queries:
        return []
    return [row.id for row in evaluation.queries if not judgments.grades.get(row.id)]


def _routes(evaluation: Evaluation) -> Iterable[str]:
    for system in (evaluation.baseline, *(one.system for one in evaluation.candidates)):
        if system.route.why:
            yield (
                f"Hits of {system.label} by {system.route.path}, without figures of the engine's own: "
                f"{system.route.why}."
            )


def _differences(evaluation: Evaluation) -> Iterable[str]:
    """Say, for each reason, for how many queries the engine's figure is not the standard one."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in evaluation.queries:
        for ranked in _all(row):
            for label, figure in ranked.engine.items():
                if row.positives and figure.why:
                    found.setdefault((label, figure.why), []).append(row.id)
    for (label, why), ids in found.items():
        unique = list(dict.fromkeys(ids))
        yield f"The engine's {label} differs from the standard one for {_queries(unique)}: {why}."


def _left_out(ids: Sequence[str], why: str) -> str:
    return f"{_queries(ids)} {why}." if ids else ""


def _disagrees(row: QueryResult) -> bool:
    """Whether a figure of the engine's is another than its definition gives for its own hits."""
    figures = (figure.wrong for ranked in _all(row) for figure in ranked.engine.values())
    return any(figures) or any(one.moved is not None and one.moved.wrong for one in row.candidates)


def _all(row: QueryResult) -> list[Ranked]:
    return [row.baseline, *(one.ranked for one in row.candidates)]


def _queries(ids: Sequence[str]) -> str:
    names = ", ".join(f"'{id_}'" for id_ in ids[:_NAMED])
    more = ", …" if len(ids) > _NAMED else ""
    count = "1 query" if len(ids) == 1 else f"{len(ids)} queries"
    return f"{count} ({names}{more})"
