"""Changes of a real Kafka topic: nothing lost, nothing outdated, whoever is killed or comes and goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from kokeshi import Index
from kokeshi.cli.main import run
from kokeshi.engines import Connection
from kokeshi.errors import InputError
from kokeshi.kafka import consumer
from kokeshi.kafka.consumer import KafkaTopic, find_lag
from kokeshi.kafka.following import FollowReport
from kokeshi.kafka.messages import Versions
from kokeshi.kafka.topics import TopicLag, TopicSettings
from kokeshi.schema import parse_spec
from tests.relay import Fate, relay
from tests.servers import closed_port

confluent_kafka = pytest.importorskip("confluent_kafka")
from tests.kafka_broker import Broker, BrokerError  # noqa: E402 (imports confluent_kafka)

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SPEC = """
index: {name}
text: [title]
metadata: {{price: float, brand: keyword}}
vectors:
  v: {{encoder: {{name: precomputed, column: vec}}, dimension: 4}}
settings: {{refresh_interval: "-1"}}
"""
PARTITIONS = 4
PATIENCE_S = 120.0

State = dict[str, float]
"""id -> price."""


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with tempfile.TemporaryDirectory(prefix="kokeshi-kafka-") as folder:
        try:
            found = Broker(Path(folder))
            found.start()
        except BrokerError as error:
            pytest.skip(f"no Kafka broker: {error}")
        try:
            yield found
        finally:
            found.stop()


class Stream:
    """A topic that a test writes to, and the state that its changes come to."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.name = broker.create_topic(f"changes-{time.monotonic_ns()}", PARTITIONS)
        self.expected: State = {}
        self.sent = 0
        config = {"bootstrap.servers": broker.bootstrap, "linger.ms": 5, "log_level": 0}
        # else a message that is sent again can come behind a later one of its key
        self._producer = confluent_kafka.Producer(config | {"enable.idempotence": True})

    def send(self, key: str | None, value: object, timestamp: int = 0) -> None:
        content = value if value is None or isinstance(value, bytes) else orjson.dumps(value)
        self._producer.produce(self.name, key=key, value=content, timestamp=timestamp)
        self._producer.poll(0)
        self.sent += 1

    def flush(self) -> None:
        assert self._producer.flush(PATIENCE_S) == 0

    def index(self, id_: str, price: float) -> None:
        self.expected[id_] = price
        number = float(id_[1:])
        document = {"id": id_, "title": f"shoe {id_}", "price": price, "vec": [number + 1, 1, 1, 1]}
        self.send(id_, {"op": "index", "document": document})

    def update(self, id_: str, price: float) -> None:
        self.expected[id_] = price
        self.send(id_, {"op": "update", "document": {"price": price}})

    def bury(self, id_: str) -> None:
        del self.expected[id_]
        self.send(id_, None)

    def mix(self, start: int, stop: int) -> None:
        """Index documents, change the price of every third, delete every seventh."""
        for number in range(start, stop):
            self.index(f"p{number}", number)
        for number in range(start, stop, 3):
            self.update(f"p{number}", number + 0.5)
        for number in range(start, stop, 7):
            self.bury(f"p{number}")
        self.flush()

    def settings(self, group: str = "tests") -> TopicSettings:
        return TopicSettings(self.name, self.broker.bootstrap, group)

    def lag(self, group: str = "tests") -> TopicLag:
        return find_lag(self.settings(group))


@pytest.fixture
def stream(broker: Broker) -> Stream:
    return Stream(broker)


def open_index(url: str, folder: Path) -> Iterator[Index]:
    text = SPEC.format(name=f"kafka-{os.getpid()}")
    (folder / "kokeshi.yaml").write_text(text)
    with Index.open(parse_spec(text), Connection(url)) as opened:
        opened.engine.delete_index(opened.spec.index)
        yield opened
        opened.engine.delete_index(opened.spec.index)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def index(engine_url: str, folder: Path) -> Iterator[Index]:
    yield from open_index(engine_url, folder)


