"""Aliases: an index under another name, and one index in place of another."""

from __future__ import annotations

import pytest

from kokeshi import Index
from kokeshi.errors import CapabilityError, EngineError
from kokeshi.schema import SearchPlan

SPEC = "index: conformance-{name}\ntext: [title]\nmetadata: {{price: float}}"
ALIAS = "conformance-alias"


@pytest.fixture(scope="module")
def blue(fill_index) -> Index:
    return fill_index(SPEC.format(name="blue"), [{"id": "b", "title": "blue shoe", "price": 1}])


@pytest.fixture(scope="module")
def green(fill_index) -> Index:
    documents = [{"id": f"g{i}", "title": "green shoe", "price": i} for i in range(3)]
    return fill_index(SPEC.format(name="green"), documents)


def action(kind: str, index: Index) -> dict:
    return {kind: {"index": index.spec.index, "alias": ALIAS}}


@pytest.fixture
def aliased(blue) -> Index:
    """The blue index under its alias."""
    engine = blue.engine
    engine.update_aliases([action("add", blue)])
    yield Index(blue.spec.model_copy(update={"index": ALIAS}), engine)
    names = engine.get_aliases(ALIAS)
    engine.update_aliases([{"remove": {"index": name, "alias": ALIAS}} for name in names])


def test_an_alias_is_an_index_to_every_use(aliased, blue):
    assert aliased.concrete_name() == blue.spec.index
    assert aliased.create() is False
    assert (aliased.exists(), aliased.count()) == (True, 1)
    assert aliased.search("shoe").ids == ["b"]


def test_another_index_takes_the_place_at_once(aliased, blue, green):
    aliased.engine.update_aliases([action("remove", blue), action("add", green)])
    assert aliased.engine.get_aliases(ALIAS) == [green.spec.index]
    assert aliased.count("price > 0") == 2
    assert aliased.search("shoe blue").ids == ["g0", "g1", "g2"]


def test_what_is_written_through_an_alias_is_in_its_index(aliased, blue):
    aliased.engine.bulk(ALIAS, b'{"index": {"_id": "n"}}\n{"title": "new", "price": 9}\n')
    aliased.engine.refresh(ALIAS)
    assert blue.search("new").ids == ["n"]
    aliased.engine.bulk(ALIAS, b'{"delete": {"_id": "n"}}\n')
    aliased.engine.refresh(ALIAS)


def test_an_alias_of_several_indices_is_no_index(aliased, blue, green):
    aliased.engine.update_aliases([action("add", green)])
    names = sorted([blue.spec.index, green.spec.index])
    assert aliased.engine.get_aliases(ALIAS) == names
    assert sorted(aliased.engine.get_mapping(ALIAS)) == names
    with pytest.raises(CapabilityError, match=", ".join(names)):
        aliased.concrete_name()


def test_the_nearest_of_several_indices_are_found_wherever_they_lie(fill_index, server):
    """One has nearly all documents, so that its shards hold more than their share of the nearest."""
    spec = """
index: conformance-{name}
vectors:
  v: {{encoder: {{name: precomputed, column: w}}, dimension: 2, prefixes: [1], space: l2}}
"""
    many = [{"id": f"m{i}", "w": [i / 100, 0]} for i in range(200)]
    few = [{"id": f"f{i}", "w": [50 + i, 0]} for i in range(3)]
    indices = [fill_index(spec.format(name="many"), many), fill_index(spec.format(name="few"), few)]
    engine = indices[0].engine
    engine.update_aliases([action("add", index) for index in indices])
    try:
        both = Index(indices[0].spec.model_copy(update={"index": ALIAS}), engine)
        plan = SearchPlan.model_validate(
            {"shortlist": {"dims": 1, "k": 60, "exact_below": 0}, "rescore": {}}
        )
        for _ in range(2):
            found = both.search(vector=[0, 0], plan=plan, size=60)
            assert set(found.ids) == {f"m{i}" for i in range(60)}
    finally:
        engine.update_aliases([action("remove", index) for index in indices])


def test_an_alias_that_is_none_stands_for_nothing(engine):
    assert engine.get_aliases("conformance-none") == []


def test_changes_of_aliases_are_made_together_or_not_at_all(aliased, blue):
    missing = {"add": {"index": "conformance-absent", "alias": ALIAS}}
    with pytest.raises(EngineError, match="no such index"):
        aliased.engine.update_aliases([action("remove", blue), missing])
    assert aliased.engine.get_aliases(ALIAS) == [blue.spec.index]


def test_the_name_of_an_index_is_no_alias(blue, green):
    wrong = {"add": {"index": blue.spec.index, "alias": green.spec.index}}
    with pytest.raises(EngineError, match="exists with the same name as the alias"):
        blue.engine.update_aliases([wrong])


def test_an_alias_is_not_deleted_as_if_it_were_its_index(aliased, blue):
    with pytest.raises(EngineError, match="alias"):
        aliased.engine.delete_index(ALIAS)
    assert blue.count() == 1
