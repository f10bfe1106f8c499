"""Following a stream of changes: what is committed when, on the engine in memory; the topic is a list."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import orjson
import pytest

from kokeshi import Index, MemoryEngine
from kokeshi.engines import calls
from kokeshi.engines.calls import Call
from kokeshi.errors import EngineError
from kokeshi.ingest import sending
from kokeshi.kafka.messages import Message
from kokeshi.kafka.topics import Batch
from kokeshi.metrics import PrometheusMetrics
from kokeshi.schema import parse_spec

SPEC = parse_spec("""
index: shop
text: [title]
metadata: {price: float}
vectors:
  v: {encoder: {name: precomputed, column: vec}, dimension: 2}
""")


class Listed:
    """A topic of one partition that gives out its messages two by two."""

    name = "changes"

    def __init__(self, *changes: object) -> None:
        self.messages = [
            Message(0, offset, b"p1", orjson.dumps(change), 1_000 + offset)
            for offset, change in enumerate(changes)
        ]
        self.read = self.committed = 0
        self.finished = False

    def poll(self) -> Batch:
        batch = Batch()
        for message in self.messages[self.read : self.read + 2]:
            batch.add(message)
        self.read += len(batch.messages)
        return batch

    def commit(self, batch: Batch) -> None:
        for place in batch.ends.values():
            self.committed = place.offset

    def finish(self) -> None:
        self.finished = True

    def find_ends(self) -> dict[int, int]:
        return {0: len(self.messages)}

    def has_reached(self, ends: Mapping[int, int], batch: Batch) -> bool:
        return self.committed >= ends[0]

    def lag(self) -> dict[int, int]:
        return {0: len(self.messages) - self.committed}


def whole(price: float) -> dict[str, object]:
    return {"op": "index", "document": {"id": "p1", "price": price, "vec": [1, 2]}}


def stored_price(index: Index) -> float:
    return index.engine.perform(calls.get_document("shop", "p1"))["price"]


class Blocked(MemoryEngine):
    """Takes bulk requests until it is away, and then refuses them, and says so to who is `told`."""

    away = False

    def __init__(self) -> None:
        super().__init__()
        self.told: Callable[[], None] = lambda: None

    def perform(self, call: Call):
        if self.away and call.operation == "bulk":
            self.told()
            raise EngineError("the engine is away", away=True)
        return super().perform(call)


@pytest.fixture
def engine() -> Blocked:
    return Blocked()


@pytest.fixture
def index(engine: Blocked, tmp_path: Path, monkeypatch) -> Iterator[Index]:
    monkeypatch.chdir(tmp_path)
    with Index(SPEC, engine) as opened:
        yield opened


def test_batches_are_committed_after_they_are_settled(index: Index):
    topic = Listed(
        whole(1), whole(2), whole(3), {"op": "update", "document": {"price": 4}}, whole(5)
    )
    metrics, seen = PrometheusMetrics(), []
    report = index.follow(
        topic,
        until_end=True,
        metrics=metrics,
        on_progress=lambda r: seen.append((r.changes.read, r.lag)),
    )
    assert (report.changes.read, report.lag, topic.finished) == (5, 0, True)
    assert seen == [(2, 3), (4, 1), (5, 0)]
    assert stored_price(index) == 5
    lag = metrics.registry.get_sample_value("kokeshi_ingest_lag_messages", {"partition": "0"})
    assert lag == 0


def test_an_engine_that_stays_away_ends_it_and_what_was_not_settled_comes_again(
    index: Index, engine: Blocked, monkeypatch
):
    monkeypatch.setattr(sending, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(sending, "LONGEST_WAIT_S", 0.001)
    topic = Listed(whole(1), whole(2), whole(3), whole(4))

    def go_away(_: object) -> None:
        engine.away = True

    with pytest.raises(EngineError, match="the engine is away"):
        index.follow(topic, until_end=True, on_progress=go_away)
    assert (topic.committed, topic.read) == (2, 4)
    assert not (Path("changes.failures.jsonl")).exists()
    engine.away, topic.read = False, topic.committed
    assert index.follow(topic, until_end=True).changes.read == 2
    assert stored_price(index) == 4


def test_it_stops_after_the_batch_under_way(index: Index):
    topic, stop = Listed(*(whole(price) for price in range(6))), threading.Event()
    report = index.follow(topic, stop=stop, on_progress=lambda _: stop.set())
    assert (report.changes.read, topic.committed, report.lag, topic.finished) == (2, 2, 4, True)


def test_it_stops_while_it_waits_for_the_engine_and_leaves_that_batch(
    index: Index, engine: Blocked, caplog
):
    topic, stop = Listed(whole(1), whole(2), whole(3), whole(4)), threading.Event()

    def go_away(_: object) -> None:
        engine.away, engine.told = True, stop.set

    report = index.follow(topic, stop=stop, on_progress=go_away)
    assert (topic.committed, topic.read, report.changes.read) == (2, 4, 2)
    assert "it will come again" in caplog.text


def test_a_place_that_comes_again_is_one_dead_letter(index: Index):
    topic = Listed(whole(1), {"op": "replace"}, {"op": "delete", "version": "x"})
    first = index.follow(topic, until_end=True)
    assert first.changes.failed == 2
    assert first.changes.first_failure.startswith(
        "topic 'changes', partition 0, offset 1: op 'replace'"
    )
    topic.read = topic.committed = 0
    topic.messages += Listed({}, {}, {}, {"op": "rename"}).messages[3:]
    again = index.follow(topic, until_end=True)
    assert again.changes.failed == 3
    letters = Path("changes.failures.jsonl").read_bytes().splitlines()
    assert [orjson.loads(letter)["line"] for letter in letters] == [1, 2, 3]