@pytest.fixture
def one_index(opensearch_url: str, folder: Path) -> Iterator[Index]:
    """An index for tests that are about the topic: one engine is enough for them."""
    yield from open_index(opensearch_url, folder)


def follow(
    index: Index, stream: Stream, group: str = "tests", versions: Versions = "message"
) -> FollowReport:
    with KafkaTopic(stream.settings(group)) as topic:
        topic.subscribe()
        return index.follow(topic, until_end=True, versions=versions)


def state_of(index: Index) -> State:
    index.engine.refresh(index.spec.index)
    body = {"size": 10_000, "_source": ["price"], "query": {"match_all": {}}}
    hits = index.engine.search(index.spec.index, body)["hits"]["hits"]
    return {hit["_id"]: hit["_source"]["price"] for hit in hits}


def letters_of(stream: Stream, folder: Path) -> list[dict]:
    path = folder / f"{stream.name}.failures.jsonl"
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


# --- what the messages say


def test_upserts_price_updates_and_tombstones(index: Index, stream: Stream):
    stream.mix(0, 300)
    report = follow(index, stream).changes
    assert state_of(index) == stream.expected
    assert (report.read, report.failed) == (stream.sent, 0) == (300 + 100 + 43, 0)
    assert report.indexed + report.updated + report.deleted + report.missing == report.read
    assert index.search(vector=[6, 1, 1, 1], size=1).ids == ["p5"]
    stream.mix(300, 330)
    assert follow(index, stream).changes.read == 30 + 10 + 5  # goes on where it ended
    assert state_of(index) == stream.expected
    assert follow(index, stream).changes.read == 0
    assert stream.lag().messages == 0


def test_what_is_no_change_is_kept_with_its_place_and_the_rest_goes_on(
    index: Index, stream: Stream, folder: Path
):
    stream.index("p1", 1)
    stream.send("p2", b"{no json")
    stream.send("p3", {"op": "replace", "document": {}})
    stream.send("p4", {"op": "update", "document": {"price": 4}})
    stream.send("p5", {"op": "index", "document": {"price": "cheap", "vec": [1, 1, 1, 1]}})
    stream.send("p6", {"op": "index", "document": {"price": 6, "vec": [1, 2]}})
    stream.send("p7", {"op": "index", "document": {"brand": "x" * 40_000, "vec": [1, 1, 1, 1]}})
    stream.send(None, None)
    stream.index("p8", 8)
    stream.flush()
    report = follow(index, stream).changes
    assert (report.read, report.indexed, report.failed) == (9, 2, 7)
    assert state_of(index) == stream.expected
    letters = letters_of(stream, folder)
    for letter in letters:
        place = f"topic '{stream.name}', partition {letter['row']}, offset {letter['line']}: "
        assert letter["reason"].startswith(place)
    reasons = {letter["id"]: letter["reason"] for letter in letters}
    for id_, words in {
        "p2": "not JSON",
        "p3": "op 'replace': one of index, update, delete",
        "p4": "there is no such document to update",
        "p5": "field 'price' must be float",
        "p6": "needs 4 numbers in column 'vec', found 2",
        "p7": "immense term",
        None: "neither key nor value",
    }.items():
        assert words in reasons[id_]
    assert report.first_failure in reasons.values()
    follow(index, stream, group="again")  # all of it once more
    assert len(letters_of(stream, folder)) == 7


def test_a_change_that_failed_is_applied_when_retried(
    one_index: Index, stream: Stream, folder: Path
):
    stream.update("p1", 4)
    stream.flush()
    assert follow(one_index, stream).changes.failed == 1
    stream.index("p1", 3)
    stream.flush()
    follow(one_index, stream)
    # it was there before the document, of which it is older: it must not win now
    one_index.retry_changes(folder / f"{stream.name}.failures.jsonl")
    assert state_of(one_index) == {"p1": 3}


