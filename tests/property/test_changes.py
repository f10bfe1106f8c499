"""Changes in any order, with repeats, in batches of any size, end with the newest of each document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kokeshi import Index, MemoryEngine
from kokeshi.changes.applying import Applier
from kokeshi.changes.model import ChangeReport, parse_change
from kokeshi.encoders import Record
from kokeshi.ingest.failures import FailureLog
from kokeshi.schema import parse_spec

SPEC = parse_spec("""
index: shoes
text: [title]
metadata: {price: float}
vectors:
  v: {encoder: {name: precomputed, column: w}, dimension: 2, space: dot, prefixes: [1]}
""")
IDS = st.sampled_from("abc")
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["red", "blue"]),
        "price": st.integers(0, 9),
        "w": st.tuples(st.integers(1, 9), st.integers(0, 9)).map(list),
        "box": st.dictionaries(st.sampled_from("xy"), st.integers(0, 9), max_size=2),
    },
)
WHOLE = FIELDS.map(lambda fields: {"w": [1, 0]} | fields)
Changes = list[dict[str, Any]]


def changes(*, partly: bool) -> st.SearchStrategy[Changes]:
    """Changes whose version is their place; updates among them where `partly`."""
    whole = st.tuples(st.just("index"), IDS, WHOLE)
    gone = st.tuples(st.just("delete"), IDS, st.none())
    some = st.tuples(st.just("update"), IDS, FIELDS)
    kinds = st.one_of(whole, some, gone) if partly else st.one_of(whole, gone)
    return st.lists(kinds, min_size=1, max_size=12).map(_number)


def _number(kinds: list[tuple[str, str, dict | None]]) -> Changes:
    return [
        {"op": op, "id": id_, "version": at} | ({} if document is None else {"document": document})
        for at, (op, id_, document) in enumerate(kinds, start=1)
    ]


def deliver(folder: Path, batches: list[Changes]) -> tuple[dict[str, Any], ChangeReport]:
    """Apply batches to an empty index; return its documents by id, and the counts."""
    engine = MemoryEngine()
    index = Index(SPEC, engine)
    index.create()
    target = index._ingest_target(None, recreate=False)
    total = ChangeReport()
    with (
        FailureLog(folder / "letters.jsonl", kind="change") as failures,
        Applier(target, failures) as applier,
    ):
        for batch in batches:
            records = (Record(row, row + 1, one) for row, one in enumerate(batch))
            total += applier.apply([parse_change(record, SPEC) for record in records])
    hits = engine.search("shoes", {"size": 100})["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}, total


def replay(ordered: Changes) -> dict[str, Any]:
    """Return what the changes, in order, come to, by the definition of each."""
    found: dict[str, Any] = {}
    for one in ordered:
        id_, fields = one["id"], one.get("document")
        if one["op"] == "delete":
            found.pop(id_, None)
        elif one["op"] == "index":
            found[id_] = {"id": id_} | fields
        elif id_ in found:
            box = {"box": found[id_].get("box", {}) | fields["box"]} if "box" in fields else {}
            found[id_] = found[id_] | fields | box
    return {id_: _indexed(document) for id_, document in found.items()}


def _indexed(document: dict[str, Any]) -> dict[str, Any]:
    vector = np.array(document["w"], float).tolist()
    made = {"v": vector, "v_1": vector[:1]}
    return {name: value for name, value in document.items() if name != "w"} | made


def split(draw: st.DrawFn, delivered: Changes) -> list[Changes]:
    size = draw(st.integers(1, len(delivered)))
    return [delivered[start : start + size] for start in range(0, len(delivered), size)]


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[Changes, list[Changes]]:
    """Changes, and deliveries: each at least once, in any order."""
    ordered = draw(changes(partly=False))
    repeats = draw(st.lists(st.sampled_from(ordered), max_size=6))
    return ordered, split(draw, draw(st.permutations(ordered + repeats)))


@st.composite
def in_order(draw: st.DrawFn) -> tuple[Changes, list[Changes]]:
    """Changes with updates, with versions or without, and deliveries in their order, the first ones twice."""
    ordered = draw(changes(partly=True))
    if draw(st.booleans()):
        ordered = [{key: v for key, v in one.items() if key != "version"} for one in ordered]
    start = draw(st.integers(0, len(ordered) - 1))
    again = ordered[:start] if "version" in ordered[0] else []
    return ordered, [*split(draw, again or ordered), *(split(draw, ordered) if again else [])]


QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUICK
@given(shuffled())
def test_the_newest_of_each_document_stays(tmp_path, case):
    ordered, batches = case
    found, total = deliver(tmp_path, batches)
    assert found == replay(ordered)
    assert total.read == sum(map(len, batches))
    assert total.read == total.changed + total.stale + total.missing + total.failed


@QUICK
@given(in_order())
def test_updates_in_order_all_take_effect(tmp_path, case):
    ordered, batches = case
    found, total = deliver(tmp_path, batches)
    assert found == replay(ordered)
    assert total.read == total.changed + total.stale + total.missing + total.failed
