"""Whether a version that was built may be served: counts, vectors, its recall, and a gate of the caller's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from kokeshi.changes.model import ChangeReport
from kokeshi.engines import Capabilities, Engine
from kokeshi.index import Index
from kokeshi.ingest import IngestReport
from kokeshi.plans import find_plan
from kokeshi.plans.stages import vector_names
from kokeshi.results import parse_search
from kokeshi.schema import Rescore, SearchPlan
from kokeshi.tune import recall_of
from kokeshi.types import Float32, Json

SIZE = 10
"""Hits that recall is measured on."""


@dataclass(frozen=True)
class Check:
    """One question to a version. found: the figures, in a sentence."""

    name: str
    passed: bool
    found: str


Gate = Callable[[str, Index], Check]
"""Compares the index that is served, by its name, with the new version."""


def check_source(count: int, report: IngestReport, tolerance: float) -> Check:
    """Return whether an index holds every document of its source, each once.

    count: of the index. tolerance: the share of the source's documents that may have failed; where repeated
    ids were not counted exactly, also that by which there may be fewer than the ids that were counted.
    """
    expected = report.indexed - report.duplicates
    few_failed = report.failed <= tolerance * report.read
    fewest = expected if report.duplicates_are_exact else expected * (1 - tolerance)
    passed = 0 < count <= expected and fewest <= count and few_failed
    why = (
        "" if few_failed else f", more than {tolerance:.1%} of the source ({report.first_failure})"
    )
    return Check("source", passed, f"{_held(count, expected, report, tolerance)}{why}")


def _held(count: int, expected: int, report: IngestReport, tolerance: float) -> str:
    failed = f"; {report.failed:,} failed"
    if report.duplicates_are_exact:
        return f"{count:,} documents of {expected:,} distinct ids{failed}"
    return (
        f"{count:,} documents of at most {expected:,} distinct ids, too many to find every repeat, so that "
        f"{tolerance:.1%} fewer pass{failed}"
    )


def check_differences(path: str, report: ChangeReport, tolerance: float) -> Check:
    """Return whether a file of changes was applied. tolerance: the share that may have failed."""
    passed = report.failed <= tolerance * report.read
    found = (
        f"{report.indexed:,} indexed, {report.updated:,} updated, {report.deleted:,} deleted of "
        f"{report.read:,} changes of {path}; {report.failed:,} failed"
    )
    return Check("differences", passed, found + ("" if passed else f" ({report.first_failure})"))


def check_count(new: int, old: int, tolerance: float, *, deleted: int = 0) -> Check:
    """Return whether an index holds about as many documents as the one that is served, or more.

    deleted: by differences, which the served one may still hold.
    """
    found = f"{new:,} documents, {old:,} are served now"
    found += f", {deleted:,} were deleted by differences" if deleted else ""
    passed = new >= (old - deleted) * (1 - tolerance)
    why = "" if passed else f"; fewer by more than {tolerance:.1%}"
    return Check("count", passed, found + why)


@dataclass(frozen=True)
class VectorCounts:
    """How many documents an index holds. having: vector -> how many of these have it."""

    documents: int
    having: Mapping[str, int]

    def share(self, name: str) -> float:
        """Return the share of the documents that have a vector; 0 of none."""
        return self.having[name] / self.documents if self.documents else 0.0


def count_vectors(engine: Engine, index: str, names: Iterable[str]) -> VectorCounts:
    """Count the documents of an index that have each vector: none of one that its mapping does not have."""
    having = {name: engine.count(index, {"exists": {"field": name}}) for name in names}
    return VectorCounts(engine.count(index), having)


def check_vectors(new: VectorCounts, old: VectorCounts | None, tolerance: float) -> Check:
    """Return whether some documents have each vector, and about as many as in the index that is served.

    old: of that, None for the first version. tolerance: the share of documents by which more may be without
    a vector: where a template names a field that is not there, all are.
    """
    found = ", ".join(f"{having:,} have {name}" for name, having in new.having.items())
    lost = (_find_loss(name, new, old, tolerance) for name in new.having)
    why = next(filter(None, lost), "")
    return Check("vectors", not why, f"of {new.documents:,} documents {found}{why}")


def _find_loss(name: str, new: VectorCounts, old: VectorCounts | None, tolerance: float) -> str:
    """Return what is wrong with a vector, in half a sentence; empty where nothing is."""
    if not new.having[name]:
        return f"; at least one is expected: look at the source of vectors.{name}"
    if old and new.having[name] < (old.share(name) - tolerance) * new.documents:
        return (
            f"; {old.share(name):.1%} of what is served now have {name}, more by over {tolerance:.1%}: "
            f"look at the source of vectors.{name}"
        )
    return ""


def check_recall(index: Index, sample: int, least: float, seed: int = 0) -> Check | None:
    """Return whether the default plan finds what an exact comparison finds, by vectors of the index.

    sample: how many documents' own vectors are the queries. least: the mean recall of 10 hits. None
    where the default plan does not end with one exact similarity, or no document has a vector.
    """
    name = _compared(index)
    vectors = _sample_vectors(index, name, sample, seed) if name and sample else None
    if name is None or vectors is None or not len(vectors):
        return None
    exact = SearchPlan(rescore=Rescore(vector=name))
    recalls = list(_recalls(index, exact, vectors))
    recall = float(np.mean(recalls))
    found = f"recall@{SIZE} {recall:.4f} of the default plan, by {len(recalls)} documents"
    why = "" if recall >= least else f"; at least {least:g} is expected"
    return Check("recall", recall >= least, found + why)


def _compared(index: Index) -> str | None:
    """Return the vector by whose exact similarity the default plan ranks; None where it has others."""
    plan = find_plan(index.spec, None)
    names = vector_names(index.spec, plan)
    by_similarity = plan.rescore and plan.rescore.dims == "full" and not plan.match
    return names[0] if by_similarity and len(names) == 1 else None


def _recalls(index: Index, exact: SearchPlan, vectors: Float32) -> Iterator[float]:
    for vector in vectors:
        found, truth = (
            index.search(vector=vector, plan=plan, size=SIZE, fields=()) for plan in (None, exact)
        )
        yield recall_of(found, truth)


def _sample_vectors(index: Index, name: str, sample: int, seed: int) -> Float32:
    """Return the vectors (N, D) of documents that are drawn at random but repeatably."""
    random = {"random_score": {"seed": seed, "field": index.spec.id}}
    body: Json = {"size": sample, "query": {"function_score": random}}
    body["_source"] = _whole_source(index.engine.capabilities, name)
    hits = parse_search(index.engine.search(index.spec.index, body)).hits
    found = [hit.source[name] for hit in hits if hit.source.get(name) is not None]
    return np.array(found, dtype=np.float32)


def _whole_source(capabilities: Capabilities, name: str) -> Json:
    """Return how a search is asked for a vector, which Elasticsearch leaves out from 9.2 on."""
    asked = {"exclude_vectors": False} if capabilities.leaves_vectors_out else {}
    return {"includes": [name]} | asked
