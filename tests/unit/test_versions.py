"""Versions of an index: their names, what each remembers, which are kept, and the actions of a swap."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from kokeshi.embedded.process import process_identity
from kokeshi.mapping import META
from kokeshi.schema import parse_spec
from kokeshi.types import Json
from kokeshi.versions import (
    Family,
    Mark,
    Owner,
    State,
    Version,
    build_adoption,
    build_meta,
    build_swap,
    find_fitting,
    find_mark,
    find_old,
    find_unfinished,
    parse_versions,
    spec_of,
)

OWNER = Owner("host", 1, "x")


def meta(state: State, replaces: str | None = None, vectors: Json | None = None) -> Json:
    made = {META: {"id": "id", "digest": "d", "vectors": vectors or {}}}
    return build_meta(made, Mark(state, "2026-01-01T00:00:00+00:00", "f.jsonl", replaces, OWNER))


def version(number: int, state: State = "complete", replaces: int | None = None) -> Version:
    before = f"shop-v{replaces:06d}" if replaces else None
    return Version(f"shop-v{number:06d}", number, meta(state, before))


def family(live: int | None, *versions: Version, **aliases: Json) -> Family:
    name = f"shop-v{live:06d}" if live else None
    return Family("shop", name, versions, {**({name: {"shop": {}}} if name else {}), **aliases})


class TestNames:
    def test_only_the_alias_and_six_digits_are_a_version(self) -> None:
        names = [
            "shop-v000002",
            "shop-v10000000",
            "shop-v1",
            "shop-vegan",
            "shop-v000001-x",
            "shop",
        ]
        found = parse_versions("shop", {name: {} for name in [*names, "a-shop-v000001"]})
        assert [one.number for one in found] == [2, 10_000_000]

    def test_a_name_is_not_a_pattern(self) -> None:
        assert parse_versions("sh.p", {"shop-v000001": {}}) == ()

    def test_the_next_is_above_every_other_whatever_became_of_it(self) -> None:
        assert family(None).next_name == "shop-v000001"
        found = family(2, version(2), version(9, "building"))
        assert found.next_name == "shop-v000010"


class TestMarks:
    def test_a_mark_is_read_as_it_was_written_beside_what_was_there(self) -> None:
        mark = Mark.new("f.jsonl", "shop-v000001")
        written = build_meta({META: {"id": "sku"}, "other": 1}, mark)
        assert find_mark(written) == mark
        assert (written["other"], written[META]["id"]) == (1, "sku")
        assert mark.state == "building"

    def test_an_index_without_one_has_none(self) -> None:
        assert (find_mark({}), find_mark({META: {"id": "id"}})) == (None, None)
        assert Version("shop-v000001", 1, {}).state is None

    def test_an_owner_is_alive_dead_or_unknown(self) -> None:
        assert Owner.here().state == "alive"
        here = socket.gethostname()
        assert Owner(here, os.getpid(), "another").state == "dead"
        assert Owner("elsewhere", os.getpid(), process_identity(os.getpid())).state == "unknown"
        assert Owner(here, os.getpid(), None).state == "unknown"
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            owner = Owner(here, child.pid, process_identity(child.pid))
            assert owner.state == "alive"
            child.kill()
        assert owner.state == "dead"


class TestWhatIsKept:
    def test_the_chain_goes_back_by_what_each_replaced(self) -> None:
        found = family(5, version(1), version(3, replaces=1), version(5, replaces=3))
        assert found.chain(1) == ["shop-v000003"]
        assert found.chain(9) == ["shop-v000003", "shop-v000001"]
        assert found.chain(0) == family(None).chain(2) == []

    def test_a_circle_ends(self) -> None:
        found = family(2, version(1, replaces=2), version(2, replaces=1))
        assert found.chain(9) == ["shop-v000001"]

    def test_old_is_what_neither_serves_nor_was_served_last(self) -> None:
        versions = (
            version(1),
            version(2, replaces=1),
            version(3, replaces=2),
            version(4, replaces=2),
        )
        found = family(4, *versions)
        assert [one.number for one in find_old(found, 1)] == [1, 3]
        assert [one.number for one in find_old(found, 2)] == [3]
        assert [one.number for one in find_old(found, 0)] == [1, 2, 3]

    def test_neither_what_is_unfinished_nor_anothers_index_is_old(self) -> None:
        unmarked = Version("shop-v000002", 2, {})
        found = family(4, version(1, "building"), unmarked, version(3, "failed"), version(4))
        assert find_old(found, 0) == []

    def test_an_index_with_any_alias_stays(self) -> None:
        archive = {"shop-v000001": {"archive": {}}, "shop-v000002": {"archive": {}}}
        found = family(3, version(1), version(2, "failed"), version(3), **archive)
        assert (find_old(found, 0), find_unfinished(found)) == ([], [])

    def test_unfinished_is_what_was_never_whole_or_was_refused(self) -> None:
        found = family(1, version(1), version(2, "building"), version(3, "failed"), version(4))
        assert [one.number for one in find_unfinished(found)] == [2, 3]

    def test_what_is_served_is_never_unfinished(self) -> None:
        assert find_unfinished(family(1, version(1, "building"))) == []


class TestActions:
    def test_the_first_version_gets_the_alias(self) -> None:
        assert build_swap(family(None), "new") == [{"add": {"index": "new", "alias": "shop"}}]

    def test_every_alias_moves_with_what_it_has(self) -> None:
        only = {"filter": {"term": {"country": "de"}}, "search_routing": "1"}
        found = Family("shop", "old", (), {"old": {"shop": {}, "shop-de": only}})
        assert build_swap(found, "new") == [
            {"remove": {"index": "old", "alias": "shop", "must_exist": True}},
            {"remove": {"index": "old", "alias": "shop-de", "must_exist": True}},
            {"add": {"index": "new", "alias": "shop"}},
            {"add": {**only, "index": "new", "alias": "shop-de"}},
        ]

    def test_an_adopted_index_goes_where_its_copy_comes(self) -> None:
        assert build_adoption("shop", "shop-v000001", [("all", {"is_write_index": True})]) == [
            {"add": {"index": "shop-v000001", "alias": "shop"}},
            {"add": {"is_write_index": True, "index": "shop-v000001", "alias": "all"}},
            {"remove_index": {"index": "shop"}},
        ]


def test_the_spec_of_a_version_keeps_the_codebooks_of_its_alias() -> None:
    spec = parse_spec(
        """
