"""Versions behind an alias on live engines: built, checked, adopted, rolled back, pruned."""

from __future__ import annotations

import orjson
import pytest

from kokeshi import Index
from kokeshi.errors import EngineError, InputError, SpecError
from kokeshi.lifecycle import (
    Check,
    ReindexOptions,
    adopt,
    find_status,
    reindex,
    rollback,
)
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


def test_versions_are_numbered_kept_and_pruned(shop: Shop) -> None:
    first = shop.build(1)
    assert (first.version, first.replaced, first.pruned) == (f"{shop.name}-v000001", None, ())
    second = shop.build(2, keep=2)
    assert second.replaced == first.version
    third = shop.build(3, keep=2)
    assert (third.pruned, shop.versions()) == ((), ["-v000001", "-v000002", "-v000003"])
    fourth = shop.build(4)
    assert fourth.pruned == (first.version, second.version)
    assert shop.versions() == ["-v000003", "-v000004"]
    assert shop.build(5, keep=0).pruned == (
        third.version,
        fourth.version,
    )
    assert shop.served() == (f"{shop.name}-v000005", COUNT, {5})


def test_rollback_goes_back_by_one_and_forward_by_name(shop: Shop) -> None:
    for generation in (1, 2, 3):
        shop.build(generation, keep=5)
    for back in (2, 1):
        report = rollback(shop.engine, shop.name)
        assert (report.version, report.other_vectors) == (f"{shop.name}-v00000{back}", False)
        assert shop.served() == (report.version, COUNT, {back})
    with pytest.raises(
        SpecError, match="took no index's place; name another with --to, of: .*v000"
    ):
        rollback(shop.engine, shop.name)
    with pytest.raises(SpecError, match="'other' is no version of"):
        rollback(shop.engine, shop.name, "other")
    rollback(shop.engine, shop.name, f"{shop.name}-v000003")
    assert shop.served()[2] == {3}
    with pytest.raises(SpecError, match="stands for already"):
        rollback(shop.engine, shop.name, f"{shop.name}-v000003")


def test_what_was_rolled_back_is_neither_kept_nor_gone_back_to(shop: Shop) -> None:
    for generation in (1, 2):
        shop.build(generation)
    rollback(shop.engine, shop.name)
    report = shop.build(3)
    assert report.pruned == (f"{shop.name}-v000002",)
    assert rollback(shop.engine, shop.name).version == f"{shop.name}-v000001"


def test_every_alias_of_the_old_version_moves_along_with_its_filter(shop: Shop) -> None:
    first = shop.build(1).version
    cheap, write = f"{shop.name}-cheap", f"{shop.name}-write"
    only = {"range": {"price": {"lt": 10}}}
    shop.engine.update_aliases(
        [
            {"add": {"index": first, "alias": cheap, "filter": only}},
            {"add": {"index": first, "alias": write, "is_write_index": True}},
        ]
    )
    second = shop.build(2).version
    assert shop.engine.get_aliases(cheap) == shop.engine.get_aliases(write) == [second]
    assert (shop.engine.count(cheap), shop.engine.count(write)) == (10, COUNT)
    rollback(shop.engine, shop.name)
    assert shop.engine.get_aliases(cheap) == [first]


def test_an_alias_of_ones_own_is_followed_and_never_pruned(shop: Shop) -> None:
    blue = f"{shop.name}-blue"
    Index(parse_spec(SPEC.format(name=blue)), shop.engine).ingest(shop.file(1))
    shop.engine.update_aliases([{"add": {"index": blue, "alias": shop.name}}])
    report = shop.build(2, keep=0)
    assert (report.replaced, report.pruned) == (blue, ())
    assert rollback(shop.engine, shop.name).version == blue
    assert shop.served() == (blue, COUNT, {1})


def test_differences_come_in_before_the_swap(shop: Shop) -> None:
    shop.build(1)
    changes = [
        *({"op": "update", "id": f"p{n}", "document": {"generation": 3}} for n in range(10)),
        *({"op": "delete", "id": f"p{n}", "version": 50} for n in range(10, 50)),
        {"op": "update", "id": "p10", "version": 49, "document": {"generation": 3}},
    ]
    path = shop.folder / "late.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, changes)))
    report = reindex(shop.index, shop.file(2), then=[path], options=build_options())
    names = ["source", "differences", "count", "vectors", "recall"]
    assert [check.name for check in report.checks] == names
    (differences,) = report.differences
    assert (differences.updated, differences.deleted, differences.stale) == (10, 40, 1)
    assert shop.served()[1:] == (COUNT - 40, {2, 3})
    assert shop.index.count("generation = 3") == 10


def test_differences_that_fail_keep_the_old_version(shop: Shop) -> None:
    shop.build(1)
    path = shop.folder / "late.jsonl"
    path.write_bytes(orjson.dumps({"op": "update", "id": "nowhere", "document": {"price": 1}}))
    report = reindex(shop.index, shop.file(2), then=[path], options=build_options())
    assert report.refused is not None
    assert "1 failed (line 1: there is no such document to update" in report.refused.found
    assert shop.served()[2] == {1}