# --- an old message never overwrites a new one


def test_a_new_group_that_reads_everything_again_brings_nothing_old_back(
    index: Index, stream: Stream
):
    stream.mix(0, 200)
    follow(index, stream)
    stream.mix(0, 100)
    follow(index, stream)
    before = state_of(index)
    assert before == stream.expected
    again = follow(index, stream, group="another").changes
    assert (again.read, again.failed) == (stream.sent, 0)
    assert again.stale > 0  # changes that the second time outdated
    assert state_of(index) == before


def test_the_version_of_a_message_or_the_timestamp_of_its_record(one_index: Index, stream: Stream):
    now = time.time_ns() // 1_000_000
    document = {"title": "shoe", "vec": [1, 1, 1, 1]}
    for version, timestamp, price in [(7, now - 20, 1.0), (9, now - 10, 2.0), (8, now, 3.0)]:
        change = {"op": "index", "version": version, "document": document | {"price": price}}
        stream.send("p1", change, timestamp)
    stream.flush()
    follow(one_index, stream)
    assert state_of(one_index) == {"p1": 2.0}
    one_index.create(recreate=True)
    follow(one_index, stream, "by-time", "timestamp")
    assert state_of(one_index) == {"p1": 3.0}


# --- who follows is killed, told to stop, joined by another


