"""One source, several processes: each document is ingested by exactly one of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from zlib import crc32

import numpy as np
import orjson
import pytest

from kokeshi import Index
from kokeshi.encoders import Record
from kokeshi.engines import calls
from kokeshi.engines.memory import MemoryEngine
from kokeshi.errors import EngineError, InputError, SpecError
from kokeshi.ingest import BadLine, Pacing, Shard, Source
from kokeshi.ingest.checkpoint import CheckpointFile, checkpoint_path, load_checkpoint
from kokeshi.ingest.failures import failures_path
from kokeshi.schema import parse_spec

SPEC = parse_spec("""
index: products
text: [title]
metadata: {price: float}
vectors:
  v: {encoder: {name: precomputed, file: vectors.npy}, dimension: 4}
""")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with 3,000 lines, some bad, some without an id, some of an id that comes again."""
    monkeypatch.chdir(tmp_path)
    lines: list[object] = [{"id": f"p{n}", "title": f"shoe {n}", "price": n} for n in range(2_990)]
    lines[100] = {"title": "no id"}
    lines[200] = "no document"
    lines[300] = {"id": "x" * 600, "title": "an id that no engine takes"}
    lines += [{"id": f"p{n}", "title": "again", "price": -n} for n in range(1_000, 1_010)]
    Path("in.jsonl").write_bytes(b"\n".join(map(orjson.dumps, lines)))
    vectors = np.arange(1, 4 * len(lines) + 1, dtype=np.float32).reshape(-1, 4)
    np.save("vectors.npy", vectors)
    return tmp_path


def stored(index: Index) -> dict[str, tuple[float, list[float]]]:
    """Return the price and the vector of each document."""
    ids = {f"p{n}" for n in range(2_990)} - {"p100", "p200", "p300"}
    found = {i: index.engine.perform(calls.get_document("products", i)) for i in ids}
    return {i: (one["price"], list(one["v"])) for i, one in found.items() if one}


class TestParsing:
    def test_the_text_of_a_shard_is_read_back(self):
        assert Shard.parse("2/8") == Shard(2, 8)
        assert str(Shard(2, 8)) == "2/8"

    @pytest.mark.parametrize("text", ["a/b", "2", "", "2/", "-1/4", "1.5/4", "2/8/9", "٢/٨"])
    def test_what_is_no_shard_is_refused(self, text: str):
        with pytest.raises(InputError, match=r"is not i/n, such as 2/8"):
            Shard.parse(text)

    @pytest.mark.parametrize("text", ["0/4", "5/4"])
    def test_a_shard_that_is_not_among_them_is_refused(self, text: str):
        with pytest.raises(InputError, match=rf"shard {text}: .* are 1/4 to 4/4"):
            Shard.parse(text)

    def test_there_is_no_shard_of_nothing(self):
        with pytest.raises(InputError, match="shard 1/0: there is none"):
            Shard(1, 0)

    def test_the_files_of_a_shard_have_its_name(self):
        assert failures_path("a/in.csv.gz", Shard(2, 8)).name == "in.2-of-8.failures.jsonl"
        assert checkpoint_path("in.csv", Shard(2, 8)).name == "in.2-of-8.checkpoint.json"
        assert checkpoint_path("in.csv", Shard(1, 1)).name == "in.checkpoint.json"


class TestSelecting:
    @pytest.mark.parametrize("count", [1, 2, 3, 7])
    def test_each_item_is_in_one_shard_in_its_order(self, count: int):
        items = list(Source("in.jsonl"))
        parts = [list(Shard(n, count).select(items, SPEC)) for n in range(1, count + 1)]
        assert sorted(item.line for part in parts for item in part) == [i.line for i in items]
        assert all(part == sorted(part, key=lambda item: item.line) for part in parts)
        owners = Counter(
            id_
            for part in parts
            for id_ in {one.fields.get("id") for one in part if isinstance(one, Record)}
        )
        assert set(owners.values()) == {1}

    def test_what_has_no_id_is_in_the_first(self):
        others = list(Shard(2, 3).select(Source("in.jsonl"), SPEC))
        others += Shard(3, 3).select(Source("in.jsonl"), SPEC)
        assert not [one for one in others if isinstance(one, BadLine) or "id" not in one.fields]
        assert "x" * 600 not in [one.fields["id"] for one in others]

    @pytest.mark.parametrize("count", [2, 8, 13])
    def test_shards_are_of_about_one_size(self, count: int):
        shards = [Shard(n, count) for n in range(1, count + 1)]
        sizes = [sum(one.holds(f"p{n}") for n in range(20_000)) for one in shards]
        assert sum(sizes) == 20_000
        assert min(sizes) > 0.9 * 20_000 / count

    def test_shards_and_connections_share_out_independently(self):
        ours = [n for n in range(4_000) if Shard(1, 2).holds(f"p{n}")]
        odd = sum(crc32(f"p{n}".encode()) % 2 for n in ours)
        assert 0.4 < odd / len(ours) < 0.6


