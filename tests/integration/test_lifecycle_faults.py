"""Versions on live engines under load, killed anywhere, and two at once: no search fails or sees a half."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kokeshi import Index
from kokeshi.errors import EngineError, SpecError
from kokeshi.lifecycle import (
    Check,
    adopt,
    find_status,
    reindex,
    rollback,
)
from kokeshi.lifecycle.flows import begin
from kokeshi.schema import parse_spec
from kokeshi.versions import Mark, Owner
from tests.lifecycle import (
    COUNT,
    SCAN,
    SPEC,
    VECTORS,
    Shop,
    build_options,
    make_codebook,
    searching,
)

pytestmark = pytest.mark.engine


def test_a_swap_under_load_fails_no_search_and_shows_no_half_of_an_index(shop: Shop) -> None:
    assert shop.build(0).served
    with searching(shop) as seen:
        for generation in range(1, 4):
            report = shop.build(generation)
            assert (report.served, report.refused) == (True, None)
        rollback(shop.engine, shop.name)
    whole = {(COUNT, frozenset([generation])) for generation in range(4)}
    assert [one for one in seen if one not in whole] == []
    assert len(set(seen)) > 1
    assert shop.served() == (f"{shop.name}-v000003", COUNT, {2})


KILLED = """
import os, signal, sys
from kokeshi import Index
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.connect import connect
from kokeshi.lifecycle import adopt, reindex

url, spec, source, what, operation, number, when = sys.argv[1:]
engine = connect(url)
perform, seen = engine.perform, []

def counted(call):
    seen.append(call.operation)
    here = call.operation == operation and seen.count(operation) == int(number)
    if here and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = perform(call)
    if here:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

