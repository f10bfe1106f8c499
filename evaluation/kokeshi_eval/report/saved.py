"""A saved evaluation, read again and checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from kokeshi.errors import InputError
from kokeshi.schema.load import describe
from kokeshi_eval.files import open_text
from kokeshi_eval.model import FORMAT, Evaluation, QueryResult
from kokeshi_eval.report.facts import moment


def read_evaluation(path: str | Path) -> Evaluation:
    """Return the evaluation that a JSON file holds, plain or gzip.

    Raises InputError where it cannot be read, is of another format, or does not hold together.
    """
    with open_text(path) as stream:
        return parse_evaluation(stream.read(), str(path))


def parse_evaluation(text: str, name: str = "evaluation") -> Evaluation:
    """Return the evaluation that JSON text holds. name: what errors call it. Raises InputError."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: not JSON, or cut short: {error}") from None
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT:
        raise InputError(
            f"{name}: format {json.dumps(found)[:80]}, '{FORMAT}' is expected; "
            "give the JSON that a comparison of this version of kokeshi saved"
        )
    try:
        evaluation = Evaluation.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{name}: {describe(error, data)}") from None
    for fault in _faults(evaluation):
        raise InputError(f"{name}: damaged: {fault}; save the evaluation again")
    return evaluation


def _faults(evaluation: Evaluation) -> Iterator[str]:
    """Yield what one part says of another that is not so."""
    known = {query.id for query in evaluation.queries}
    try:
        moment(evaluation)
    except ValueError:
        yield f"created '{evaluation.created}' is not a time"
    for candidate in evaluation.candidates:
        if next(iter(candidate.improvement), None) != evaluation.label:
            yield f"candidate '{candidate.system.label}' has no {evaluation.label} first"
        judge = (one.query for one in candidate.decision.to_judge)
        for id_ in (*candidate.harmed, *candidate.helped, *judge):
            if id_ not in known:
                yield f"candidate '{candidate.system.label}' names query '{id_}', which is not there"
    for query in evaluation.queries:
        yield from _query_faults(evaluation, query)


def _query_faults(evaluation: Evaluation, query: QueryResult) -> Iterator[str]:
    if len(query.candidates) != len(evaluation.candidates):
        yield f"query '{query.id}' is not answered by every candidate"
    for ranked in (query.baseline, *(one.ranked for one in query.candidates)):
        if len(ranked.ids) != len(ranked.grades):
            yield f"query '{query.id}' has not one grade for each hit"
        if evaluation.label not in ranked.values:
            yield f"query '{query.id}' has no {evaluation.label}"
