from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import orjson
import pytest

from kokeshi import F, Index
from kokeshi.async_index import AsyncIndex
from kokeshi.engines.memory import AsyncMemoryEngine, MemoryEngine
from kokeshi.engines.memory.analysis import analyse
from kokeshi.engines.memory.answers import filter_source
from kokeshi.engines.memory.bm25 import Postings, stored_length
from kokeshi.errors import CapabilityError, EngineError, SpecError
from kokeshi.ingest.documents import serialise
from kokeshi.schema import Match, Rescore, SearchPlan, parse_spec

SPEC = parse_spec("""
index: shoes
text: [title, note]
metadata: {price: float, box.colour: keyword}
vectors:
  v: {encoder: {name: precomputed, column: w}, dimension: 2, space: dot}
""")
DOCUMENTS = [
    {"id": "a", "title": "red shoe", "price": 1, "v": [1.0, 0.0], "box": {"colour": ["x", "y"]}},
    {"id": "b", "title": "red red boot", "price": 2, "v": [0.0, 1.0], "box": [{"colour": "y"}]},
    {"id": "c", "title": "lamp", "price": 3},
]


@pytest.fixture
def index() -> Index:
    index = Index(SPEC, MemoryEngine())
    index.create()
    put(index, *DOCUMENTS)
    return index


def put(index: Index, *documents: dict) -> None:
    body = b"".join(serialise(document["id"], document) for document in documents)
    assert {item.reason for item in index.engine.bulk(index.spec.index, body)} == {None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't STOP", ["don't", "stop"]),
        ("o''clock 'tis rock'n'roll'", ["o", "clock", "tis", "rock'n'roll"]),
        ("3.14 1,5 1,a a,1 1.a a.b.", ["3.14", "1,5", "1", "a", "a", "1", "1", "a", "a.b"]),
        ("a_b __ _a カ_ナ", ["a_b", "_a", "カ_ナ"]),
        ("藍色カタカナひ한국", ["藍", "色", "カタカナ", "ひ", "한국"]),
        ("İΣΑΣ Straße", ["iσασ", "straße"]),
        ("e\u0301 x\u200by wi\u00adfi", ["e\u0301", "x", "y", "wi\u00adfi"]),
        ("🦊🦊 👩‍👩‍👧 👍🏽 🇩🇪🇫🇷", ["🦊", "🦊", "👩‍👩‍👧", "👍🏽", "🇩🇪", "🇫🇷"]),
        ("½ ² € — …", []),
        ("", []),
    ],
)
def test_text_is_broken_into_words(text, words):
    assert analyse(text) == words


def test_a_long_word_is_cut():
    assert [len(word) for word in analyse("a" * 600)] == [255, 255, 90]


@pytest.mark.parametrize(
    ("length", "kept"),
    [(0, 0), (39, 39), (40, 40), (41, 40), (56, 56), (59, 56), (60, 60), (1000, 984)],
)
def test_lengths_are_kept_in_one_byte(length, kept):
    assert stored_length(length) == kept


def test_a_word_scores_as_the_formula_says():
    postings = Postings([["red shoe"], ["red red boot"], ["lamp"], []])
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    for row, (tf, length) in enumerate([(1, 2), (2, 3)]):
        expected = 2 * idf * tf / (tf + 1.2 * (0.25 + 0.75 * length / 2))
        assert postings.score("red", 2.0)[row] == pytest.approx(expected, rel=1e-6)
    assert postings.score("red", 2.0)[2:].tolist() == [0, 0]


def test_a_word_that_is_nowhere_scores_nothing():
    assert Postings([]).score("red", 1.0).tolist() == []
    assert Postings([["a"]]).score("red", 1.0).tolist() == [0]


def test_a_small_catalogue_is_searched_without_a_server(index):
    assert index.search("red", plan="bm25").ids == ["b", "a"]
    assert index.search(vector=[2, 1], plan="exact").ids == ["a", "b"]
    assert index.search("lamp", vector=[2, 1], plan="hybrid", filter=F.price >= 2).ids == ["b", "c"]
    assert (index.count(), index.count(~(F["box.colour"] == "x"))) == (3, 2)


