"""Changes on every engine: an old one never overwrites a new one, and only what must be is encoded anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain, product
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import orjson
import pytest

from kokeshi import Index
from kokeshi.changes.model import ChangeReport
from kokeshi.codes.cells import Cells
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.encoders import load_encoder
from kokeshi.engines import calls
from kokeshi.engines.calls import Stored
from kokeshi.schema import Rescore, SearchPlan, parse_spec
from kokeshi.types import Float32

DIMENSION = 256
SPEC = """
index: conformance-changes
text: [title]
metadata: {{price: float, released: date, tags: keyword, shop: keyword}}
vectors:
  embedding:
    encoder: {{name: wordllama}}
    source: "{{title}}"
    dimension: {dimension}
    prefixes: [16]
    codes: {{codebook: "{path}", subvectors: 8, codebook_size: 16, loss: plain, cells: 4}}
  photo: {{encoder: {{name: precomputed, column: image}}, dimension: 4}}
settings: {{gc_deletes: 1h}}
"""
DOCUMENTS = [
    {
        "id": f"p{i}",
        "title": title,
        "price": i,
        "image": [float(i), 1.0, 0.0, 0.5],
        "size": {"width": i},
    }
    for i, title in enumerate(["red shoe", "green lamp", "blue sofa", "oak table", "tin cup"])
]
EXACT = SearchPlan(rescore=Rescore(vector="embedding"))
SCAN = SearchPlan.model_validate({"scan": {"vector": "embedding", "k": 5, "exact_below": 0}})


class Counting:
    """An encoder that counts its texts."""

    def __init__(self, encoder: Any) -> None:
        self.name, self.dim, self._encoder = encoder.name, encoder.dim, encoder
        self.texts: list[str] = []

    def encode(self, batch: Sequence[str]) -> Float32:
        self.texts += batch
        return self._encoder.encode(batch)


def make_codebook(index_name: str) -> Codebook:
    rng = np.random.default_rng(5)
    words = rng.normal(size=(8, 16, DIMENSION // 8)).astype(np.float32)
    cells = Cells(4).restore(rng.normal(size=(4, DIMENSION)).astype(np.float32))
    quantizer = ProductQuantizer(8, 16).restore(words, DIMENSION)
    return Codebook(quantizer, cells, False, "cosine", index_name)


@pytest.fixture(scope="module")
def index(open_index, tmp_path_factory: pytest.TempPathFactory) -> Index:
    path: Path = tmp_path_factory.mktemp("codebook") / "book"
    spec = SPEC.format(path=path, dimension=DIMENSION)
    name = load_encoder(parse_spec(spec).vectors["embedding"]).name
    make_codebook(name).save(path)
    index = open_index(spec)
    index.encoders["embedding"] = Counting(index.encoders["embedding"])
    return index


class Shop:
    """Documents of one test, in an index that it shares with others: `name` comes before each id."""

    def __init__(self, index: Index, name: str, folder: Path) -> None:
        self.index, self.name, self.folder = index, name, folder
        self.encoder: Any = index.encoders["embedding"]

    def write(self, lines: Iterable[dict]) -> Path:
        path = self.folder / "lines.jsonl"
        path.write_bytes(b"\n".join(orjson.dumps(self.own(line)) for line in lines))
        return path

    def own(self, line: dict) -> dict:
        found = line | ({"id": f"{self.name}-{line['id']}"} if "id" in line else {})
        if "document" in line:
            found["document"] = self.own(line["document"])
        return found

    def apply(self, *changes: dict) -> ChangeReport:
        return self.index.apply(self.write(changes))

    def stored(self, *ids: str) -> list[Stored]:
        asked = self.index.engine.capabilities.leaves_vectors_out
        own = [f"{self.name}-{id_}" for id_ in ids]
        call = calls.get_documents(self.index.spec.index, own, ask_for_vectors=asked)
        return self.index.engine.perform(call)

    def read(self, id_: str) -> dict[str, Any]:
        (found,) = self.stored(id_)
        assert found.source is not None
        return found.source

    def search(self, vector: Any, plan: SearchPlan, filter_: str) -> list[str]:
        found = self.index.search(vector=vector, plan=plan, filter=filter_)
        return [id_.removeprefix(f"{self.name}-") for id_ in found.ids]


@pytest.fixture
def shop(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.chdir(tmp_path)
    shop = Shop(index, uuid4().hex[:8], tmp_path)
    index.ingest(shop.write(one | {"shop": shop.name} for one in DOCUMENTS))
    shop.encoder.texts.clear()
    return shop


def put(id_: str, version: int | None = None, **fields: Any) -> dict:
    return _change("index", id_, version) | {"document": {"id": id_} | fields}


def update(id_: str, version: int | None = None, **fields: Any) -> dict:
    return _change("update", id_, version) | {"document": fields}


def delete(id_: str, version: int | None = None) -> dict:
    return _change("delete", id_, version)


def _change(op: str, id_: str, version: int | None) -> dict:
    return {"op": op, "id": id_} | ({} if version is None else {"version": version})


def full(id_: str, version: int | None = None, **fields: Any) -> dict:
    return put(id_, version, **({"title": "old", "image": [1.0, 0, 0, 0]} | fields))


def test_a_price_keeps_vectors_and_codes_and_encodes_nothing(shop):
    before = shop.stored("p1", "p2")
    report = shop.apply(update("p1", price="9.5"), update("p2", 20, price=7))
    assert (report.read, report.updated, report.encoded) == (2, 2, 0)
    assert shop.encoder.texts == []
    for old, new, price in zip(before, shop.stored("p1", "p2"), (9.5, 7), strict=True):
        assert new.source == old.source | {"price": price}
    vector = np.array(before[0].source["embedding"], np.float32)
    assert shop.search(vector, SCAN, "price = 9.5") == ["p1"]


@pytest.mark.parametrize("version", [None, 20])
def test_a_title_is_encoded_anew_and_found_by_its_vector(shop, version):
    before = shop.read("p3")
    report = shop.apply(update("p3", version, title="velvet curtain"))
    assert (report.updated, report.encoded) == (1, 1)
    assert shop.encoder.texts == ["velvet curtain"]
    after = shop.read("p3")
    assert (after["photo"], after["price"]) == (before["photo"], before["price"])
    assert all(after[name] != before[name] for name in ("embedding", "embedding_16"))
    fresh = shop.encoder.encode(["velvet curtain"])[0]
    encoded = make_codebook("x").encode((fresh / np.linalg.norm(fresh))[None])
    assert after["embedding_codes"] == encoded.texts[0]
    assert shop.search(fresh, EXACT, f"shop = '{shop.name}'")[0] == "p3"


def test_a_vector_of_a_column_is_replaced_alone(shop):
    before = shop.read("p3")
    assert shop.apply(update("p3", image=[0, 0, 0, 2])).updated == 1
    after = shop.read("p3")
    assert after == before | {"photo": [0.0, 0.0, 0.0, 1.0]}


def interleave(id_: str) -> list[tuple[dict, dict]]:
    """Pairs of a newer change, version 10, and an older one, of ids of their own."""
    first = [full, update]
    later = [full, partial(update, title="late"), partial(update, price=1), delete]
    return [
        (one(f"{id_}{n}", 10, title="new"), other(f"{id_}{n}", 9))
        for n, (one, other) in enumerate(product(first, later))
    ]


def test_an_old_message_overwrites_nothing(shop):
    together, apart = interleave("a"), interleave("b")
    ids = [first["id"] for first, _ in (*together, *apart)]
    shop.apply(*(full(id_, 1, price=5) for id_ in ids))
    reports = [
        shop.apply(*chain(*together)),
        shop.apply(*(first for first, _ in apart)),
        shop.apply(*(later for _, later in apart)),
    ]
    assert [(one.changed, one.stale) for one in reports] == [(8, 8), (8, 0), (0, 8)]
    for found in shop.stored(*ids):
        assert (found.source["title"], found.source.get("price", 5)) == ("new", 5)
        assert found.version == 10


def test_what_is_deleted_stays_so(shop):
    gone = [delete("p1", 10), delete("p2", 10)]
    report = shop.apply(*gone, full("p2", 9))
    assert (report.deleted, report.stale) == (2, 1)
    report = shop.apply(full("p1", 9), delete("p2", 10))
    assert (report.changed, report.stale, report.missing) == (0, 1, 1)
    assert [found.source for found in shop.stored("p1", "p2")] == [None, None]
    assert shop.apply(full("p1", 11)).indexed == 1
    assert shop.stored("p1")[0].version == 11


def test_the_same_messages_again_change_nothing(shop):
    changes = [
        full("p1", 10),
        update("p1", 11, price=4),
        delete("p2", 12),
        update("p3", 13, title="x"),
    ]
    shop.apply(*changes)
    before = shop.stored("p1", "p2", "p3")
    report = shop.apply(*changes)
    assert (report.failed, report.stale, report.missing) == (0, 1, 1)
    after = shop.stored("p1", "p2", "p3")
    assert [(one.source, one.version) for one in after] == [
        (one.source, one.version) for one in before
    ]


def test_several_changes_of_one_id_all_take_effect(shop):
    report = shop.apply(
        update("p1", price=5),
        update("p1", tags=["a"]),
        update("p1", size={"height": 3}),
        delete("p2"),
        full("p2", title="again"),
        update("p2", price=8),
        delete("p3"),
        update("p3", price=8),
        update("p4", 30, price=1),
        update("p4", 31, title="thirty"),
        update("p4", 29, title="late"),
    )
    assert (report.read, report.updated, report.indexed, report.deleted) == (11, 6, 1, 2)
    assert (report.stale, report.failed) == (1, 1)
    one, two, three, four = (found.source for found in shop.stored("p1", "p2", "p3", "p4"))
    assert (one["price"], one["tags"], one["size"]) == (5, ["a"], {"width": 1, "height": 3})
    assert (two["title"], two["price"]) == ("again", 8)
    assert three is None
    assert (four["title"], four["price"]) == ("thirty", 1)
    assert sorted(shop.encoder.texts) == ["again", "thirty"]


def test_one_refused_change_does_not_take_the_others_of_its_id_along(shop, tmp_path):
    report = shop.apply(
        update("p1", price=5),
        update("p1", released="never"),
        update("p1", tags="b"),
        update("p2", 20, price=5),
        update("p2", 21, image=[1.0]),
        full("p3", 22, released="never"),
        full("p3", 21),
        {"op": "paint", "id": "p4"},
        update("nowhere", price=1),
        update("nowhere", 5, title="b"),
        delete("nowhere"),
        delete("nowhere", 4),
    )
    assert (report.updated, report.indexed, report.failed, report.missing) == (3, 1, 6, 2)
    one, two, three = (found.source for found in shop.stored("p1", "p2", "p3"))
    assert (one["price"], one["tags"], two["price"]) == (5, "b", 5)
    assert three["title"] == "old"
    letters = [orjson.loads(line) for line in Path(report.failures_file).read_bytes().splitlines()]
    reasons = {letter["line"]: letter["reason"] for letter in letters if letter["change"]}
    assert sorted(reasons) == [2, 5, 6, 8, 9, 10]
    assert [letter["line"] for letter in letters if not letter["change"]] == [11, 3]
    assert "released" in reasons[2]
    assert "needs 4 numbers in column 'image'" in reasons[5]
    assert "no such document to update" in reasons[9]


def test_dead_letters_are_applied_again(shop):
    report = shop.apply(update("new", 40, price=1), full("p2", 41, released="never"))
    assert (report.failed, report.changed) == (2, 0)
    letters = Path(report.failures_file).rename("kept.failures.jsonl")
    assert shop.apply(full("new", 39)).indexed == 1
    again = shop.index.retry_changes(letters)
    assert (again.updated, again.failed, again.failures_file) == (1, 1, str(letters))
    assert shop.read("new")["price"] == 1
    (letter,) = map(orjson.loads, letters.read_bytes().splitlines())
    assert letter["change"] == shop.own(full("p2", 41, released="never"))


def test_an_update_is_repeated_where_another_wrote_meanwhile(shop, monkeypatch):
    engine = shop.index.engine
    perform = engine.perform
    action = {"update": {"_id": f"{shop.name}-p1"}}
    meanwhile = [orjson.dumps(action) + b'\n{"doc": {"price": 77}}\n']

    def interfere(call):
        found = perform(call)
        if call.operation == "get_documents" and meanwhile:
            perform(calls.bulk(shop.index.spec.index, meanwhile.pop()))
        return found

    monkeypatch.setattr(engine, "perform", interfere)
    assert shop.apply(update("p1", title="patched")).updated == 1
    monkeypatch.undo()
    assert not meanwhile
    assert (shop.read("p1")["title"], shop.read("p1")["price"]) == ("patched", 77)


def test_asyncio_applies_too(shop, open_async):
    path = shop.write([update("p1", price=1234)])

    async def run() -> tuple[int, int]:
        async with open_async(shop.index) as opened:
            return (await opened.apply(path)).updated, await opened.count("price = 1234")

    assert asyncio.run(run()) == (1, 1)
