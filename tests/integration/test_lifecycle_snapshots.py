"""Snapshots on live engines: made, listed, restored as a version or under another name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kokeshi import Index
from kokeshi.connect import connect
from kokeshi.engines import calls
from kokeshi.errors import EngineError, InputError, SpecError
from kokeshi.lifecycle import Snapshots, reindex, requests, rollback
from kokeshi.lifecycle.flows import find_family
from kokeshi.schema import parse_spec
from tests.lifecycle import (
    COUNT,
    SPEC,
    VECTORS,
    Shop,
    build_options,
    searching,
)

pytestmark = pytest.mark.engine


@pytest.fixture
def snapshots(shop: Shop) -> Iterator[Snapshots]:
    """A repository of its own, whose folder is below the first of `path.repo`."""
    found = Snapshots(shop.engine, shop.name)
    try:
        yield found
    finally:
        for one in found.list():
            found.delete(one.name)
        path = f"/_snapshot/{shop.name}"
        shop.engine.perform(
            calls.Call("gone", "DELETE", path, lambda _: None, accept=frozenset({404}))
        )


def test_a_snapshot_comes_back_as_a_version_or_under_another_name(
    shop: Shop, snapshots: Snapshots
) -> None:
    assert snapshots.list() == []
    shop.build(1)
    made = snapshots.create(shop.name, "first")
    assert (made.state, made.indices) == ("SUCCESS", (f"{shop.name}-v000001",))
    assert [one.name for one in snapshots.list()] == ["first"]
    shop.build(2)
    with searching(shop, threads=1) as seen:
        assert snapshots.restore("first", shop.name) == f"{shop.name}-v000003"
    assert {*seen} <= {(COUNT, frozenset([generation])) for generation in (1, 2)}
    assert shop.served() == (f"{shop.name}-v000003", COUNT, {1})
    assert rollback(shop.engine, shop.name).version == f"{shop.name}-v000002"
    copy = f"{shop.name}-copy"
    assert snapshots.restore("first", shop.name, copy) == copy
    other = Index(parse_spec(SPEC.format(name=copy)), shop.engine)
    assert (other.count(), other.concrete_name()) == (COUNT, copy)
    nearest = other.search(vector=VECTORS[5], plan="exact", size=1)
    assert nearest.ids == ["p5"]
    snapshots.delete("first")
    assert snapshots.list() == []


@pytest.fixture
def slow(shop: Shop, snapshots: Snapshots) -> Snapshots:
    """The same repository, from which an index is restored in seconds."""
    settings = {"location": shop.name, "max_restore_bytes_per_sec": "5kb"}
    shop.engine.create_repository(shop.name, {"type": "fs", "settings": settings})
    return snapshots


def test_a_version_that_is_being_restored_is_not_whole(
    shop: Shop, slow: Snapshots, engine_url: str, monkeypatch
) -> None:
    """Its snapshot says that it is complete, and the engine that it is yellow, without any shard."""
    shop.build(1)
    slow.create(shop.name, "first")
    live = shop.build(2).version
    path, seen, perform = shop.file(4), [], shop.engine.perform

    def watched(call):
        answer = perform(call)
        if call.operation == "wait_for_index":
            family = other.run(find_family(shop.name))
            seen.append((answer, family.versions[-1].state, family.live))
            if answer == "coming":
                with pytest.raises(SpecError, match="v000003' is being built by process"):
                    reindex(Index(shop.index.spec, other), path, options=build_options())
        return answer

    monkeypatch.setattr(requests, "WAIT_S", 1)
    with connect(engine_url) as other, searching(shop, threads=1) as found:
        monkeypatch.setattr(shop.engine, "perform", watched)
        restored = slow.restore("first", shop.name)
        monkeypatch.setattr(shop.engine, "perform", perform)
    assert {*seen} == {
        ("coming", "building", live),
        ("whole", "building", live),
        ("whole", "complete", live),  # right before the swap
    }
    assert {*found} <= {(COUNT, frozenset([generation])) for generation in (1, 2)}
    assert shop.served() == (restored, COUNT, {1})
    mark = shop.engine.run(find_family(shop.name)).versions[-1].mark
    assert mark is not None
    assert (mark.source, mark.replaces) == (f"snapshot {shop.name}/first", live)


def test_what_a_restore_that_was_stopped_left_is_deleted_by_the_next_run(
    shop: Shop, slow: Snapshots, monkeypatch
) -> None:
    shop.build(1)
    slow.create(shop.name, "first")
    perform = shop.engine.perform

    def stopped(call):
        if call.operation == "wait_for_index":
            raise KeyboardInterrupt
        return perform(call)

    monkeypatch.setattr(shop.engine, "perform", stopped)
    with pytest.raises(KeyboardInterrupt):
        slow.restore("first", shop.name)
    monkeypatch.setattr(shop.engine, "perform", perform)
    assert shop.served()[2] == {1}
    assert shop.build(2).cleared == (f"{shop.name}-v000002",)
    assert shop.served() == (f"{shop.name}-v000003", COUNT, {2})


def test_mistakes_with_snapshots_are_told(shop: Shop, snapshots: Snapshots) -> None:
    with pytest.raises(SpecError, match="does not exist: there is nothing to keep"):
        snapshots.create(shop.name)
    shop.build(1)
    name = snapshots.create(shop.name).name
    assert name.startswith(shop.name)
    with pytest.raises(InputError, match="exists in .*; choose another name"):
        snapshots.create(shop.name, name)
    with pytest.raises(InputError, match="snapshot 'other': there is none"):
        snapshots.restore("other", shop.name)
    with pytest.raises(InputError, match="snapshot 'other': there is none"):
        snapshots.delete("other")
    with pytest.raises(InputError, match="exists; choose another name"):
        snapshots.restore(name, shop.name, f"{shop.name}-v000001")
    with pytest.raises(InputError, match="snapshot 'Bad Name': lower-case letters"):
        snapshots.create(shop.name, "Bad Name")
    with pytest.raises(InputError, match="location /elsewhere: the repository .* is at"):
        Snapshots(shop.engine, shop.name, "/elsewhere").create(shop.name, "again")


def test_a_folder_that_no_node_may_write_to_is_explained(shop: Shop) -> None:
    shop.build(1)
    with pytest.raises(EngineError, match="location /nowhere: .* below its path.repo; set that in"):
        Snapshots(shop.engine, f"{shop.name}-r", "/nowhere").create(shop.name, "first")