class TestIngesting:
    def test_all_shards_together_ingest_what_one_process_does(self):
        whole = Index(SPEC, MemoryEngine())
        expected = whole.ingest("in.jsonl")
        letters = sorted(Path("in.failures.jsonl").read_bytes().splitlines())
        parts = Index(SPEC, MemoryEngine())
        reports = [parts.ingest("in.jsonl", shard=Shard(n, 3)) for n in (3, 1, 2)]
        for key in ("read", "indexed", "failed", "duplicates"):
            assert sum(getattr(one, key) for one in reports) == getattr(expected, key)
        assert [one.failed for one in reports] == [0, 3, 0]
        assert reports[1].failures_file == "in.1-of-3.failures.jsonl"
        assert sorted(Path("in.1-of-3.failures.jsonl").read_bytes().splitlines()) == letters
        assert stored(parts) == stored(whole)
        assert len(stored(parts)) == parts.count() == 2_987
        assert stored(parts)["p1005"][0] == -1005

    def test_a_shard_without_documents_is_no_error_and_makes_nothing(self):
        Path("one.jsonl").write_text('{"id": "p1", "title": "shoe"}\n')
        index = Index(SPEC, MemoryEngine())
        empty = next(Shard(n, 9) for n in range(2, 10) if not Shard(n, 9).holds("p1"))
        report = index.ingest("one.jsonl", shard=empty)
        assert (report.read, report.indexed, report.failed) == (0, 0, 0)
        assert not index.exists()

    def test_one_shard_may_not_replace_the_index_of_all(self):
        index = Index(SPEC, MemoryEngine())
        index.ingest("in.jsonl")
        with pytest.raises(
            InputError, match=r"shard 1/2 would delete .* mapping create --recreate"
        ):
            index.ingest("in.jsonl", shard=Shard(1, 2), recreate=True)
        assert index.count() == 2_987

    def test_each_shard_goes_on_where_it_was_interrupted(self, monkeypatch):
        index = Index(SPEC, MemoryEngine())
        monkeypatch.setattr(CheckpointFile, "update", every_time(CheckpointFile.update))
        engine = Ending(index.engine, after=24)
        with pytest.raises(EngineError, match="it is gone"):
            Index(SPEC, engine).ingest("in.jsonl", shard=Shard(1, 2), pacing=Pacing(5_000))
        left = load_checkpoint(Path("in.1-of-2.checkpoint.json"))
        assert left is not None
        assert left.position["row"] > left.tally["read"] > 0
        other = index.ingest("in.jsonl", shard=Shard(2, 2))
        assert other.resumed == 0
        assert Path("in.1-of-2.checkpoint.json").exists()
        first = index.ingest("in.jsonl", shard=Shard(1, 2))
        assert first.resumed == left.tally["read"]
        assert first.read + other.read == 3_000
        assert len(stored(index)) == index.count() == 2_987
        assert stored(index)["p1005"][0] == -1005


class Ending(MemoryEngine):
    """Shares another's indices and is gone after some bulk requests."""

    def __init__(self, other: MemoryEngine, after: int) -> None:
        super().__init__()
        self.__dict__.update(other.__dict__)
        self._left = after

    def perform(self, call):
        if call.operation == "bulk":
            self._left -= 1
            if self._left < 0:
                raise EngineError("it is gone", status=400)
        return super().perform(call)


def every_time(update):
    """Let a checkpoint be written at each step, not once a second."""

    def always(self, ledger):
        self._written = -1e9
        update(self, ledger)

    return always


class TestCreatingAtOnce:
    """Another process creates the index between the question and the creation."""

    def test_who_is_slower_uses_the_index_of_who_was_faster(self):
        engine = Racing(SPEC)
        index = Index(SPEC, engine)
        assert index.create() is False
        assert index.ingest("in.jsonl", shard=Shard(1, 2)).indexed > 0

    def test_but_not_one_of_another_spec(self):
        other = SPEC.model_copy(update={"metadata": {"price": "keyword"}})
        with pytest.raises(SpecError, match="price"):
            Index(SPEC, Racing(other)).create()


class Racing(MemoryEngine):
    """An engine on which another process is always a moment faster."""

    def __init__(self, theirs) -> None:
        super().__init__()
        self._theirs = theirs

    def perform(self, call):
        if call.operation == "create_index":
            theirs, self._theirs = self._theirs, None
            if theirs is not None:
                Index(theirs, self).create()
        return super().perform(call)
