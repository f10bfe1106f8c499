"""How each contender asks one query: with prepared bytes, or through Kokeshi."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson

from benchmarks.cells import Cell
from benchmarks.contenders import Setting
from benchmarks.indices import KOKESHI, Indices
from kokeshi.plans import find_plan

Ask = Callable[[int], Sequence[str]]
"""Search by a cell's query of that number; returns the ids of the hits. Threads may share it."""


def ask_setting(indices: Indices, cell: Cell, setting: Setting, queries: int) -> Ask:
    """Return a contender at one setting, its first `queries` bodies prepared, sent without a client."""
    index = indices[setting.variant]
    path = f"/{index.spec.index}/_search"

    def build(number: int) -> bytes:
        request = index.build_search(
            vector=cell.queries[number], filter=cell.filter(), plan=setting.plan, fields=()
        )
        return orjson.dumps(setting.shape(request.bodies[0]))

    bodies = [build(number) for number in range(queries)]

    def ask(number: int) -> list[str]:
        answer = indices.raw.send("POST", path, bodies[number])
        return [hit["_id"] for hit in answer["hits"]["hits"]]

    return ask


def ask_prepared(indices: Indices, cell: Cell) -> Ask:
    """Return what sends the very bodies of `ask_kokeshi` without a client."""
    plan = find_plan(indices[KOKESHI].spec, None)
    return ask_setting(indices, cell, Setting(KOKESHI, {}, plan), len(cell.queries))


def ask_kokeshi(indices: Indices, cell: Cell) -> Ask:
    """Return Kokeshi with no knob turned."""
    index = indices[KOKESHI]

    def ask(number: int) -> list[str]:
        return index.search(vector=cell.queries[number], filter=cell.filter(), fields=()).ids

    return ask


def ask_unseen(indices: Indices, cell: Cell) -> Ask:
    """Return Kokeshi with a filter that it has not met: it counts first what that leaves."""
    index = indices[KOKESHI]
    met = iter(range(1, 1_000_000))

    def ask(number: int) -> list[str]:
        filter_ = cell.filter(next(met))
        return index.search(vector=cell.queries[number], filter=filter_, fields=()).ids

    return ask
