"""Everybody who answers: each way to search, with the settings that it is swept over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from benchmarks import shapes
from benchmarks.datasets import PREFIX
from benchmarks.indices import ACORN, KOKESHI
from benchmarks.shapes import Shape
from kokeshi import SearchPlan
from kokeshi.schema import Rescore, Shortlist
from kokeshi.schema.plan import Dims
from kokeshi.types import Json

DEFAULT = "Kokeshi, default"
PREPARED = "Kokeshi's body, raw HTTP"
UNSEEN = "Kokeshi, filter not seen before"


@dataclass(frozen=True)
class Setting:
    """One way to send a search: the index, the plan that Kokeshi builds, its final shape. knobs: to show."""

    variant: str
    knobs: Json
    plan: SearchPlan
    shape: Shape = shapes.as_built


@dataclass(frozen=True)
class Contender:
    """A way to search and its settings, of which the fastest that keeps the recall counts."""

    name: str
    settings: tuple[Setting, ...]


def build_contenders(dialect: str) -> tuple[Contender, ...]:
    """Return the contenders of an engine that are swept, which Kokeshi's default is not."""
    contenders = {"opensearch": _opensearch, "elasticsearch": _elasticsearch}[dialect]()
    return tuple(Contender(name, tuple(settings)) for name, settings in contenders.items())


EXACT = SearchPlan(rescore=Rescore())


def _graph(dims: Dims, k: int, candidates: int | None = None) -> Shortlist:
    return Shortlist(dims=dims, k=k, candidates=candidates or k, exact_below=0)


FLAT = SearchPlan(shortlist=_graph("full", 10))


def _exact() -> dict[str, list[Setting]]:
    return {
        "exact, script": [Setting(KOKESHI, {}, EXACT, shapes.scripted)],
        "exact, knn without a graph": [Setting(KOKESHI, {}, EXACT)],
    }


_OS_K = (10, 20, 50, 100, 200, 400, 800)


def _opensearch() -> dict[str, list[Setting]]:
    two_stage = {
        "two-stage: script over knn": shapes.scripted,
        "two-stage: rescore phase": shapes.rescored,
        "two-stage: flat knn over knn": shapes.as_built,
    }
    return {
        **_exact(),
        "float graph": [
            Setting("float", {"ef_search": ef}, FLAT, shapes.explored(ef)) for ef in _OS_K
        ],
        "int8 graph": [
            Setting("int8", {"ef_search": ef}, FLAT, shapes.explored(ef)) for ef in _OS_K
        ],
        "int8 graph: script over knn": [
            Setting("int8", {"k": k}, _rescored("full", k)) for k in _OS_K
        ],
        **{
            name: [Setting(KOKESHI, {"k": k}, _rescored(PREFIX, k), shape) for k in _OS_K]
            for name, shape in two_stage.items()
        },
    }


def _rescored(dims: Dims, k: int, candidates: int | None = None) -> SearchPlan:
    return SearchPlan(shortlist=_graph(dims, k, candidates), rescore=Rescore())


_WALKS = (20, 50, 100, 200, 400, 800, 1600)
"""Elasticsearch's num_candidates."""

_PAIRS: tuple[tuple[int, int], ...] = (
    *((k, k) for k in (20, 50, 100, 200, 400, 800)),
    *((50, 200), (100, 400), (200, 1000), (400, 1000)),
)
"""k and num_candidates of a shortlist."""

_OVERSAMPLES: tuple[tuple[int, int], ...] = (
    *((2, 50), (2, 100), (3, 50), (3, 100), (5, 100)),
    *((5, 400), (10, 200), (10, 400), (20, 400), (40, 1000)),
)
"""Factor of `rescore_vector` and num_candidates."""


def _elasticsearch() -> dict[str, list[Setting]]:
    two_stage = {
        "two-stage: rescore phase": shapes.rescored,
        "two-stage: rescorer retriever": shapes.rescorer_retriever,
        "two-stage: flat knn over knn": shapes.as_built,
    }
    return {
        **_exact(),
        "float graph": [
            Setting(variant, {"num_candidates": walk, **heuristic}, _walked(walk))
            for walk, (variant, heuristic) in product(_WALKS, _both("float"))
        ],
        **{f"{kind} graph: rescore_vector": _oversampled(kind) for kind in ("int8", "bbq")},
        "int8 graph: script over knn": _scripted(_both("int8"), "full", shapes.as_built),
        "two-stage: script over knn": _scripted(_both(KOKESHI), PREFIX, shapes.scripted),
        **{name: _scripted(_fanout(KOKESHI), PREFIX, shape) for name, shape in two_stage.items()},
    }


Walk = tuple[str, Mapping[str, str]]
"""A variant, and how its graph is walked under a filter."""


def _walked(candidates: int) -> SearchPlan:
    return SearchPlan(shortlist=_graph("full", 10, max(candidates, 10)))


def _fanout(variant: str) -> tuple[Walk, ...]:
    return ((variant, {"heuristic": "fanout"}),)


def _both(variant: str) -> tuple[Walk, ...]:
    return (*_fanout(variant), (variant + ACORN, {"heuristic": "acorn"}))


def _oversampled(kind: str) -> list[Setting]:
    return [
        Setting(
            variant,
            {"oversample": factor, "num_candidates": walk, **heuristic},
            _walked(walk),
            shapes.oversampled(factor),
        )
        for (factor, walk), (variant, heuristic) in product(_OVERSAMPLES, _both(kind))
    ]


def _scripted(walks: tuple[Walk, ...], dims: Dims, shape: Shape) -> list[Setting]:
    return [
        Setting(
            variant, {"k": k, "num_candidates": walk, **heuristic}, _rescored(dims, k, walk), shape
        )
        for (k, walk), (variant, heuristic) in product(_PAIRS, walks)
    ]
