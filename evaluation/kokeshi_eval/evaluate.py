"""Rank the queries with every contender, measure, compare with the baseline, and decide."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from math import inf

from kokeshi.errors import InputError
from kokeshi.schema.plan import MAX_K
from kokeshi_eval.candidates import build_candidates, build_system, of_baseline, of_candidate
from kokeshi_eval.collect import Answers, collect
from kokeshi_eval.contenders import Contender
from kokeshi_eval.fetch import fetch_documents
from kokeshi_eval.judgments import (
    Judgments,
    Unknown,
    check_any_positive,
    check_indices,
    check_queries,
    find_unknown,
)
from kokeshi_eval.latency import measure_latency
from kokeshi_eval.model import (
    Candidate,
    Evaluation,
    JudgmentInfo,
    Options,
)
from kokeshi_eval.notes import build_notes, build_warnings
from kokeshi_eval.queries import EvalQuery, queries_of
from kokeshi_eval.rows import build_rows
from kokeshi_eval.slices import choose_attributes


def evaluate(
    baseline: Contender,
    candidates: Sequence[Contender],
    judgments: Judgments,
    queries: Sequence[EvalQuery] | None = None,
    options: Options | None = None,
) -> Evaluation:
    """Compare candidates with a baseline on every query.

    judgments: may be empty, then only the impact is known. queries: None takes those of the
    judgments, their ids as texts. Every ranking is the one that a search serves. Raises EngineError
    where any query fails, SpecError or InputError where a plan, a query or an option does not fit.
    """
    options = options or Options()
    asked = tuple(queries) if queries is not None else queries_of(judgments.queries)
    _check(baseline, candidates, asked, options)
    unknown = _check_judgments([baseline, *candidates], judgments, asked)
    grades = {query.id: judgments.grades.get(query.id, {}) for query in asked}
    top = judgments.max_grade
    before = collect(baseline, asked, grades, options, top)
    after = [collect(one, asked, grades, options, top, before) for one in candidates]
    rows = build_rows(asked, grades, before, after, options, top)
    latency = measure_latency([before.timed, *(found.timed for found in after)])
    system = build_system(before, rows, of_baseline, options, latency[baseline.label])
    systems = [
        build_system(found, rows, of_candidate(number), options, latency[found.contender.label])
        for number, found in enumerate(after)
    ]
    compared = build_candidates(system, systems, rows, grades, options, top)
    shown = _shown(compared)
    now = datetime.now(timezone.utc)
    evaluation = Evaluation(
        id=f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
        created=now.isoformat(timespec="seconds"),
        engine=str(baseline.index.engine.capabilities),
        options=options,
        judgments=describe_judgments(judgments),
        baseline=system,
        candidates=compared,
        queries=rows,
        requests={
            found.contender.label: {query: found.requests[query].shown for query in shown}
            for found in (before, *after)
        },
        documents=_documents([before, *after], shown),
    )
    return evaluation.model_copy(
        update={
            "notes": build_notes(evaluation, judgments, unknown),
            "warnings": (
                *build_warnings(evaluation, judgments, unknown),
                *_foreign([before, *after], judgments),
            ),
        }
    )


def describe_judgments(judgments: Judgments) -> JudgmentInfo:
    """Return what an evaluation says of its truth."""
    return JudgmentInfo(
        name=judgments.name,
        queries=len(judgments.queries),
        documents=judgments.count,
        merged=judgments.merged,
        raters=judgments.raters,
        agreement=judgments.agreement,
        max_grade=judgments.max_grade,
    )


def _check(
    baseline: Contender,
    candidates: Sequence[Contender],
    queries: Sequence[EvalQuery],
    options: Options,
) -> None:
    for name in ("k", "impact_k"):
        if getattr(options, name) > MAX_K:
            raise InputError(f"{name} {getattr(options, name)}: at most {MAX_K} is expected")
    if not candidates:
        raise InputError("candidates: none is given; name at least one plan to compare")
    if not queries:
        raise InputError("queries: there are none; give judgments, or a query set")
    labels = [one.label for one in (baseline, *candidates)]
    if twice := _repeated(labels):
        raise InputError(
            f"contender '{twice}': two have that label; put another in front, such as new={twice}"
        )
    for query in queries:
        if not 0 < query.weight < inf:
            raise InputError(
                f"query '{query.id}': weight {query.weight:g}; a number above 0 is expected, or leave "
                "the query out"
            )
    choose_attributes([query.traits for query in queries], options.slices)
    if twice := _repeated([query.id for query in queries]):
        raise InputError(f"query '{twice}': two of the query set have that id; make them differ")


def _check_judgments(
    contenders: Sequence[Contender], judgments: Judgments, queries: Sequence[EvalQuery]
) -> list[Unknown]:
    """Return the judged documents that each index lacks; refuses judgments that can say nothing."""
    if not judgments.queries:
        return []
    check_queries(judgments, queries)
    grades = {query.id: judgments.grades.get(query.id, {}) for query in queries}
    check_any_positive(replace(judgments, grades=grades))
    indices = {id(one.index): one.index for one in contenders}.values()
    found = [find_unknown(index.engine, index.spec.index, judgments) for index in indices]
    return [unknown for unknown in found if unknown.count]


def _foreign(answers: Sequence[Answers], judgments: Judgments) -> list[str]:
    """Say where judgments name an index that is none of those that answered."""
    said = (
        check_indices(judgments, one.concrete, one.contender.index.spec.index) for one in answers
    )
    return list(dict.fromkeys(text for text in said if text))


def _repeated(names: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _shown(candidates: Iterable[Candidate]) -> list[str]:
    """Return the queries whose lists are shown, each once."""
    return list(dict.fromkeys(q for one in candidates for q in (*one.harmed, *one.helped)))


def _documents(
    answers: Iterable[Answers], queries: Sequence[str]
) -> dict[str, dict[str, dict[str, object]]]:
    found: dict[str, dict[str, dict[str, object]]] = {}
    for one in answers:
        known = found.setdefault(one.concrete, {})
        ids = dict.fromkeys(id_ for query in queries for id_ in one.ids[query])
        missing = [id_ for id_ in ids if id_ not in known]
        index = one.contender.index
        shown = [*index.spec.text, *index.spec.metadata]  # never a vector
        known |= fetch_documents(index.engine, index.spec.index, missing, shown)
    return found
