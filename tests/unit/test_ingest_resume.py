"""Queues, counts, positions and checkpoints: what an interrupted ingest goes on from."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import numpy as np
import orjson
import pytest

from kokeshi import Index
from kokeshi.encoders import Record
from kokeshi.engines.memory import MemoryEngine
from kokeshi.errors import EngineError, InputError
from kokeshi.ingest import BadLine, Pacing, Source
from kokeshi.ingest.actions import Failure, Position
from kokeshi.ingest.checkpoint import (
    EVERY_S,
    Checkpoint,
    CheckpointFile,
    find_change,
    load_checkpoint,
    take_fingerprint,
)
from kokeshi.ingest.failures import DeadLetters, FailureLog
from kokeshi.ingest.ids import IdSet
from kokeshi.ingest.ledger import Ledger, Tally
from kokeshi.ingest.queues import ByteQueue, Stopped
from kokeshi.schema import parse_spec


class TestQueue:
    def test_items_come_in_order_until_the_end(self):
        queue = ByteQueue(100)
        for number in range(5):
            queue.put(number, 20)
        queue.end()
        assert list(queue) == [0, 1, 2, 3, 4]

    def test_who_puts_more_than_there_is_room_for_waits(self):
        queue = ByteQueue(100)
        seen = []

        def fill() -> None:
            for number in range(20):
                queue.put(number, 60)
                seen.append(number)
            queue.end()

        thread = threading.Thread(target=fill)
        thread.start()
        taken = []
        for item in queue:
            taken.append(item)
            assert len(seen) <= len(taken) + 2
        thread.join()
        assert taken == list(range(20))

    def test_one_item_may_be_larger_than_the_room(self):
        queue = ByteQueue(100)
        queue.put("large", 1_000)
        queue.end()
        assert list(queue) == ["large"]

    def test_stopping_frees_who_waits_on_either_side(self):
        queue = ByteQueue(1)
        queue.put("first", 1)
        ended = []

        def put() -> None:
            with pytest.raises(Stopped):
                queue.put("second", 1)
            ended.append("put")

        thread = threading.Thread(target=put)
        thread.start()
        queue.stop()
        thread.join(10)
        with pytest.raises(Stopped):
            next(iter(queue))
        assert ended == ["put"]


class TestIds:
    def test_what_was_added_before_is_counted(self):
        ids = IdSet()
        assert ids.add(["a", "b", "a"]) == 1
        assert ids.add(["a", "c"]) == 1
        assert ids.find(["a", "b", "c", "d"]).tolist() == [True, True, True, False]

    def test_it_counts_like_a_set(self):
        rng = np.random.default_rng(0)
        ids, seen, expected, found = IdSet(), set(), 0, 0
        for size in rng.integers(0, 50, 200):
            batch = [str(one) for one in rng.integers(0, 3_000, size)]
            found += ids.add(batch)
            for one in batch:
                expected += one in seen
                seen.add(one)
        assert found == expected

    def test_one_that_is_full_holds_no_more(self):
        ids = IdSet(most=2)
        ids.add(["a", "b"])
        assert not ids.full
        ids.add(["c"])
        assert ids.full
        assert ids.find(["a", "c"]).tolist() == [True, False]


class TestLedger:
    def test_only_what_is_settled_from_the_start_is_behind(self):
        ledger = Ledger()
        ledger.open(0, read=2, failed=0, after=Position(2, 2, 20))
        ledger.open(1, read=2, failed=1, after=Position(4, 4, 40))
        ledger.settle(1, indexed=True, bare=True)
        assert not ledger.advance()
        assert ledger.position is None
        ledger.settle(0, indexed=True, bare=False)
        ledger.settle(0, indexed=False, bare=False)
        assert ledger.advance()
        assert ledger.position == Position(4, 4, 40)
        assert ledger.settled == ledger.total == Tally(4, 2, 2, 1)

    def test_it_goes_on_from_earlier_counts(self):
        ledger = Ledger(Tally(10, 9, 1, 0), Position(10, 12, 99))
        ledger.open(0, read=1, failed=1, after=Position(11, 13, 120))
        assert ledger.advance()
        assert (ledger.settled.read, ledger.settled.failed) == (11, 2)


CONTENTS = {
    "a.jsonl": b'\xef\xbb\xbf{"id": 1}\n\n{"id": 2}\nno\n  \n{"id": 4}\n{"id": 5}',
    "a.csv": b'id,t\n1,"two\nlines"\n\n2,b\n3\n4,d\n',
}
CONTENTS |= {f"{name}.gz": gzip.compress(content) for name, content in CONTENTS.items()}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_source_goes_on_where_it_was_left(tmp_path, name):
    (tmp_path / name).write_bytes(CONTENTS[name])
    source = Source(tmp_path / name)
    items, places = [], []
    for item in source:
        items.append(item)
        places.append(source.reached)
    assert len(items) >= 4
    for count, place in enumerate(places, start=1):
        again = Source(tmp_path / name)
        assert list(again.read_from(place)) == items[count:]


@pytest.mark.parametrize("change", ["append", "touch", "edit"])
def test_a_file_that_has_changed_has_another_fingerprint(tmp_path, change):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * 3_000_000)
    old = take_fingerprint(path)
    assert take_fingerprint(path) == old
    if change == "append":
        path.write_bytes(path.read_bytes() + b"x")
    elif change == "edit":  # with the size and the time of before
        path.write_bytes(b"y" + b"x" * 2_999_999)
        os.utime(path, ns=(old.mtime_ns, old.mtime_ns))
    else:
        os.utime(path)
    assert take_fingerprint(path) != old


def test_standard_input_has_no_fingerprint():
    assert take_fingerprint("-") is None


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def moved(row: int) -> Ledger:
    return Ledger(Tally(row, row, 0, 0), Position(row, row, row))


class TestCheckpointFile:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def file(self, tmp_path, clock) -> CheckpointFile:
        (tmp_path / "a.jsonl").write_bytes(b"{}")
        source = take_fingerprint(tmp_path / "a.jsonl")
        return CheckpointFile(tmp_path / "c.json", source, "digest", recreated=False, clock=clock)

    def test_it_is_written_now_and_then(self, file, clock, tmp_path):
        file.begin({"a": "uuid"})
        file.update(moved(1))
        assert load_checkpoint(tmp_path / "c.json") is None
        clock.now += EVERY_S
        file.update(moved(2))
        file.update(moved(3))
        assert load_checkpoint(tmp_path / "c.json").position == {"row": 2, "line": 2, "offset": 2}

    @pytest.mark.parametrize("jump", [-1e9, 1e9])
    def test_a_clock_that_jumps_only_writes_it_once_more(self, file, clock, tmp_path, jump):
        file.begin({"a": "uuid"})
        clock.now += jump
        file.update(moved(2))
        clock.now += EVERY_S
        file.update(moved(3))
        assert load_checkpoint(tmp_path / "c.json").ledger().position.row == 3

    def test_an_index_that_cannot_be_told_from_another_has_none(self, file, clock, tmp_path):
        file.begin({})
        clock.now += 10
        file.update(moved(1))
        assert not (tmp_path / "c.json").exists()

    def test_a_folder_that_cannot_be_written_is_one_error(self, file, clock, tmp_path):
        (tmp_path / "c.json").mkdir()
        file.begin({"a": "uuid"})
        clock.now += 10
        with pytest.raises(InputError, match=r"c.json: cannot be written .* or with --no-resume"):
            file.update(moved(1))

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"source": 1}'])
    def test_one_that_is_damaged_is_none(self, tmp_path, content):
        (tmp_path / "c.json").write_bytes(content)
        assert load_checkpoint(tmp_path / "c.json") is None


class Dying(MemoryEngine):
    """An engine that goes away for good after some requests."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 10**9
        self.ids: list[str] = []

    def bulk(self, index, body):
        if not self.left:
            raise EngineError("gone")
        self.left -= 1
        self.ids += [orjson.loads(line)["index"]["_id"] for line in body.splitlines()[::2]]
        return super().bulk(index, body)


