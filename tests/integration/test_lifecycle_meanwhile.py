"""Versions on live engines that others change while a run loads, builds, restores or cleans up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from kokeshi import Index
from kokeshi.errors import EngineError, InputError, SpecError
from kokeshi.ingest import Pacing
from kokeshi.lifecycle import Check, reindex, rollback
from kokeshi.lifecycle.flows import find_family
from kokeshi.metrics import IngestMetrics
from tests.lifecycle import COUNT, Shop, build_options

pytestmark = pytest.mark.engine


def meanwhile(monkeypatch, change: Callable[[], object]) -> None:
    """Let something happen once, while the next run loads its encoders."""
    build_body = Index.build_body

    def slow(index: Index) -> Any:
        monkeypatch.setattr(Index, "build_body", build_body)
        body = index.build_body()
        change()
        return body

    monkeypatch.setattr(Index, "build_body", slow)


def test_what_is_rolled_back_to_while_encoders_load_is_not_deleted(shop: Shop, monkeypatch) -> None:
    shop.build(1)
    options = build_options(keep_failed=True)
    kept = reindex(shop.index, shop.file(2, count=150), options=options).version
    meanwhile(monkeypatch, lambda: rollback(shop.engine, shop.name, kept))
    report = shop.build(3)
    assert (report.cleared, report.replaced) == ((), kept)
    assert report.version == f"{shop.name}-v000003"
    assert rollback(shop.engine, shop.name).version == kept
    assert shop.served() == (kept, 150, {2})


def test_what_another_run_serves_while_encoders_load_is_taken_the_place_of(
    shop: Shop, monkeypatch
) -> None:
    shop.build(1)
    meanwhile(monkeypatch, lambda: shop.build(2))
    report = shop.build(3)
    assert (report.version, report.replaced) == (f"{shop.name}-v000003", f"{shop.name}-v000002")
    assert shop.served() == (report.version, COUNT, {3})
    assert rollback(shop.engine, shop.name).version == report.replaced


def test_a_gate_is_not_left_out_where_what_is_served_goes_while_encoders_load(
    shop: Shop, monkeypatch
) -> None:
    first = shop.build(1).version
    meanwhile(monkeypatch, lambda: shop.engine.delete_index(first))
    with pytest.raises(InputError, match="gate: nothing is served yet"):
        reindex(shop.index, shop.file(2), gate=lambda *_: Check("gate", True, ""))
    assert shop.versions() == []


def test_a_first_version_is_not_put_beside_another(shop: Shop) -> None:
    other = f"{shop.name}-other"

    def take(_: object) -> None:
        if not shop.engine.get_mapping(other):
            shop.engine.create_index(other, {})
            shop.engine.update_aliases([{"add": {"index": other, "alias": shop.name}}])

    with pytest.raises(EngineError, match=f"stands for {other} since this run began"):
        reindex(shop.index, shop.file(1), options=build_options(), on_progress=take)
    assert shop.engine.get_aliases(shop.name) == [other]
    rollback(shop.engine, shop.name, f"{shop.name}-v000001")
    assert shop.served()[1:] == (COUNT, {1})


def test_what_could_not_be_cleaned_up_is_by_the_next_run_of_the_process(
    shop: Shop, monkeypatch
) -> None:
    shop.build(1)
    perform = shop.engine.perform

    def refused(call):
        if call.operation == "delete_index":
            raise EngineError("no right to do so", status=403)
        return perform(call)

    def gate(live: str, version: Index) -> Check:
        monkeypatch.setattr(shop.engine, "perform", refused)
        raise EngineError("the gate broke")

    with pytest.raises(EngineError, match="the gate broke"):
        reindex(shop.index, shop.file(2), gate=gate, options=build_options())
    monkeypatch.setattr(shop.engine, "perform", perform)
    left = shop.engine.run(find_family(shop.name)).versions[-1]
    assert left.state == "building"
    assert shop.build(3).cleared == (left.name,)


def test_an_alias_that_stands_for_nothing_is_put_on_a_version_by_name(shop: Shop) -> None:
    first, second = (shop.build(generation).version for generation in (1, 2))
    shop.engine.delete_index(second)
    with pytest.raises(SpecError, match=f"stands for nothing.* --to, of: {first}"):
        rollback(shop.engine, shop.name)
    report = rollback(shop.engine, shop.name, first)
    assert (report.version, report.replaced) == (first, None)
    assert shop.served() == (first, COUNT, {1})


def test_there_is_no_way_back_to_what_was_pruned(shop: Shop) -> None:
    first = shop.build(1).version
    live = shop.build(2, keep=0).version
    for to in (None, first):
        with pytest.raises(SpecError, match=f"'{first}' is gone, so there is no way back"):
            rollback(shop.engine, shop.name, to)
    assert shop.served() == (live, COUNT, {2})


def test_how_documents_are_sent_is_that_of_the_source_and_the_differences(
    shop: Shop, monkeypatch
) -> None:
    told: dict[str, int] = {}

    class Counting(IngestMetrics):
        def count_documents(self, fate: Any, count: int) -> None:
            told[fate] = told.get(fate, 0) + count

    sizes: list[int] = []
    perform = shop.engine.perform

    def weighed(call):
        if call.operation == "bulk":
            sizes.append(len(call.content or b""))
        return perform(call)

    monkeypatch.setattr(shop.engine, "perform", weighed)
    changes = [{"op": "delete", "id": f"p{n}"} for n in range(COUNT // 2)]
    path = shop.folder / "late.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, changes)))
    report = reindex(
        shop.index,
        shop.file(1),
        then=[path],
        options=build_options(),
        pacing=Pacing(batch_bytes=2_000, connections=1),
        metrics=Counting(),
    )
    assert report.served
    assert max(sizes) <= 2_000
    assert (told["indexed"], told["deleted"]) == (COUNT, COUNT // 2)


def test_changes_during_a_rebuild_are_missing_until_they_are_applied_once_more(shop: Shop) -> None:
    """What docs/lifecycle.md says of `kokeshi follow`: the same changes again bring nothing old back."""
    shop.build(1)
    now = int(time.time() * 1000)
    changes = [
        {"op": "update", "id": "p1", "version": now - 2, "document": {"generation": 7}},
        {"op": "update", "id": "p1", "version": now, "document": {"generation": 9}},
        {"op": "delete", "id": "p2", "version": now},
    ]
    path = shop.folder / "topic.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, changes)))

    def follow(live: str, version: Index) -> Check:
        shop.index.apply(path)
        return Check("gate", True, "")

    assert reindex(shop.index, shop.file(2), gate=follow, options=build_options()).served
    assert shop.served()[1:] == (COUNT, {2})
    for _ in range(2):
        shop.index.apply(path)
        assert shop.served()[1:] == (COUNT - 1, {2, 9})