def test_what_is_changed_is_seen_at_once(index):
    assert index.search("lamp", plan="bm25").ids == ["c"]
    put(index, {"id": "a", "title": "lamp", "price": 9})
    assert index.search("lamp", plan="bm25").ids == ["c", "a"]
    assert index.search(vector=[1, 1], plan="exact").ids == ["b"]
    index.engine.bulk("shoes", b'{"delete": {"_id": "c"}}\n')
    assert index.search("lamp", plan="bm25").ids == ["a"]


def test_a_document_that_is_refused_leaves_the_one_before(index):
    body = serialise("a", {"title": "lamp", "price": "cheap"})
    (item,) = index.engine.bulk("shoes", body)
    assert (item.status, item.reason) == (
        400,
        "document_parsing_exception: failed to parse field [price] of type [double]: "
        "'cheap' is not a number",
    )
    assert index.search("shoe", plan="bm25").ids == ["a"]


def test_documents_stay_after_close(index):
    index.close()
    assert Index(SPEC, index.engine).count() == 3


def test_a_caller_cannot_change_what_is_kept(index):
    (mapping,) = index.engine.get_mapping("shoes").values()
    mapping["properties"].clear()
    assert index.create() is False


@pytest.mark.parametrize("changed", ["price: integer", "price: keyword"])
def test_another_spec_does_not_take_the_index_over(index, changed):
    other = parse_spec(f"index: shoes\ntext: [title, note]\nmetadata: {{{changed}}}")
    with pytest.raises(SpecError, match="was made from another spec"):
        Index(other.model_copy(update={"vectors": SPEC.vectors}), index.engine).create()


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda e: e.rank_eval("shoes", {}), "no rank_eval; evaluate by searches"),
        (lambda e: e.create_repository("r", {}), "no create_repository; keep the file"),
        (lambda e: e.create_snapshot("r", "s", "shoes"), "no create_snapshot; keep the file"),
        (lambda e: e.search("shoes", {"aggs": {}}), "no 'aggs' in a search"),
        (
            lambda e: e.update_aliases([{"remove_index": {"index": "shoes", "alias": "x"}}]),
            "no alias action remove_index; use add and remove",
        ),
    ],
)
def test_what_only_servers_do_is_named(index, use, message):
    with pytest.raises(CapabilityError, match=message):
        use(index.engine)


@pytest.mark.parametrize(
    ("match", "message"),
    [
        (Match(type="cross_fields"), "no match of type cross_fields"),
        (Match(minimum_should_match="2<75%"), "no minimum_should_match '2<75%'; write a number"),
    ],
)
def test_ways_to_match_that_are_missing_are_named(index, match, message):
    with pytest.raises(CapabilityError, match=message):
        index.search("red shoe", plan=SearchPlan(match=match))


def test_a_field_of_another_analyzer_is_refused_when_it_is_searched():
    index = Index(parse_spec("{index: a, text: {t: {analyzer: english}, u: {}}}"), MemoryEngine())
    index.create()
    put(index, {"id": "1", "t": "shoes", "u": "lamps"})
    assert index.search("lamps", plan=SearchPlan(match=Match(fields=("u",)))).ids == ["1"]
    with pytest.raises(CapabilityError, match="no analyzer english, which the field t has"):
        index.search("shoe", plan="bm25")


def test_an_alias_of_several_indices_cannot_be_searched(index):
    index.engine.create_index("other", {})
    names = [{"add": {"index": name, "alias": "both"}} for name in ("shoes", "other")]
    index.engine.update_aliases(names)
    with pytest.raises(CapabilityError, match="'both' stands for other, shoes"):
        index.engine.count("both")
    index.engine.delete_index("other")
    assert index.engine.count("both") == 3


def test_a_refusal_in_one_of_several_searches_is_its_answer(index):
    good, bad = index.engine.msearch("shoes", [{"size": 1}, {"from": 10_000}])
    assert len(good["hits"]["hits"]) == 1
    assert (bad["status"], bad["error"]["type"]) == (400, "illegal_argument_exception")


