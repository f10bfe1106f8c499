"""What a reader must know of the figures of an evaluation, as sentences: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from kokeshi_eval.judgments import Judgments, Unknown
from kokeshi_eval.model import Evaluation, QueryResult, Ranked

TOLERANCE: Final = 1e-6
"""Two figures of the same ranking, by different programs, differ by less."""
_NAMED: Final = 5


def build_notes(
    evaluation: Evaluation, judgments: Judgments, unknown: Sequence[Unknown]
) -> tuple[str, ...]:
    """Return what was left out of which mean, where hits came from, and what the engine counts otherwise."""
    rows = evaluation.queries
    without = [row.id for row in rows if not row.positives]
    silent = [row.id for row in rows if not row.baseline.ids]
    asked = {row.id for row in rows}
    unasked = [query for query in judgments.queries if query not in asked]
    baseline = evaluation.baseline.label
    notes = [
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


def build_warnings(evaluation: Evaluation) -> tuple[str, ...]:
    """Return what makes figures doubtful; empty where nothing does."""
    warnings = []
    if wrong := [row.id for row in evaluation.queries if _disagrees(row)]:
        warnings.append(
            f"_rank_eval disagrees with its own hits by more than {TOLERANCE:g} for "
            f"{_queries(wrong)}: do not trust these figures"
        )
    counted = [row for row in evaluation.queries if row.positives]
    if counted and not any(ranked.judged for row in counted for ranked in _all(row)):
        warnings.append(
            "not one hit has a grade: check that doc_id in the judgments is the id of the documents"
        )
    if evaluation.judgments.documents and not counted:
        warnings.append(
            "no query has a grade above 0: nothing can be said of improvement; grade what is good"
        )
    return tuple(warnings)


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
    figures = [(f.value, f.expected) for ranked in _all(row) for f in ranked.engine.values()]
    figures += [
        (moved.engine_pseudo_ndcg, moved.engine_expected)
        for one in row.candidates
        if (moved := one.moved)
        and moved.engine_pseudo_ndcg is not None
        and moved.engine_expected is not None
    ]
    return any(abs(value - expected) > TOLERANCE for value, expected in figures)


def _all(row: QueryResult) -> list[Ranked]:
    return [row.baseline, *(one.ranked for one in row.candidates)]


def _queries(ids: Sequence[str]) -> str:
    names = ", ".join(f"'{id_}'" for id_ in ids[:_NAMED])
    more = ", …" if len(ids) > _NAMED else ""
    count = "1 query" if len(ids) == 1 else f"{len(ids)} queries"
    return f"{count} ({names}{more})"
