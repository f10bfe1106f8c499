"""What is deleted, served and refused when others change the versions of an index meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatch
from typing import Any

import pytest

from kokeshi import MemoryEngine
from kokeshi.engines.calls import Answer, Call
from kokeshi.errors import EngineError, SpecError
from kokeshi.lifecycle import requests, rollback
from kokeshi.lifecycle.flows import clear_unfinished, find_family, swap
from kokeshi.lifecycle.owners import building
from kokeshi.mapping import META
from kokeshi.types import Json
from kokeshi.versions import Mark, Owner, State, build_meta

ALIAS = "shop"
DEAD = Owner(socket.gethostname(), 1, "no process ever has this identity")
ELSEWHERE = Owner("elsewhere", 1, "x")


def name_of(number: int) -> str:
    return f"{ALIAS}-v{number:06d}"


class Versions(MemoryEngine):
    """Indices that have a mapping and aliases, and no documents; `before` changes them before a request."""

    def __init__(self) -> None:
        super().__init__()
        self.mappings: dict[str, Json] = {}
        self.aliases: dict[str, dict[str, Json]] = {}
        self.before: dict[str, Callable[[], object]] = {}

    def add(
        self, number: int, state: State, owner: Owner = DEAD, replaces: int | None = None
    ) -> str:
        name, before = name_of(number), name_of(replaces) if replaces else None
        mark = replace(Mark.new("f.jsonl", before), state=state, owner=owner)
        self.mappings[name] = {"_meta": build_meta({META: {"vectors": {}}}, mark)}
        self.aliases[name] = {}
        return name

    def serve(self, number: int) -> None:
        for aliases in self.aliases.values():
            aliases.pop(ALIAS, None)
        self.aliases[name_of(number)][ALIAS] = {}

    def delete(self, number: int) -> None:
        del self.mappings[name_of(number)], self.aliases[name_of(number)]

    def perform(self, call: Call[Any]) -> Any:
        self.before.pop(call.operation, lambda: None)()
        return getattr(self, f"_{call.operation}")(call)

    def _named(self, pattern: str) -> list[str]:
        return [
            name
            for name in self.mappings
            if fnmatch(name, pattern) or pattern in self.aliases[name]
        ]

    def _get_mapping(self, call: Call[Any]) -> dict[str, Json] | None:
        return {name: self.mappings[name] for name in self._named(call.index)} or None

    def _index_aliases(self, call: Call[Any]) -> dict[str, dict[str, Json]]:
        return {name: dict(self.aliases[name]) for name in self._named(call.index)}

    def _get_index(self, call: Call[Any]) -> dict[str, Json]:
        return {
            name: {"mappings": self.mappings[name], "aliases": self.aliases[name]}
            for name in self._named(call.index)
        }

    def _put_mapping(self, call: Call[Any]) -> None:
        self.mappings[call.index] = call.body

    def _delete_index(self, call: Call[Any]) -> None:
        del self.mappings[call.index], self.aliases[call.index]

    def _wait_for_index(self, call: Call[Any]) -> str:
        return "whole" if call.index in self.mappings else "broken"

    def _update_aliases(self, call: Call[Any]) -> None:
        for action in call.body["actions"]:
            ((kind, found),) = action.items()
            aliases = self.aliases[found["index"]]
            aliases.update({found["alias"]: {}}) if kind == "add" else aliases.pop(found["alias"])

    def clear(self, *, take_over: bool = False) -> list[str]:
        family = self.run(find_family(ALIAS))
        return self.run(clear_unfinished(family, take_over=take_over))


@pytest.fixture
def engine() -> Versions:
    """Version 1 is served, 3 was refused."""
    engine = Versions()
    engine.add(1, "complete")
    engine.add(3, "failed")
    engine.serve(1)
    return engine


class TestWhatRunsLeft:
    def test_is_deleted(self, engine: Versions) -> None:
        engine.add(2, "building")
        assert engine.clear() == [name_of(2), name_of(3)]
        assert [*engine.mappings] == [name_of(1)]

    @pytest.mark.parametrize("take_over", [False, True])
    @pytest.mark.parametrize("change", ["completed", "completed and served", "served"])
    def test_is_looked_at_once_more_before_it_is_deleted(
        self, engine: Versions, change: str, take_over: bool
    ) -> None:
        """Its run can serve it and end after the family was looked at; then its process is dead too."""
        owner = ELSEWHERE if take_over else DEAD
        engine.delete(3)
        engine.add(2, "building", owner)

        def finish() -> None:
            if "completed" in change:
                engine.add(2, "complete", owner)
            if "served" in change:
                engine.serve(2)

        engine.before["get_index"] = finish
        with pytest.raises(SpecError, match=f"'{name_of(2)}' was finished or served by another"):
            engine.clear(take_over=take_over)
        assert name_of(2) in engine.mappings

    def test_stays_where_it_was_rolled_back_to_meanwhile(self, engine: Versions) -> None:
        engine.before["get_index"] = lambda: rollback(engine, ALIAS, name_of(3))
        with pytest.raises(SpecError, match="start again"):
            engine.clear()
        assert engine.run(find_family(ALIAS)).live == name_of(3)

    def test_may_be_gone(self, engine: Versions) -> None:
        engine.before["get_index"] = lambda: engine.delete(3)
        assert engine.clear() == []

    def test_by_this_process_is_dead_once_it_builds_it_no_more(self, engine: Versions) -> None:
        """A clean-up that failed must not stand in the way of a process that lives on."""
        name = engine.add(2, "building", Owner.here())
        with building(name):
            with building(name):  # of another engine, with a version of the same name
                pass
            for take_over in (False, True):
                with pytest.raises(SpecError, match=f"'{name}' is being built by process"):
                    engine.clear(take_over=take_over)
        assert engine.clear() == [name, name_of(3)]

    def test_elsewhere_is_deleted_only_when_told(self, engine: Versions) -> None:
        name = engine.add(2, "building", ELSEWHERE)
        with pytest.raises(SpecError, match="whether process 1 on elsewhere still builds it"):
            engine.clear()
        assert engine.clear(take_over=True) == [name, name_of(3)]


class TestSwaps:
    def test_of_two_first_versions_one_is_served(self, engine: Versions) -> None:
        engine.aliases[name_of(1)].clear()
        engine.add(2, "complete")
        family = engine.run(find_family(ALIAS))
        engine.serve(2)
        with pytest.raises(EngineError, match=f"stands for {name_of(2)} since.*rollback --to"):
            engine.run(swap(family, name_of(1)))
        assert engine.run(find_family(ALIAS)).live == name_of(2)


class TestRollback:
    def test_to_what_is_gone_is_refused(self, engine: Versions) -> None:
        engine.add(4, "complete", replaces=1)
        engine.serve(4)
        engine.delete(1)
        for to in (None, name_of(1)):
            with pytest.raises(SpecError, match=f"'{name_of(1)}' is gone, so there is no way back"):
                rollback(engine, ALIAS, to)
        assert engine.run(find_family(ALIAS)).live == name_of(4)

    def test_to_a_name_serves_where_nothing_is(self, engine: Versions) -> None:
        engine.add(4, "complete", replaces=1)
        engine.serve(4)
        engine.delete(4)
        with pytest.raises(SpecError, match=f"stands for nothing.*with --to, of: {name_of(1)}, "):
            rollback(engine, ALIAS)
        report = rollback(engine, ALIAS, name_of(1))
        assert (report.version, report.replaced, report.other_vectors) == (name_of(1), None, False)
        assert engine.run(find_family(ALIAS)).live == name_of(1)

    def test_to_what_is_no_version_or_served_is_refused(self, engine: Versions) -> None:
        engine.add(4, "building")
        for to, reason in (
            ("", "'' is no version of 'shop'; there are: shop-v000001, shop-v000003"),
            (name_of(1), "is what 'shop' stands for already"),
            (name_of(4), "is not finished, so it cannot be served"),
            (None, "took no index's place; name another with --to"),
        ):
            with pytest.raises(SpecError, match=reason):
                rollback(engine, ALIAS, to)


@pytest.mark.parametrize(
    ("status", "active", "initializing", "health"),
    [
        ("green", 2, 0, "whole"),
        ("yellow", 2, 1, "whole"),  # a replica is made
        ("yellow", 1, 1, "coming"),
        ("yellow", 0, 0, "coming"),  # of a snapshot, before the first shard has a node
        ("red", 1, 1, "coming"),
        ("red", 1, 0, "broken"),
    ],
)
def test_an_index_is_whole_when_each_primary_answers(
    status: str, active: int, initializing: int, health: str
) -> None:
    """An index that is restored is yellow, and not timed out, before any shard of it is there."""
    one = {"number_of_shards": 2, "active_primary_shards": active}
    body = {"status": status, "initializing_shards": initializing, "indices": {"a": one}}
    call = requests.wait_for_index("a")
    assert call.read(Answer(200, body | {"timed_out": False})) == health
    assert call.read(Answer(408, {"timed_out": True, "status": "red", "indices": {}})) == "broken"