@pytest.mark.parametrize(("track", "total"), [(True, (10_001, "eq")), (None, (10_000, "gte"))])
def test_more_than_ten_thousand_are_counted_where_it_is_asked_for(track, total):
    engine = MemoryEngine()
    engine.create_index("many", {})
    engine.bulk("many", b"".join(serialise(str(n), {}) for n in range(10_001)))
    body = {"size": 0} if track is None else {"size": 0, "track_total_hits": track}
    found = engine.search("many", body)["hits"]["total"]
    assert (found["value"], found["relation"]) == total


SOURCE = {"a": {"b": 1, "c": None}, "d": [{"e": 1, "f": 2}, {"f": 3}], "a.x": 4, "n": None, "l": []}


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (True, SOURCE),
        ([], SOURCE),
        (["a"], {"a": {"b": 1, "c": None}, "a.x": 4}),
        (["a.b", "n"], {"a": {"b": 1}, "n": None}),
        (["d.e"], {"d": [{"e": 1}]}),
        (["a.*"], {"a": {"b": 1, "c": None}, "a.x": 4}),
        (["absent"], {}),
        ({"excludes": ["a", "d.f", "n"]}, {"d": [{"e": 1}], "l": []}),
        ({"includes": ["a"], "excludes": ["a.b"]}, {"a": {"c": None}, "a.x": 4}),
    ],
)
def test_of_a_source_comes_back_what_is_asked_for(wanted, left):
    assert filter_source(SOURCE, wanted) == left


def test_a_similarity_that_is_missing_is_no_hit(index):
    plan = SearchPlan(match=Match(), rescore=Rescore())
    assert index.search("lamp red", vector=[1, 0], plan=plan).ids == ["a", "b"]


def test_an_empty_index_answers(index):
    empty = Index(SPEC.model_copy(update={"index": "empty"}), index.engine)
    empty.create()
    for plan in ("bm25", "exact", "single", "hybrid", "rrf"):
        result = empty.search("red", vector=[1, 0], plan=plan, filter=F.price < 3)
        assert (result.ids, result.total) == ([], 0)
    assert empty.count(F.price < 3) == 0


def test_several_threads_share_an_engine(index):
    def work(n: int) -> list[str]:
        put(index, {"id": f"t{n}", "title": f"thread{n}", "v": [float(n), 1.0]})
        index.search(vector=[1, 1], plan="exact")
        return index.search(f"thread{n}", plan="bm25").ids

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(50))) == [[f"t{n}"] for n in range(50)]
    assert index.count() == 53


def test_it_serves_asyncio(index, tmp_path):
    path = tmp_path / "more.jsonl"
    row = {"id": "z", "title": "kite", "w": [3.0, 3.0]}
    path.write_bytes(orjson.dumps(row))

    async def use():
        async with AsyncIndex(SPEC, AsyncMemoryEngine(index.engine)) as opened:
            await opened.ingest(path)
            return (await opened.search(vector=np.ones(2), plan="exact")).ids

    assert asyncio.run(use()) == ["z", "a", "b"]


def test_an_index_that_is_gone_is_named(index):
    index.engine.delete_index("shoes")
    with pytest.raises(EngineError, match=r"no such index \[shoes\]; create it with") as caught:
        index.count()
    assert caught.value.status == 404


def test_a_field_that_the_index_lacks_is_no_match_and_no_vector(index):
    other = parse_spec(
        "index: shoes\ntext: [title, absent]\n"
        "vectors: {z: {encoder: {name: precomputed, column: w}, dimension: 2}}"
    )
    assert Index(other, index.engine).search("lamp", plan="bm25").ids == ["c"]
    stages = {"rescore": {"field": "z", "vector": [1.0, 0.0], "space": "dot", "flat": False}}
    with pytest.raises(EngineError, match=r"field \[z\] does not exist in the mapping"):
        index.engine.search("shoes", {"query": {"stages": stages}})


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"version": 3}, "no versions but those of version_type external_gte"),
        ({"routing": "x"}, "no 'routing' in a bulk action"),
    ],
)
def test_a_bulk_action_of_another_kind_is_named(index, target, message):
    line = orjson.dumps({"delete": {"_id": "a"} | target})
    with pytest.raises(CapabilityError, match=message):
        index.engine.bulk(index.spec.index, line + b"\n")