engine.perform = counted
index = Index.open(spec)
index.engine = engine
adopt(index) if what == "adopt" else reindex(index, source)
"""
SLOW = pytest.mark.slow
POINTS = [
    pytest.param(("create_index", 1, "after"), marks=SLOW),
    pytest.param(("bulk", 1, "before"), marks=SLOW),
    ("bulk", 1, "after"),
    pytest.param(("put_mapping", 1, "after"), marks=SLOW),
    pytest.param(("update_aliases", 1, "before"), marks=SLOW),
    ("update_aliases", 1, "after"),
    pytest.param(("delete_index", 1, "before"), marks=SLOW),
]


def killed(shop: Shop, url: str, what: str, source: Path, point: tuple[str, int, str]) -> None:
    """Run a command that ends itself by SIGKILL at a request to the engine."""
    spec = shop.folder / "kokeshi.yaml"
    spec.write_text(SPEC.format(name=shop.name) + f"engine: {{url: '{url}'}}\n")
    command = [sys.executable, "-c", KILLED, url, str(spec), str(source), what, *map(str, point)]
    done = subprocess.run(command, cwd=shop.folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == -9, done.stderr


@pytest.mark.parametrize("point", POINTS, ids=lambda point: "-".join(map(str, point)))
def test_killed_anywhere_a_whole_index_is_served_and_the_next_run_cleans_up(
    shop: Shop, engine_url: str, point: tuple[str, int, str]
) -> None:
    for generation in (1, 2):
        shop.build(generation)
    with searching(shop, threads=1) as seen:
        killed(shop, engine_url, "reindex", shop.file(3), point)
        live, count, generations = shop.served()
        swapped = point in {("update_aliases", 1, "after"), ("delete_index", 1, "before")}
        assert (count, generations) == (COUNT, {3} if swapped else {2})
        assert shop.build(4).replaced == live
    assert {*seen} <= {(COUNT, frozenset([generation])) for generation in (2, 3, 4)}
    assert shop.served() == (f"{shop.name}-v000004", COUNT, {4})
    assert shop.versions() == [live.removeprefix(shop.name), "-v000004"]
    assert rollback(shop.engine, shop.name).version == live


ADOPTION = [
    pytest.param(("put_mapping", 1, "after"), marks=SLOW),
    pytest.param(("clone", 1, "before"), marks=SLOW),
    pytest.param(("clone", 1, "after"), marks=SLOW),
    pytest.param(("update_aliases", 1, "after"), marks=SLOW),
]


@pytest.mark.parametrize("point", ADOPTION, ids=lambda point: "-".join(map(str, point)))
def test_an_adoption_that_is_killed_goes_on_with_the_next(
    shop: Shop, engine_url: str, point: tuple[str, int, str]
) -> None:
    path = shop.file(1)
    shop.index.ingest(path)
    killed(shop, engine_url, "adopt", path, point)
    assert (shop.index.count(), shop.index.count("generation = 1")) == (COUNT, COUNT)
    if point[0] != "update_aliases":
        adopt(shop.index)
    adopted = shop.served()[0]
    shop.build(2)
    assert rollback(shop.engine, shop.name).version == adopted
    assert shop.index.ingest(shop.file(3, count=2)).failed == 0
    assert shop.versions() == [adopted.removeprefix(shop.name), shop.versions()[-1]]


def test_two_at_once_are_told_apart(shop: Shop) -> None:
    shop.build(1)
    refusals: list[str] = []

    def gate(live: str, version: Index) -> Check:
        for options in (build_options(), build_options(take_over=True)):
            with pytest.raises(SpecError, match="is being built by process") as caught:
                reindex(shop.index, shop.file(3), options=options)
            refusals.append(str(caught.value))
        with pytest.raises(SpecError, match="is not finished, so it cannot be served"):
            rollback(shop.engine, shop.name, version.spec.index)
        return Check("gate", True, "")

    assert reindex(shop.index, shop.file(2), gate=gate, options=build_options()).served
    assert len(refusals) == 2
    assert shop.served()[2] == {2}


def test_a_swap_that_another_was_faster_with_changes_nothing(shop: Shop) -> None:
    shop.build(1)

    def gate(live: str, version: Index) -> Check:
        shop.engine.create_index(f"{shop.name}-red", {})
        old, new = {"index": live}, {"index": f"{shop.name}-red"}
        alias = {"alias": shop.name}
        shop.engine.update_aliases([{"remove": old | alias}, {"add": new | alias}])
        return Check("gate", True, "")

    with pytest.raises(EngineError, match="missing"):
        reindex(shop.index, shop.file(2), gate=gate, options=build_options())
    assert shop.engine.get_aliases(shop.name) == [f"{shop.name}-red"]


def test_what_another_machine_left_is_deleted_only_when_told(shop: Shop) -> None:
    shop.build(1)
    name, owner = f"{shop.name}-v000002", Owner("elsewhere", 1, "x")
    mark = replace(Mark.new("f.jsonl", None), owner=owner)
    shop.engine.run(begin(name, shop.index.build_body(), mark))
    with pytest.raises(
        SpecError, match="process 1 on elsewhere still builds it.* give --take-over"
    ):
        shop.build(3)
    assert shop.served()[2] == {1}
    report = shop.build(3, take_over=True)
    assert (report.cleared, report.version) == ((name,), f"{shop.name}-v000003")


class TestSearchesDuringAChange:
    """Clients remember what they looked at; a swap must not mislead them."""

    def test_who_has_the_old_spec_goes_on_with_the_old_version(self, shop: Shop) -> None:
        shop.build(1)
        other = shop.of_dimension(6)
        with searching(shop) as seen:
            assert reindex(other, shop.file(2, dimension=6), options=build_options()).served
            threading.Event().wait(0.3)
        assert set(seen) == {(COUNT, frozenset([1]))}
        fresh = Index(shop.index.spec, shop.engine)
        assert fresh.search(vector=VECTORS[0], size=1).hits[0].source["generation"] == 1
        new = other.search(vector=VECTORS[0][:6], size=1).hits[0]
        assert new.source["generation"] == 2

    def test_without_the_old_version_the_old_spec_is_refused(self, shop: Shop) -> None:
        shop.build(1)
        assert shop.index.search(vector=VECTORS[0]).hits
        path, options = shop.file(2, dimension=6), build_options(keep=0)
        assert reindex(shop.of_dimension(6), path, options=options).served
        with pytest.raises(SpecError, match="dimension is 6 there, 8 here"):
            shop.index.search(vector=VECTORS[0])

    def test_vectors_that_were_made_in_another_way_are_never_compared(self, shop: Shop) -> None:
        """Of the same dimension: the engine would answer, with nonsense."""
        shop.build(1)
        assert shop.index.search(vector=VECTORS[0]).hits
        other = Index(parse_spec(SPEC.format(name=shop.name) + "    space: l2\n"), shop.engine)
        assert reindex(other, shop.file(2), options=build_options(keep=0)).served
        with pytest.raises(SpecError, match='space is "l2" there, "cosine" here'):
            shop.index.search(vector=VECTORS[0])

    def test_who_takes_the_codebook_from_the_engine_follows_to_new_codes(self, shop: Shop) -> None:
        """Searches by codes go on over a new codebook, of which the one who searches has no file."""
        builder, service = shop.with_codes("book"), shop.with_codes("none")
        make_codebook(builder, seed=1).save(shop.folder / "book")
        assert reindex(builder, shop.file(1), options=build_options()).served
        make_codebook(builder, seed=2).save(shop.folder / "book")
        again = shop.with_codes("book")
        with searching(shop, plans=(SCAN,), index=service) as seen:
            assert reindex(again, shop.file(2), options=build_options()).served
            deadline = time.monotonic() + 60
            while seen[-1:] != [(COUNT, frozenset([2]))] and time.monotonic() < deadline:
                time.sleep(0.05)
        assert {*seen} == {(COUNT, frozenset([generation])) for generation in (1, 2)}
        assert service.search(vector=VECTORS[0], plan=SCAN).hits[0].source["generation"] == 2
        (vector,) = find_status(shop.engine, again.spec).vectors
        assert vector.codebook == vector.here is not None
        # the codebook is that of the version, also where whoever rebuilds has no file either
        assert reindex(service, shop.file(3), options=build_options()).served
        assert service.search(vector=VECTORS[0], plan=SCAN).hits[0].source["generation"] == 3

    def test_two_rankings_are_fused_of_one_index(self, shop: Shop, monkeypatch) -> None:
        """A swap between the two searches of a request would mix them: they are asked again."""
        shop.build(1)
        shop.index.search("shoe", vector=VECTORS[0], plan="rrf")
        shop.build(2)
        sent: list[str] = []
        perform = shop.engine.perform

        def mixed(call):
            answer = perform(call)
            sent.append(call.operation)
            if call.operation == "msearch" and sent.count("msearch") == 1:
                for hit in answer[0]["hits"]["hits"]:
                    hit["_index"] = f"{shop.name}-v000001"
            return answer

        monkeypatch.setattr(shop.engine, "perform", mixed)
        hits = shop.index.search("shoe", vector=VECTORS[0], plan="rrf").hits
        assert {hit.source["generation"] for hit in hits} == {2}
        assert sent.count("msearch") == 2
