"""Snapshots on live engines: made, listed, restored as a version or under another name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kokeshi import Index
from kokeshi.engines import Engine, calls
from kokeshi.errors import EngineError, InputError, SpecError
from kokeshi.lifecycle import (
    Snapshots,
    rollback,
)
from kokeshi.schema import parse_spec
from tests.lifecycle import (
    COUNT,
    SPEC,
    VECTORS,
    Shop,
    a_shop,
    searching,
)

pytestmark = pytest.mark.engine


@pytest.fixture
def shop(engine: Engine, tmp_path: Path, monkeypatch) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)  # failures of an ingest are kept there
    with a_shop(engine, tmp_path) as shop:
        yield shop


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