index: shop
vectors:
  a: {encoder: {name: precomputed, column: w}, dimension: 4}
  b: {encoder: {name: precomputed, column: w}, dimension: 4, codes: {subvectors: 2, loss: plain}}
  c: {encoder: {name: precomputed, column: w}, dimension: 4, codes: {subvectors: 2, loss: plain, codebook: x}}
"""
    )
    found = spec_of(spec, "shop-v000001")
    assert found.index == "shop-v000001"
    assert [found.codebook_path(name) for name in "bc"] == ["shop-b.codebook", "x"]
    assert found.vectors["a"] == spec.vectors["a"]


@pytest.mark.parametrize(
    ("dimension", "fitting"), [(8, "shop-v000002"), (6, None), (4, "shop-v000001")]
)
def test_the_newest_whole_version_that_fits_a_spec_is_found(
    dimension: int, fitting: str | None
) -> None:
    def mapping(state: State, dimension: int) -> Json:
        return {"_meta": meta(state, vectors={"v": {"dimension": dimension}})}

    mappings = {
        "shop-v000001": mapping("complete", 4),
        "shop-v000002": mapping("complete", 8),
        "shop-v000003": mapping("building", 8),
        "shop-v000004": mapping("failed", 6),
        "shop-v000005": {},
    }
    assert find_fitting("shop", mapping("complete", dimension), mappings) == fitting
