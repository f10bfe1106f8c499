"""`kokeshi reindex`, `rollback`, `snapshot` and `status` as they are typed, with the gate by judgments."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kokeshi.cli.main import app
from kokeshi.connect import connect
from kokeshi.engines import calls
from kokeshi.errors import InputError, SpecError
from kokeshi.lifecycle import reindex as reindex_index

pytestmark = pytest.mark.engine

COUNT = 40


class Shop:
    """A folder with a spec, in which commands run."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.name = f"t-lifecycle-{uuid.uuid4().hex[:10]}"
        spec = f"index: {self.name}\ntext: [title]\nmetadata: {{price: float}}\nengine: {{url: '{url}'}}\n"
        (folder / "kokeshi.yaml").write_text(spec)

    def write(self, name: str, shift: int = 0) -> str:
        """Write products; shift: by how many the title of each is another's."""
        rows = (
            {"id": f"p{n}", "title": f"word{(n + shift) % COUNT}", "price": n} for n in range(COUNT)
        )
        (self.folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return name

    def run(self, *arguments: str, code: int = 0) -> str:
        ran = CliRunner().invoke(app, list(arguments))
        if ran.exception and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        assert ran.exit_code == code, ran.output
        return ran.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))

    def delete(self) -> None:
        with connect(self.url) as engine:
            for name in [*(engine.get_mapping(f"{self.name}*") or {})]:
                engine.delete_index(name)
            engine.perform(
                calls.Call(
                    "gone",
                    "DELETE",
                    f"/_snapshot/{self.name}",
                    lambda _: None,
                    accept=frozenset({404}),
                )
            )


@pytest.fixture
def shop(engine_url: str, tmp_path: Path, monkeypatch) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)
    shop = Shop(tmp_path, engine_url.rstrip("/"))
    yield shop
    shop.delete()


def test_an_index_is_adopted_rebuilt_and_rolled_back(shop: Shop) -> None:
    file = shop.write("products.jsonl")
    assert "does not exist" in shop.run("status")
    shop.run("ingest", file)
    assert "is an index, no alias, with 40 documents." in shop.run("status")
    with pytest.raises(SpecError, match="kokeshi reindex FILE --adopt"):
        shop.run("reindex", file)
    told = shop.run("reindex", file, "--adopt")
    assert "ok     source: 40 documents of 40 distinct ids; 0 failed" in told
    assert f"stands for '{shop.name}-v000002' now in place of '{shop.name}-v000001'" in told
    state = shop.json("status")
    assert (state["kind"], state["documents"]) == ("alias", COUNT)
    assert [version["served"] for version in state["versions"]] == [False, True]
    table = shop.run("status").splitlines()
    assert table[-1].split()[:4] == [f"{shop.name}-v000002", "yes", "complete", "40"]
    assert f"stands for '{shop.name}-v000001' now" in shop.run("rollback")
    assert shop.json("rollback", "--to", f"{shop.name}-v000002")["replaced"].endswith("v000001")
    with connect(shop.url) as engine:
        engine.delete_index(f"{shop.name}-v000002")
    told = shop.run("rollback", "--to", f"{shop.name}-v000001")
    assert told == f"'{shop.name}' stands for '{shop.name}-v000001' now.\n"


def test_a_source_with_too_few_documents_is_refused(shop: Shop) -> None:
    shop.run("reindex", shop.write("products.jsonl"))
    lines = (shop.folder / "products.jsonl").read_text().splitlines(keepends=True)
    (shop.folder / "few.jsonl").write_text("".join(lines[:20]))
    told = shop.run("reindex", "few.jsonl", code=1)
    assert "FAILED count: 20 documents, 40 are served now; fewer by more than 1.0%" in told
    assert f"Refused: '{shop.name}-v000001' is still served; '{shop.name}-v000002' was" in told
    kept = shop.json("reindex", "few.jsonl", "--keep-failed", code=1)
    assert (kept["served"], kept["kept"], kept["refused"]) == (False, True, "count")
    assert shop.json("reindex", "few.jsonl", "--tolerance", "0.5")["served"]


def test_a_rebuild_sends_and_logs_as_an_ingest_does(shop: Shop, monkeypatch) -> None:
    told: dict[str, Any] = {}

    def reindex(*arguments: Any, **options: Any) -> Any:
        told.update(options)
        return reindex_index(*arguments, **options)

    monkeypatch.setattr("kokeshi.cli.reindex.reindex_index", reindex)
    sending = ("--batch-mb", "0.5", "--connections", "3", "--log-json")
    (shop.folder / "late.jsonl").write_text('{"op": "delete", "id": "p1"}\n')
    arguments = ["reindex", shop.write("all.jsonl"), "--then", "late.jsonl", *sending]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    assert (told["pacing"].batch_bytes, told["pacing"].connections) == (2**19, 3)
    assert told["metrics"] is not None
    logged = [json.loads(line)["message"] for line in ran.stderr.splitlines()]
    assert "all.jsonl is ingested" in logged
    assert "changes of late.jsonl are applied" in logged


def test_the_gate_keeps_a_worse_ranking_from_being_served(shop: Shop) -> None:
    rows = "".join(f"word{n},p{n},3\n" for n in range(COUNT))
    (shop.folder / "judgments.csv").write_text("query,doc_id,grade\n" + rows)
    gate = ("--judgments", "judgments.csv", "--plan", "bm25")
    good, bad = shop.write("good.jsonl"), shop.write("bad.jsonl", shift=1)
    with pytest.raises(InputError, match="gate: nothing is served yet"):
        shop.run("reindex", good, *gate)
    shop.run("reindex", good)
    told = shop.run("reindex", bad, *gate, code=1)
    assert "FAILED gate: " in told
    assert f"'{shop.name}-v000001' is still served" in told
    assert shop.json("search", "word7", "--plan", "bm25")["hits"][0]["id"] == "p7"
    again = shop.json("reindex", good, *gate)
    assert (again["served"], again["checks"][-1]["name"]) == (True, "gate")
    assert again["checks"][-1]["found"].startswith("skip: ")
    with pytest.raises(InputError, match="--pass maybe: one of ab-test, skip"):
        shop.run("reindex", good, *gate, "--pass", "maybe")
    verdicts = ("--pass", "reject", "--pass", "collect")
    assert shop.json("reindex", bad, *gate, *verdicts)["served"]


def test_a_snapshot_is_made_listed_restored_and_deleted(shop: Shop) -> None:
    shop.run("reindex", shop.write("products.jsonl"))
    where = ("--repository", shop.name)
    assert shop.run("snapshot", "list", *where) == f"No snapshot is in '{shop.name}'.\n"
    assert f"Snapshot 'one' of {shop.name}-v000001" in shop.run("snapshot", "create", "one", *where)
    assert "SUCCESS" in shop.run("snapshot", "list", *where)
    assert shop.json("snapshot", "list", *where)[0]["name"] == "one"
    told = shop.run("snapshot", "restore", "one", *where)
    assert told == f"Restored 'one' as '{shop.name}-v000002'; '{shop.name}' stands for it now.\n"
    copied = shop.json("snapshot", "restore", "one", "--as", f"{shop.name}-copy", *where)
    assert copied == {"snapshot": "one", "index": f"{shop.name}-copy", "served": False}
    assert "Deleted the snapshot 'one'" in shop.run("snapshot", "delete", "one", *where)
