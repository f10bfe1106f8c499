"""An evaluation as flat records: what charts draw, and what the index `kokeshi-evaluations` keeps.

Four kinds, told apart by `kind`: a "query" for each query, candidate and measure; a "candidate" for
each candidate and measure; a "slice" for each value of an attribute; a "system" for each contender
and measure. A record has no key for what its kind does not have, and null for a figure that the
evaluation has not. `main` marks those of the main measure, which charts are about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import orjson

from kokeshi.types import Json
from kokeshi_eval.model import Candidate, Contended, Difference, Evaluation, QueryResult, System

_KEY = ("evaluation", "kind", "candidate", "label", "measure", "query", "attribute", "value")


def build_records(evaluation: Evaluation) -> list[Json]:
    """Return every record of an evaluation; the same evaluation gives the same records."""
    shared = {
        "evaluation": evaluation.id,
        "created": evaluation.created,
        "baseline": evaluation.baseline.label,
    }
    parts = (_systems, _candidates, _slices, _queries)
    return [shared | record for part in parts for record in part(evaluation)]


def record_id(record: Json) -> str:
    """Return what a record is stored under: 32 hexadecimal digits, of what tells it from others."""
    key = [record.get(name) for name in _KEY]
    return hashlib.sha256(orjson.dumps(key)).hexdigest()[:32]


def _systems(evaluation: Evaluation) -> Iterator[Json]:
    yield from _system(evaluation, evaluation.baseline, "baseline")
    for candidate in evaluation.candidates:
        yield from _system(evaluation, candidate.system, "candidate")


def _system(evaluation: Evaluation, system: System, role: str) -> Iterator[Json]:
    latency = system.latency
    for measure, mean in system.values.items():
        yield {
            "kind": "system",
            "label": system.label,
            "role": role,
            "measure": measure,
            "main": measure == evaluation.label,
            "mean": mean,
            "judged": system.judged,
            "latency_p50": latency.p50 if latency else None,
            "latency_p95": latency.p95 if latency else None,
        }


def _candidates(evaluation: Evaluation) -> Iterator[Json]:
    for candidate in evaluation.candidates:
        for measure, difference in candidate.improvement.items():
            yield {
                "kind": "candidate",
                "candidate": candidate.system.label,
                "measure": measure,
                "main": measure == evaluation.label,
                "before": difference.before,
                "after": difference.after,
                **_difference(difference),
                "p": difference.p,
                "mde": difference.mde,
                "change": candidate.impact.change,
                "rbo": candidate.impact.rbo,
                "changed": candidate.impact.changed,
                "judged_before": evaluation.baseline.judged,
                "judged_after": candidate.system.judged,
                "verdict": candidate.decision.verdict,
            }


def _slices(evaluation: Evaluation) -> Iterator[Json]:
    for candidate in evaluation.candidates:
        for one in candidate.slices:
            yield {
                "kind": "slice",
                "candidate": candidate.system.label,
                "measure": one.difference.label,
                "main": one.difference.label == evaluation.label,
                "attribute": one.attribute,
                "value": one.value,
                **_difference(one.difference),
                "change": one.change,
            }


def _queries(evaluation: Evaluation) -> Iterator[Json]:
    for query in evaluation.queries:
        about = _about(query)
        for candidate, contended in zip(evaluation.candidates, query.candidates, strict=True):
            moved = about | _moved(query, candidate, contended)
            for measure in evaluation.options.labels:
                values = _values(query, contended, measure)
                yield moved | {"measure": measure, "main": measure == evaluation.label} | values


def _about(query: QueryResult) -> Json:
    return {
        "kind": "query",
        "query": query.id,
        "text": query.text,
        "filter": query.filter,
        "words": len(query.text.split()),
        "weight": query.weight,
        "positives": query.positives,
        "attributes": [f"{name}={value}" for name, value in sorted(query.attributes.items())],
    }


def _moved(query: QueryResult, candidate: Candidate, contended: Contended) -> Json:
    moved = contended.moved
    return {
        "candidate": candidate.system.label,
        "change": moved.change if moved else None,
        "rbo": moved.rbo if moved else None,
        "identical": moved.identical if moved else None,
        "judged_before": query.baseline.judged,
        "judged_after": contended.ranked.judged,
    }


def _values(query: QueryResult, contended: Contended, measure: str) -> Json:
    """A query without a positive grade has no part in any mean, so it has no difference either."""
    before, after = query.baseline.values.get(measure), contended.ranked.values.get(measure)
    if not query.positives or before is None or after is None:
        return {"before": None, "after": None, "delta": None}
    return {"before": before, "after": after, "delta": after - before}


def _difference(difference: Difference) -> Json:
    names = ("queries", "delta", "low", "high", "p_adjusted", "wins", "ties", "losses")
    return {name: getattr(difference, name) for name in names}
