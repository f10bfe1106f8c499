"""How much recall a two-stage plan keeps, over prefix dimensions and shortlist lengths.

Truth is the exact plan on the same index. A hit counts when its exact score reaches that of the
last true hit, so that documents with equal vectors, of which catalogues have many, stand for each
other. Every cell of the curve answers each query in turn, so that all see the same conditions.

The curve is that of the graph, also where a search of so few documents would compare them all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from kokeshi.errors import InputError
from kokeshi.index import Index
from kokeshi.plans import DEFAULT_PLAN
from kokeshi.plans.stages import find_vector
from kokeshi.results import SearchResult, parse_search
from kokeshi.schema import Rescore, SearchPlan, Shortlist
from kokeshi.types import Json

KS = (50, 100, 200, 400, 800)
TIE = 1e-6
"""Scores this near are equal: engines add float32 products in different orders."""


@dataclass(frozen=True)
class Cell:
    """One point of the curve. recall: mean over queries; p50_ms, p95_ms: latency at the client."""

    plan: str
    dims: int | None
    k: int | None
    recall: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class Curve:
    """The measured cells, that of the exact plan first. queries: how many; size: hits compared."""

    cells: tuple[Cell, ...]
    queries: int
    size: int

    def to_json(self) -> Json:
        """Return what `--json` prints."""
        return asdict(self)

    def find(self, dims: int | None, k: int | None) -> Cell:
        """Return the cell of one plan."""
        return next(cell for cell in self.cells if (cell.dims, cell.k) == (dims, k))


def two_stage(dims: int, k: int, vector: str | None = None) -> SearchPlan:
    """Return the plan of one cell, which searches by the graph however few the documents are."""
    return SearchPlan(
        shortlist=Shortlist(dims=dims, k=k, vector=vector, exact_below=0),
        rescore=Rescore(vector=vector),
    )


def measure_curve(
    index: Index,
    queries: Sequence[str],
    *,
    ks: Sequence[int] = KS,
    size: int = 10,
    vector: str | None = None,
    on_query: Callable[[], None] = lambda: None,
) -> Curve:
    """Measure recall@size and latency of every prefix in the spec at every k.

    Raises InputError without queries, SpecError where the vector is unknown.
    """
    _, spec = find_vector(index.spec, vector)
    plans = [two_stage(dims, k, vector) for dims in sorted(spec.prefixes) for k in ks]
    return measure_plans(index, queries, plans, size=size, vector=vector, on_query=on_query)


def measure_plans(
    index: Index,
    queries: Sequence[str],
    plans: Sequence[SearchPlan],
    *,
    size: int = 10,
    vector: str | None = None,
    on_query: Callable[[], None] = lambda: None,
) -> Curve:
    """Measure recall@size and latency of plans that end with the exact similarity to `vector`.

    Each is measured as a search would run it: exactly where there are few documents, if its
    shortlist does not set `exact_below`.
    """
    if not queries:
        raise InputError("a curve needs at least one query")
    exact = SearchPlan(rescore=Rescore(vector=vector))
    seconds = np.zeros((len(queries), len(plans) + 1))
    recalls = np.ones_like(seconds)
    for row, text in enumerate(queries):
        results, seconds[row] = _answers(index, text, [exact, *plans], size)
        recalls[row] = [recall_of(result, results[0]) for result in results]
        on_query()
    p50, p95 = np.percentile(seconds * 1000, [50, 95], axis=0)
    columns = zip([exact, *plans], recalls.mean(axis=0), p50, p95, strict=True)
    cells = (_cell(plan, *map(float, figures)) for plan, *figures in columns)
    return Curve(tuple(cells), len(queries), size)


def _cell(plan: SearchPlan, recall: float, p50_ms: float, p95_ms: float) -> Cell:
    if plan.shortlist is None:
        return Cell("exact", None, None, recall, p50_ms, p95_ms)
    dims = plan.shortlist.dims
    return Cell(
        DEFAULT_PLAN, dims if dims != "full" else None, plan.shortlist.k, recall, p50_ms, p95_ms
    )


def _answers(
    index: Index, text: str, plans: Sequence[SearchPlan], size: int
) -> tuple[list[SearchResult], list[float]]:
    """Return result and seconds of each plan; bodies are built before the clock starts."""
    requests = [index.build_search(text, plan=plan, size=size, fields=()) for plan in plans]
    results, seconds = [], []
    for request in requests:
        started = time.perf_counter()
        response = index.engine.search(index.spec.index, request.bodies[0])
        seconds.append(time.perf_counter() - started)
        results.append(parse_search(response))
    return results, seconds


def recall_of(found: SearchResult, truth: SearchResult) -> float:
    """Return the share of the true hits that were found, ties by group; 1 where there are none.

    Both must score by the same exact similarity.
    """
    if not truth.hits:
        return 1.0
    bar = truth.hits[-1].score * (1 - TIE)
    return min(1.0, sum(hit.score >= bar for hit in found.hits) / len(truth.hits))


def choose(curve: Curve, target: float) -> Cell | None:
    """Return the fastest cell whose recall reaches the target; None where none does.

    Of cells within 10% of the fastest, which another run could order otherwise, it is the one with
    the fewest candidates, then dimensions.
    """
    good = [cell for cell in curve.cells if cell.dims and cell.recall >= target]
    fastest = min((cell.p50_ms for cell in good), default=0.0)
    near = [cell for cell in good if cell.p50_ms <= 1.1 * fastest]
    return min(near, key=lambda cell: (cell.k, cell.dims), default=None)


def sample_texts(index: Index, field: str, n: int, *, seed: int) -> list[str]:
    """Return the `field` of n documents of the index, drawn at random but repeatably."""
    drawn = {
        "function_score": {
            "query": {"exists": {"field": field}},
            "random_score": _random(index, seed),
        }
    }
    body = {"size": n, "_source": [field], "query": drawn}
    hits = parse_search(index.engine.search(index.spec.index, body)).hits
    return [str(hit.source[field]) for hit in hits if hit.source.get(field)]


def _random(index: Index, seed: int) -> Json:
    return {"seed": seed, "field": index.spec.id}