def start(stream: Stream, url: str, cwd: Path, *options: str) -> subprocess.Popen[bytes]:
    cwd.mkdir(exist_ok=True)
    (cwd / "kokeshi.yaml").write_bytes(Path("kokeshi.yaml").read_bytes())
    # a member that was killed keeps its partitions for so long
    (cwd / "kafka.properties").write_text("session.timeout.ms=6000\nheartbeat.interval.ms=500\n")
    code = "from kokeshi.cli.main import run; run()"
    config = ["--kafka-config", "kafka.properties"]
    command = ["follow", stream.name, "--bootstrap", stream.broker.bootstrap, "--group", "tests"]
    return subprocess.Popen(
        [sys.executable, "-c", code, *command, "--url", url, *config, *options],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_until(is_so: Callable[[], bool], *running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        for process in running:
            assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def end(process: subprocess.Popen[bytes]) -> str:
    """Ask a process to stop, as an orchestrator does, and return what it printed."""
    process.send_signal(signal.SIGTERM)
    shown, problem = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, problem.decode()
    return shown.decode()


def kill_after_a_commit(stream: Stream, url: str, folder: Path) -> None:
    """Kill who follows a topic after a commit; what it sends then waits, so that it gets no further."""
    behind, killed = stream.lag().messages, threading.Event()

    def has_committed() -> bool:
        return stream.lag().messages < behind

    def decide(_: int) -> Fate:
        if has_committed():
            killed.wait()
        return "pass"

    with relay(url, decide, of="_bulk") as address:
        process = start(stream, address, folder)
        try:
            wait_until(has_committed, process)
        finally:
            process.kill()
            killed.set()
        process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_what_is_killed_is_completed_by_the_same_command(
    one_index: Index, stream: Stream, folder: Path, opensearch_url: str, kills: int
):
    stream.mix(0, 8_000)
    stream.send("poison", b"{no json")
    for _ in range(kills):
        kill_after_a_commit(stream, opensearch_url, folder)
    behind = stream.lag().messages
    assert 0 < behind < stream.sent
    process = start(stream, opensearch_url, folder, "--until-end", "--json")
    shown, problem = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2, problem  # the poison
    report = orjson.loads(shown)
    assert report["read"] == behind
    assert (report["lag"], stream.lag().messages) == (0, 0)
    letters = {letter["id"]: letter["reason"] for letter in letters_of(stream, folder)}
    assert "not JSON" in letters.pop("poison")
    # a batch that came again can have updates of what it deleted the first time
    assert all("no such document to update" in reason for reason in letters.values())
    assert not letters.keys() & stream.expected.keys()
    assert state_of(one_index) == stream.expected


def test_two_of_a_group_share_a_topic_and_one_takes_over(
    one_index: Index, stream: Stream, folder: Path, opensearch_url: str
):
    first = start(stream, opensearch_url, folder / "first")
    stream.mix(0, 500)
    wait_until(lambda: stream.lag().messages == 0, first)
    second = start(stream, opensearch_url, folder / "second")
    members = stream.broker.admin

    def two_share() -> bool:
        found = members.describe_consumer_groups(["tests"])["tests"].result(PATIENCE_S).members
        shares = [len(member.assignment.topic_partitions) for member in found]
        return len(shares) == 2 and all(shares) and sum(shares) == PARTITIONS

    writing = threading.Thread(target=stream.mix, args=(500, 4_500))
    writing.start()
    wait_until(two_share, first, second)
    writing.join()
    stream.mix(4_500, 5_000)
    wait_until(lambda: stream.lag().messages == 0, first, second)
    assert "messages behind" in end(first)
    stream.mix(5_000, 5_100)
    wait_until(lambda: stream.lag().messages == 0, second)
    shown = end(second)
    assert "Read 0 changes" not in shown
    assert state_of(one_index) == stream.expected


def test_the_lag_is_part_of_the_status(
    one_index: Index, stream: Stream, folder: Path, opensearch_url: str, capsys, monkeypatch
):
    def status(*options: str) -> str:
        command = ["status", "--url", opensearch_url, "--topic", stream.name, *options]
        monkeypatch.setattr(
            sys, "argv", ["kokeshi", *command, "--bootstrap", stream.broker.bootstrap]
        )
        with suppress(SystemExit):
            run()
        return " ".join(capsys.readouterr().out.split())

    stream.mix(0, 20)
    assert f"Topic '{stream.name}': 30 messages behind (group tests)" in status("--group", "tests")
    follow(one_index, stream, group=f"kokeshi-{one_index.spec.index}")
    shown = status()
    assert f"0 messages behind (group kokeshi-{one_index.spec.index}); the latest that was" in shown
    lag = orjson.loads(status("--json"))["lag"]
    assert (lag["messages"], sum(lag["partitions"].values()), len(lag["partitions"])) == (0, 0, 4)
    assert 0 <= lag["applied"] < 3_600


# --- the broker is away


@pytest.mark.slow
def test_a_broker_that_is_restarted_is_waited_for(
    one_index: Index, stream: Stream, folder: Path, opensearch_url: str
):
    process = start(stream, opensearch_url, folder)
    stream.mix(0, 500)
    wait_until(lambda: stream.lag().messages == 0, process)
    stream.broker.stop()
    time.sleep(3)
    stream.broker.start()
    stream.mix(300, 1_000)
    wait_until(lambda: stream.lag().messages == 0, process)
    end(process)
    assert state_of(one_index) == stream.expected


def test_a_topic_that_is_not_there_and_a_broker_that_is_not(broker: Broker, monkeypatch):
    with pytest.raises(InputError, match=r"topic 'no-such': Broker: Unknown topic"):
        KafkaTopic(TopicSettings("no-such", broker.bootstrap, "g"))
    monkeypatch.setattr(consumer, "ANSWER_S", 2.0)
    nobody = f"127.0.0.1:{closed_port()}"
    with pytest.raises(InputError, match=rf"no Kafka broker answers: .*{nobody}.* refused"):
        KafkaTopic(TopicSettings("changes", nobody, "g"))


def test_an_option_that_the_library_does_not_take_is_named_without_its_value(broker: Broker):
    options = {"sasl.mechanism": "PLAIN", "security.protocol": "hunter22"}
    settings = TopicSettings("changes", broker.bootstrap, "g", options)
    with pytest.raises(InputError, match='Invalid value "…" for configuration property') as caught:
        KafkaTopic(settings)
    assert "hunter22" not in str(caught.value)