@pytest.mark.parametrize("keep_failed", [True, False])
def test_a_version_with_too_few_documents_is_not_served(shop: Shop, keep_failed: bool) -> None:
    shop.build(1)
    options = build_options(keep_failed=keep_failed)
    with searching(shop, threads=1) as seen:
        report = reindex(shop.index, shop.file(2, count=COUNT // 2), options=options)
    assert (report.served, report.kept) == (False, keep_failed)
    assert report.refused is not None
    assert report.refused.found == "100 documents, 200 are served now; fewer by more than 1.0%"
    assert set(seen) == {(COUNT, frozenset([1]))}
    assert shop.versions() == ["-v000001", *(["-v000002"] if keep_failed else [])]
    again = shop.build(3)
    assert again.cleared == ((f"{shop.name}-v000002",) if keep_failed else ())
    assert shop.served()[2] == {3}


def test_a_version_that_was_kept_can_be_served_by_name(shop: Shop) -> None:
    shop.build(1)
    options = build_options(keep_failed=True)
    kept = reindex(shop.index, shop.file(2, count=50), options=options).version
    assert rollback(shop.engine, shop.name, kept).version == kept
    assert rollback(shop.engine, shop.name).version == f"{shop.name}-v000001"


def test_documents_that_fail_are_no_version(shop: Shop) -> None:
    path = shop.file(1)
    path.write_bytes(path.read_bytes() + b'{"id": "bad", "price": "dear"}\n' * 5)
    report = reindex(shop.index, path, options=build_options())
    assert (report.served, report.ingest.failed) == (False, 5)
    assert report.refused is not None
    assert "200 documents of 200 distinct ids; 5 failed, more than 1.0%" in report.refused.found
    assert (shop.index.exists(), shop.versions()) == (False, [])


@pytest.mark.parametrize("passed", [True, False])
def test_a_gate_decides(shop: Shop, passed: bool) -> None:
    asked: list[tuple[str, str, int]] = []

    def gate(live: str, version: Index) -> Check:
        asked.append((live, version.spec.index, version.count()))
        return Check("gate", passed, "by hand")

    with pytest.raises(InputError, match="nothing is served yet that it could compare"):
        reindex(shop.index, shop.file(1), gate=gate, options=build_options())
    shop.build(1)
    report = reindex(shop.index, shop.file(2), gate=gate, options=build_options())
    assert asked == [(f"{shop.name}-v000001", f"{shop.name}-v000002", COUNT)]
    assert report.served is passed
    assert shop.served()[2] == ({2} if passed else {1})


def test_a_plan_that_loses_recall_is_not_served(shop: Shop) -> None:
    plan = {"two-stage": {"shortlist": {"dims": 4, "k": 10, "exact_below": 0}, "rescore": {}}}
    spec = shop.index.spec.model_dump(exclude_none=True) | {"plans": plan}
    poor = Index(parse_spec(orjson.dumps(spec).decode()), shop.engine)
    report = reindex(poor, shop.file(1))
    assert report.refused is not None
    assert report.refused.name == "recall"
    assert "at least 0.95 is expected" in report.refused.found
    assert reindex(poor, shop.file(1), options=ReindexOptions(min_recall=0.1)).served
    assert reindex(poor, shop.file(1), options=ReindexOptions(sample=0)).served


class TestVectors:
    """Documents without text for a template are indexed without a vector, and fail nowhere."""

    @staticmethod
    def words(shop: Shop, source: str) -> Index:
        text = f"""
index: {shop.name}
text: [title]
metadata: {{generation: integer, price: float}}
vectors: {{embedding: {{encoder: wordllama, source: "{source}", dimension: 256}}}}
"""
        return Index(parse_spec(text), shop.engine)

    def test_a_template_that_finds_no_text_keeps_the_old_version(self, shop: Shop) -> None:
        path = shop.file(1, count=50)
        with_typo = self.words(shop, "{titel}")
        for _ in range(2):  # also the first version is refused
            report = reindex(with_typo, path, options=build_options())
            assert report.refused is not None
            assert report.refused.found == (
                "of 50 documents 0 have embedding; at least one is expected: look at the source of "
                "vectors.embedding"
            )
            assert reindex(self.words(shop, "{title}"), path, options=build_options()).served
        assert shop.versions() == ["-v000001", "-v000002"]

    def test_a_column_that_some_lack_passes_by_the_tolerance(self, shop: Shop) -> None:
        index = self.words(shop, "{title}")
        assert reindex(index, shop.file(1, count=50), options=build_options()).served
        rows = [orjson.loads(line) for line in shop.file(2, count=50).read_bytes().splitlines()]
        for row in rows[:10]:
            row["name"] = row.pop("title")
        path = shop.folder / "renamed.jsonl"
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        report = reindex(index, path, options=build_options())
        assert report.refused is not None
        assert (report.refused.name, report.ingest.without_vector) == ("vectors", 10)
        assert "40 have embedding; 100.0% of what is served now have" in report.refused.found
        assert reindex(index, path, options=build_options(tolerance=0.2)).served
        assert reindex(index, path, options=build_options()).served


def test_an_error_leaves_nothing_behind(shop: Shop) -> None:
    shop.build(1)

    def gate(live: str, version: Index) -> Check:
        raise EngineError("the gate broke")

    with pytest.raises(EngineError, match="the gate broke"):
        reindex(shop.index, shop.file(2), gate=gate, options=build_options())
    assert shop.versions() == ["-v000001"]
    assert shop.served()[2] == {1}


def test_another_dimension_is_the_same_command(shop: Shop) -> None:
    shop.build(1)
    other, path = shop.of_dimension(6), shop.file(2, dimension=6)
    with pytest.raises(SpecError, match="dimension is 8 there, 6 here"):
        other.ingest(path)
    assert reindex(other, path, options=build_options()).served
    assert len(other.search(vector=VECTORS[0][:6], size=COUNT).hits) == COUNT
    assert rollback(shop.engine, shop.name).other_vectors
    assert shop.served()[2] == {1}


class TestAdoption:
    def test_an_index_of_that_name_is_refused(self, shop: Shop) -> None:
        shop.index.ingest(shop.file(1))
        with pytest.raises(SpecError, match="is an index itself.*kokeshi reindex FILE --adopt"):
            shop.build(2)
        with pytest.raises(SpecError, match="is an index itself"):
            rollback(shop.engine, shop.name)
        assert shop.versions() == []

    def test_it_becomes_a_version_that_can_be_gone_back_to(self, shop: Shop) -> None:
        shop.index.ingest(shop.file(1))
        with searching(shop) as seen:
            assert adopt(shop.index) == f"{shop.name}-v000001"
            shop.build(2)
        assert {*seen} <= {(COUNT, frozenset([1])), (COUNT, frozenset([2]))}
        rollback(shop.engine, shop.name)
        assert shop.served() == (f"{shop.name}-v000001", COUNT, {1})
        assert shop.index.ingest(shop.file(3, count=2)).failed == 0  # it can be written again
        assert shop.served()[2] == {1, 3}
        with pytest.raises(SpecError, match="is an alias already: there is nothing to adopt"):
            adopt(shop.index)

    def test_an_error_leaves_it_open_for_writing(self, shop: Shop, monkeypatch) -> None:
        shop.index.ingest(shop.file(1))
        perform = shop.engine.perform

        def refused(call):
            if call.operation == "update_aliases":
                raise EngineError("no right to do so", status=403)
            return perform(call)

        monkeypatch.setattr(shop.engine, "perform", refused)
        with pytest.raises(EngineError, match="no right to do so"):
            adopt(shop.index)
        monkeypatch.setattr(shop.engine, "perform", perform)
        assert shop.index.ingest(shop.file(2, count=2)).failed == 0
        assert shop.engine.get_aliases(shop.name) == []
        assert adopt(shop.index) == f"{shop.name}-v000002"  # the copy of before is in nobody's way
        assert shop.versions() == ["-v000002"]

    def test_one_that_kokeshi_did_not_make_stays_as_it_is(self, shop: Shop) -> None:
        with pytest.raises(SpecError, match="does not exist: there is nothing to adopt"):
            adopt(shop.index)
        shop.engine.create_index(shop.name, {})
        with pytest.raises(SpecError, match="was not made by Kokeshi, so it is not adopted"):
            adopt(shop.index)


def test_the_status_tells_what_is_served(shop: Shop) -> None:
    assert find_status(shop.engine, shop.index.spec).kind == "nothing"
    path = shop.file(1)
    for _ in range(2):
        reindex(shop.index, path, options=build_options())
    found = find_status(shop.engine, shop.index.spec)
    assert (found.kind, found.documents) == ("alias", COUNT)
    assert [(one.name, one.served, one.state, one.documents) for one in found.versions] == [
        (f"{shop.name}-v000001", False, "complete", COUNT),
        (f"{shop.name}-v000002", True, "complete", COUNT),
    ]
    assert found.versions[1].source == str(path)
    assert found.versions[1].replaces == found.versions[0].name
    assert (found.versions[1].bytes or 0) > 0
    (vector,) = found.vectors
    assert (vector.name, vector.dimension, vector.codebook) == ("embedding", 8, None)


def test_what_is_behind_an_alias_is_not_replaced_in_place(shop: Shop) -> None:
    shop.build(1)
    with pytest.raises(SpecError, match="is an alias of .*-v000001, .* with: kokeshi reindex FILE"):
        shop.index.ingest(shop.file(2), recreate=True)
    assert shop.served()[1:] == (COUNT, {1})
    assert shop.index.ingest(shop.file(2)).failed == 0
    assert shop.served() == (f"{shop.name}-v000001", COUNT, {2})


def test_a_family_knows_no_index_of_a_longer_name(shop: Shop) -> None:
    shop.engine.create_index(f"{shop.name}-vegan", {})
    report = shop.build(1, keep=0)
    assert report.version == f"{shop.name}-v000001"
    family = shop.engine.run(find_family(shop.name))
    assert [version.name for version in family.versions] == [report.version]
    assert shop.engine.get_mapping(f"{shop.name}-vegan")