SPEC = parse_spec("{index: shop, text: [title], metadata: {price: float}}")
OTHER = parse_spec("{index: shop, text: [title], metadata: {price: float}, shards: 2}")


def write(path: Path, count: int = 6_000, **first: object) -> None:
    rows = [{"id": str(row), "title": f"shoe {row}", "price": row} for row in range(count)]
    rows[0] |= first
    rows[100]["price"] = "dear"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


class TestResume:
    """An ingest that is interrupted, and the same one again."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch) -> Path:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("kokeshi.ingest.checkpoint.EVERY_S", 0.0)
        write(Path("in.jsonl"))
        return tmp_path

    @pytest.fixture
    def engine(self) -> Dying:
        engine = Dying()
        engine.left = 40
        with pytest.raises(EngineError, match="gone"):
            self.ingest(engine)
        engine.left = 10**9
        assert Path("in.checkpoint.json").exists()
        return engine

    def ingest(self, engine, spec=SPEC, **options):
        return Index(spec, engine).ingest("in.jsonl", pacing=Pacing(8_192, 2), **options)

    def check(self, engine, report) -> None:
        assert (report.read, report.indexed, report.failed) == (6_000, 5_999, 1)
        assert Index(SPEC, engine).count() == 5_999
        letters = [
            orjson.loads(line) for line in Path("in.failures.jsonl").read_bytes().splitlines()
        ]
        assert [letter["line"] for letter in letters] == [101]
        assert not Path("in.checkpoint.json").exists()

    def test_it_goes_on_where_it_was(self, engine):
        before = len(engine.ids)
        report = self.ingest(engine)
        assert report.resumed >= 512
        assert report.restarted is None
        assert len(engine.ids) - before == 6_000 - report.resumed - (report.resumed <= 100)
        self.check(engine, report)

    def test_a_torn_line_of_the_dead_letters_is_left_out(self, engine):
        with Path("in.failures.jsonl").open("ab") as file:
            file.write(b'{"line": 5999, "id"')
        self.check(engine, self.ingest(engine))

    def test_dead_letters_after_its_position_are_written_anew(self, engine):
        entry = {"line": 5_000, "row": 4_999, "id": "4999", "reason": "busy", "document": {}}
        with Path("in.failures.jsonl").open("ab") as file:
            file.write(orjson.dumps(entry) + b"\n")
        self.check(engine, self.ingest(engine))

    def test_a_file_that_has_changed_is_read_from_its_beginning(self, engine):
        write(Path("in.jsonl"), title="boot")
        report = self.ingest(engine)
        assert (report.resumed, report.restarted) == (0, "the file has changed since")
        self.check(engine, report)

    def test_an_index_that_was_made_anew_is_filled_from_the_beginning(self, engine):
        Index(SPEC, engine).create(recreate=True)
        report = self.ingest(engine)
        assert report.restarted == "the index was made anew since"
        self.check(engine, report)

    def test_another_spec_begins_anew(self, engine):
        report = self.ingest(engine, OTHER)
        assert report.restarted.startswith("the spec, a model, a codebook")
        self.check(engine, report)

    def test_to_recreate_begins_anew(self, engine):
        report = self.ingest(engine, recreate=True)
        assert report.restarted == "the interrupted one was without --recreate"
        self.check(engine, report)

    def test_without_resuming_it_begins_anew(self, engine):
        report = self.ingest(engine, resume=False)
        assert (report.resumed, report.restarted) == (0, None)
        self.check(engine, report)

    def test_one_that_recreates_goes_on_too(self):
        engine = Dying()
        Index(SPEC, engine).create()
        engine.bulk("shop", b'{"index":{"_id":"old"}}\n{"title":"old"}\n')
        engine.left = 40
        with pytest.raises(EngineError, match="gone"):
            self.ingest(engine, recreate=True)
        engine.left = 10**9
        report = self.ingest(engine, recreate=True)
        assert report.resumed >= 512
        self.check(engine, report)


def test_an_interrupted_ingest_of_another_file_of_that_name_is_not_forgotten(tmp_path):
    old, new = (tmp_path / folder / "a.jsonl" for folder in ("eu", "us"))
    for path in (old, new):
        path.parent.mkdir()
        path.write_text("{}")
    prints = [take_fingerprint(path) for path in (old, new)]
    assert prints[0]
    assert prints[1]
    left = Checkpoint(
        source=prints[0], spec="", index={"a": "1"}, recreated=False, position={}, tally={}
    )
    assert find_change(left, prints[0], "", {"a": "1"}, recreate=False) is None
    with pytest.raises(InputError, match="another file of that name, .*eu/a.jsonl"):
        find_change(left, prints[1], "", {"a": "1"}, recreate=False)


class TestDeadLetters:
    @pytest.fixture
    def path(self, tmp_path) -> Path:
        return tmp_path / "a.failures.jsonl"

    def test_documents_come_back_with_their_line_and_row(self, path):
        with FailureLog(path) as log:
            log.write(Failure(3, "busy", {"id": "a"}, "a", 2))
            log.write(Failure(4, "not JSON", "{", row=3))
        found = list(DeadLetters(path))
        assert found == [Record(2, 3, {"id": "a"}), BadLine(4, "not JSON", "{", 3)]

    def test_a_document_that_was_replaced_is_left_out(self, path):
        with FailureLog(path) as log:
            log.write(Failure(3, "busy", {"id": "a", "v": 1}, "a", 2))
            log.write(Failure(5, "busy", {"id": "b", "v": 1}, "b", 4))
            log.replace([("a", 9), ("c", 10)])
            assert log.count == 2
        letters = DeadLetters(path)
        assert [record.fields["id"] for record in letters] == ["b"]
        assert letters.replaced == 1

    def test_the_latest_that_replaced_it_counts(self, path):
        with FailureLog(path) as log:
            log.write(Failure(5, "busy", {"id": "a"}, "a", 4))
            log.replace([("a", 10)])
            log.replace([("a", 3)])
        assert list(DeadLetters(path)) == []

    def test_documents_come_back_in_the_order_of_their_source(self, path):
        with FailureLog(path) as log:
            for line in (6, 2, 5):  # the engine answers later than a field is checked
                log.write(Failure(line, "why", {"id": "a", "v": line}, "a", line - 1))
            log.write(Failure(4, "not JSON", "{", row=3))
        assert [found.line for found in DeadLetters(path)] == [2, 4, 5, 6]

    def test_a_vector_is_kept_as_numbers(self, path):
        with FailureLog(path) as log:
            log.write(Failure(1, "busy", {"v": np.array([0.5, 1], np.float32)}, "a", 0))
        assert next(iter(DeadLetters(path))).fields == {"v": [0.5, 1]}

    def test_a_missing_file_is_an_error(self, path):
        with pytest.raises(InputError, match="no such file"):
            DeadLetters(path)

    @pytest.mark.parametrize("line", [b"{}", b"[1]", b'{"id": "1", "title": "shoe"}', b"no"])
    def test_another_file_is_an_error(self, path, line):
        path.write_bytes(line + b"\n")
        with pytest.raises(InputError, match="line 1 is no dead letter"):
            list(DeadLetters(path))

    def test_what_succeeds_leaves_the_file(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        documents = [{"id": "a", "price": "dear"}, {"id": "b", "price": "x"}, {"id": "c"}]
        Path("in.jsonl").write_bytes(b"\n".join(map(orjson.dumps, documents)))
        index = Index(SPEC, MemoryEngine())
        assert index.ingest("in.jsonl").failed == 2
        path = Path("in.failures.jsonl")
        path.write_bytes(path.read_bytes().replace(b'"dear"', b"3"))
        report = index.retry_failures(path)
        assert (report.read, report.indexed, report.failed) == (2, 1, 1)
        assert [orjson.loads(line)["id"] for line in path.read_bytes().splitlines()] == ["b"]
        path.write_bytes(path.read_bytes().replace(b'"price":"x"', b'"price":4'))
        assert index.retry_failures(path).failed == 0
        assert [one.name for one in tmp_path.iterdir()] == ["in.jsonl"]
        assert index.count() == 3

    def test_an_engine_that_goes_away_leaves_the_file(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        path = tmp_path / "in.failures.jsonl"
        with FailureLog(path) as log:
            log.write(Failure(3, "busy", {"id": "a"}, "a", 2))
        before = path.read_bytes()
        engine = Dying()
        engine.left = 0
        with pytest.raises(EngineError, match="gone"):
            Index(SPEC, engine).retry_failures(path)
        assert path.read_bytes() == before
