"""Judgments against real indices: unknown documents, and clicks out of User Behavior Insights."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from kokeshi.cli.judgments import app
from kokeshi.engines import Engine
from kokeshi.errors import EngineError, InputError
from kokeshi_eval import fetch
from kokeshi_eval.judgments import Judgments, find_unknown
from kokeshi_eval.judgments.paging import read_documents
from kokeshi_eval.judgments.ubi import read_ubi_engine, read_ubi_files

pytestmark = pytest.mark.engine

INDEX = "kokeshi-judgments"
UBI_QUERIES, UBI_EVENTS = "kokeshi-judgments-ubi-queries", "kokeshi-judgments-ubi-events"
EVENTS_MAPPING = {
    "properties": {"action_name": {"type": "keyword"}, "query_id": {"type": "keyword"}}
}
SEARCHES = [
    {
        "query_id": f"s{n}",
        "user_query": "hat",
        "query_response_hit_ids": ["a", "b"][:: 1 - 2 * (n % 2)],
    }
    for n in range(120)
]
EVENTS = [
    {
        "query_id": f"s{n}",
        "action_name": "click" if n % 3 else "product_hover",
        "event_attributes": {"object": {"object_id": "a"}},
    }
    for n in range(120)
]


def fill(engine: Engine, index: str, documents: dict[str, dict], body: dict | None = None) -> None:
    engine.delete_index(index)
    engine.create_index(index, body or {})
    lines = [
        line for id_, document in documents.items() for line in ({"index": {"_id": id_}}, document)
    ]
    failed = [
        item for item in engine.bulk(index, "".join(map(to_line, lines)).encode()) if item.reason
    ]
    assert failed == []
    engine.refresh(index)


def to_line(value: dict) -> str:
    return json.dumps(value) + "\n"


@pytest.fixture(scope="module")
def shop(engine: Engine) -> Iterator[Engine]:
    fill(engine, INDEX, {f"d{n}": {"title": "hat"} for n in range(25)} | {"ä b": {"title": "shoe"}})
    three = {"settings": {"number_of_shards": 3}}
    fill(engine, UBI_QUERIES, {str(n): one for n, one in enumerate(SEARCHES)}, three)
    fill(
        engine,
        UBI_EVENTS,
        {str(n): one for n, one in enumerate(EVENTS)},
        {"mappings": EVENTS_MAPPING},
    )
    yield engine
    for index in (INDEX, UBI_QUERIES, UBI_EVENTS):
        engine.delete_index(index)


def test_unknown_documents_are_found_over_several_searches(shop, monkeypatch):
    monkeypatch.setattr(fetch, "BATCH", 7)
    known = {f"d{n}": 1 for n in range(25)}
    judgments = Judgments({"hat": {**known, "gone": 2}, "shoe": {"ä b": 3, "x": 0, "gone": 1}})
    unknown = find_unknown(shop, INDEX, judgments)
    assert unknown.by_query == {"hat": ["gone"], "shoe": ["x", "gone"]}
    assert unknown.count == 3


def test_judgments_of_another_index_are_refused(shop):
    with pytest.raises(
        InputError, match=f"none of its 2 documents is in the index '{INDEX}', such as 'x'"
    ):
        find_unknown(shop, INDEX, Judgments({"hat": {"x": 1, "y": 0}}))
    with pytest.raises(EngineError, match="no such index"):
        find_unknown(shop, "kokeshi-judgments-none", Judgments({"hat": {"x": 1}}))


def test_every_document_is_read_once_over_pages_and_shards(shop):
    found = [one["query_id"] for one in read_documents(shop, UBI_QUERIES, ("query_id",), page=13)]
    assert sorted(found) == sorted(one["query_id"] for one in SEARCHES)


def test_ubi_of_an_engine_is_that_of_its_export(shop, tmp_path):
    (tmp_path / "ubi.jsonl").write_text("".join(map(to_line, SEARCHES + EVENTS)))
    expected = read_ubi_files(tmp_path / "ubi.jsonl")
    found = read_ubi_engine(shop, UBI_QUERIES, UBI_EVENTS)
    assert found.searches == expected.searches == 120
    assert sums(found.log) == sums(expected.log)
    assert sum(clicks for _, clicks in sums(found.log).values()) == 80


def sums(log) -> dict:
    rows = zip(log.pair, log.position, log.impressions, log.clicks, strict=True)
    return {(log.pairs[pair], int(k)): (int(shown), int(clicks)) for pair, k, shown, clicks in rows}


def test_the_commands(shop, engine_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kokeshi.yaml").write_text(f"index: {INDEX}\ntext: [title]\n")
    (tmp_path / "j.csv").write_text("query,doc_id,grade\nhat,d1,3\nhat,gone,1\n")
    (tmp_path / "q.csv").write_text("query\nhat\ncap\n")
    arguments = ["check", "j.csv", "--queries", "q.csv", "--url", engine_url]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.exception
    assert "Not in the index: gone of 'hat'" in ran.stdout
    assert f"1 judgments are of documents that '{INDEX}' does not have" in ran.stderr
    assert "1 queries have no judgments" in ran.stderr
    found = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert found["unknown"] == {"hat": ["gone"]}
    assert found["queries_without_judgments"] == ["cap"]
    rated = {"id": "hat", "ratings": [{"_index": "old", "_id": "d1", "rating": 3}]}
    (tmp_path / "body.json").write_text(json.dumps({"requests": [rated]}))
    ran = CliRunner().invoke(app, ["check", "body.json", "--url", engine_url])
    assert f"Warning: body.json: written for 'old', not for '{INDEX}': " in ran.stderr
    indices = ["--ubi-queries", UBI_QUERIES, "--ubi-events", UBI_EVENTS, "--url", engine_url]
    ran = CliRunner().invoke(app, ["from-clicks", "--ubi", *indices])
    assert ran.exit_code == 0, ran.exception
    assert (tmp_path / "judgments.csv").read_text() == "query,doc_id,grade\nhat,a,1\nhat,b,0\n"
