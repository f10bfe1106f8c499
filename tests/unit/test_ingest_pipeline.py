"""Sending and the whole pipeline, on an engine whose answers are scripted."""

from __future__ import annotations

import threading
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import orjson
import pytest

from kokeshi.encoders import Record, load_encoder
from kokeshi.encoders.cache import CachedEncoder
from kokeshi.encoders.cache_file import CacheFile
from kokeshi.engines import BulkItem, Capabilities
from kokeshi.errors import EngineError, InputError
from kokeshi.ingest import BadLine, IngestReport, Pacing, ingest_records, pipeline
from kokeshi.ingest.actions import Action, Outcome
from kokeshi.ingest.failures import FailureLog
from kokeshi.ingest.ids import IdSet
from kokeshi.ingest.pace import Pace
from kokeshi.ingest.sending import BUSY_TRIES, TRIES, send_actions
from kokeshi.metrics import IngestMetrics
from kokeshi.schema import parse_spec
from kokeshi.types import Base64Floats

Answer = Callable[[str], int] | int | EngineError


class ScriptedEngine:
    """An engine that answers its bulk requests one after another as told, and then takes everything.

    An answer is an error to raise, a status for every document, or a map from id to status.
    """

    def __init__(self, *answers: Answer, base64: Base64Floats | None = None) -> None:
        self.answers = list(answers)
        self.capabilities = Capabilities("memory", (), derived_source=True, base64_vectors=base64)
        self._lock = threading.Lock()
        self.requests: list[list[str]] = []
        self.stored: dict[str, dict] = {}

    def bulk(self, _index: str, body: bytes) -> list[BulkItem]:
        with self._lock:
            return self._bulk(body)

    def _bulk(self, body: bytes) -> list[BulkItem]:
        lines = body.splitlines()
        ids = [orjson.loads(line)["index"]["_id"] for line in lines[::2]]
        self.requests.append(ids)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, EngineError):
            raise answer
        items = []
        for id_, document in zip(ids, lines[1::2], strict=True):
            status = answer if isinstance(answer, int) else answer(id_)
            items.append(BulkItem(status, None if status < 300 else f"status {status}"))
            if status < 300:
                self.stored[id_] = orjson.loads(document)
        return items


class Sleeper:
    def __init__(self) -> None:
        self.waits: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


def refused(status: int | None) -> EngineError:
    return EngineError(f"refused with {status}", status=status)


def action(id_: str, size: int = 0, line: int = 1) -> Action:
    body = b'{"index":{"_id":"%s"}}\n{"t":"%s"}\n' % (id_.encode(), b"x" * size)
    return Action(id_, Record(line - 1, line, {}), body)


def actions(ids: str) -> list[Action]:
    return [action(id_) for id_ in ids]


def send(engine, sent, sleep, pace=None) -> list[Outcome]:
    answers = send_actions(engine, "a", sent, pace or Pace(), sleep=sleep)
    return [outcome for outcomes in answers for outcome in outcomes]


@pytest.fixture
def sleep() -> Sleeper:
    return Sleeper()


class TestSending:
    def test_what_is_taken_is_sent_once(self, sleep):
        engine = ScriptedEngine()
        outcomes = send(engine, actions("abc"), sleep)
        assert [(o.action.id, o.reason) for o in outcomes] == [
            ("a", None),
            ("b", None),
            ("c", None),
        ]
        assert (engine.requests, sleep.waits) == ([["a", "b", "c"]], [])

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_only_what_was_busy_is_sent_again(self, sleep, status):
        engine = ScriptedEngine(
            lambda id_: status if id_ in "bc" else 200,
            lambda id_: status if id_ == "c" else 200,
        )
        outcomes = send(engine, actions("abcd"), sleep)
        assert engine.requests == [["a", "b", "c", "d"], ["b", "c"], ["c"]]
        assert {o.action.id: o.reason for o in outcomes} == dict.fromkeys("abcd")
        assert sleep.waits == [0.5, 0.5]

    @pytest.mark.parametrize(
        ("first", "second", "stays"), [(429, 200, "new"), (429, 429, "new"), (429, 400, "old")]
    )
    def test_a_repeat_never_brings_back_what_a_later_document_replaced(
        self, sleep, first, second, stays
    ):
        statuses = iter([first, second])
        engine = ScriptedEngine(lambda _: next(statuses))
        twice = [
            Action("a", Record(0, line, {}), b'{"index":{"_id":"a"}}\n{"v":"%s"}\n' % value)
            for line, value in ((1, b"old"), (2, b"new"))
        ]
        outcomes = send(engine, twice, sleep)
        assert engine.stored["a"]["v"] == stays
        assert sorted(o.action.record.line for o in outcomes) == [1, 2]
        assert sum(o.reason is not None for o in outcomes) == (second == 400)

    def test_a_repeat_goes_before_what_follows(self, sleep):
        engine = ScriptedEngine(lambda id_: 429 if id_ == "b" else 200)
        pace = Pace(2 * len(action("a").body))
        send(engine, actions("abcd"), sleep, pace)
        assert engine.requests == [["a", "b"], ["b"], ["c"], ["d"]]

    @pytest.mark.parametrize("status", [400, 403, 404, 409])
    def test_what_can_never_succeed_is_not_sent_again(self, sleep, status):
        engine = ScriptedEngine(lambda id_: status if id_ == "b" else 200)
        outcomes = send(engine, actions("abc"), sleep)
        reasons = {o.action.id: o.reason for o in outcomes}
        assert reasons == {"a": None, "b": f"status {status}", "c": None}
        assert len(engine.requests) == 1

    def test_a_document_that_stays_refused_fails_after_the_last_try(self, sleep):
        engine = ScriptedEngine(*[500] * TRIES)
        outcomes = send(engine, actions("ab"), sleep)
        assert [o.reason for o in outcomes] == ["status 500"] * 2
        assert len(engine.requests) == TRIES
        assert sleep.waits == [0.5, 1, 2, 4, 8]

    def test_a_document_alone_that_the_engine_is_always_too_busy_for_fails(self, sleep):
        engine = ScriptedEngine(lambda id_: 200 if id_ == "a" else 429, *[429] * BUSY_TRIES)
        outcomes = send(engine, actions("ab"), sleep)
        assert [(o.action.id, o.reason) for o in outcomes] == [("a", None), ("b", "status 429")]
        assert sum(sleep.waits) > 120

    def test_a_document_that_fails_takes_none_along_that_the_engine_is_too_busy_for(self, sleep):
        refusing = [lambda id_: 500 if id_ == "p" else 429] * TRIES
        engine = ScriptedEngine(lambda id_: 200 if id_ == "a" else refusing[0](id_), *refusing, 429)
        outcomes = {o.action.id: o.reason for o in send(engine, actions("apbc"), sleep)}
        assert outcomes == {"a": None, "p": "status 500", "b": None, "c": None}

    def test_of_two_documents_that_stay_refused_each_has_its_own_reason(self, sleep):
        engine = ScriptedEngine(
            *[lambda id_: {"p": 500, "b": 429}.get(id_, 200)] * (BUSY_TRIES + 1)
        )
        outcomes = {o.action.id: o.reason for o in send(engine, actions("pab"), sleep)}
        assert outcomes == {"p": "status 500", "a": None, "b": "status 429"}

    @pytest.mark.parametrize(("busy", "status"), [("bcd", 429), ("d", 503)])
    def test_a_shard_that_takes_nothing_is_an_error_though_others_take_theirs(
        self, sleep, busy, status
    ):
        engine = ScriptedEngine(*[lambda id_: status if id_ in busy else 200] * (BUSY_TRIES + 1))
        with pytest.raises(EngineError, match=f"bulk of 'a': status {status}"):
            send(engine, actions("abcd"), sleep)
        assert len(sleep.waits) == BUSY_TRIES - 1

    @pytest.mark.parametrize("status", [429, 503])
    def test_an_engine_that_takes_no_document_at_all_is_an_error(self, sleep, status):
        engine = ScriptedEngine(*[status] * BUSY_TRIES)
        with pytest.raises(EngineError, match=f"bulk of 'a': status {status}"):
            send(engine, actions("ab"), sleep)
        assert engine.stored == {}

    def test_an_engine_that_takes_nothing_more_is_an_error_whatever_it_took_before(self, sleep):
        engine = ScriptedEngine(200, *[429] * 2 * BUSY_TRIES)
        size = len(action("a").body)
        with pytest.raises(EngineError, match="status 429"):
            send(engine, actions("abcd"), sleep, Pace(2 * size))
        assert set(engine.stored) == {"a", "b"}

    def test_a_request_that_was_halved_has_all_its_tries(self, sleep):
        engine = ScriptedEngine(*[refused(413)] * TRIES, *[500] * (TRIES - 1))
        outcomes = send(engine, actions("abcdefgh" * 20), sleep)
        assert all(one.reason is None for one in outcomes)

    def test_a_document_whose_request_alone_is_too_much_fails_alone(self, sleep):
        engine = ScriptedEngine(*[refused(429)] * BUSY_TRIES)
        pace = Pace(1)
        outcomes = send(engine, actions("ab"), sleep, pace)
        assert [(o.action.id, o.reason) for o in outcomes] == [
            ("a", "refused with 429"),
            ("b", None),
        ]

    def test_an_engine_that_is_restarted_is_asked_again(self, sleep):
        away = EngineError("the connection was closed without an answer", away=True)
        engine = ScriptedEngine(away, away)
        assert [o.reason for o in send(engine, actions("ab"), sleep)] == [None, None]
        assert sleep.waits == [0.5, 1]

    def test_answers_for_other_documents_than_were_sent_are_an_error(self, sleep):
        engine = ScriptedEngine()
        engine.bulk = lambda *_: [BulkItem(200)]
        with pytest.raises(
            EngineError, match="2 documents were sent, but the engine answered for 1"
        ):
            send(engine, actions("ab"), sleep)

    @pytest.mark.parametrize("status", [429, 502, 503])
    def test_a_busy_engine_is_asked_again(self, sleep, status):
        engine = ScriptedEngine(refused(status), refused(status))
        outcomes = send(engine, actions("ab"), sleep)
        assert [o.reason for o in outcomes] == [None, None]
        assert sleep.waits == [0.5, 1]

    @pytest.mark.parametrize("status", [500, 503])
    def test_an_engine_that_stays_busy_is_an_error(self, sleep, status):
        engine = ScriptedEngine(*[refused(status)] * BUSY_TRIES)
        with pytest.raises(EngineError, match=f"refused with {status}"):
            send(engine, actions("ab"), sleep)

    @pytest.mark.parametrize("status", [None, 400, 403])
    def test_an_engine_that_refuses_is_an_error_at_once(self, sleep, status):
        engine = ScriptedEngine(refused(status))
        with pytest.raises(EngineError, match=f"refused with {status}"):
            send(engine, actions("ab"), sleep)
        assert (len(engine.requests), sleep.waits) == (1, [])

    def test_a_body_that_is_too_large_is_halved_in_order(self, sleep):
        engine = ScriptedEngine(refused(413), refused(413))
        outcomes = send(engine, actions("abcde"), sleep)
        requests = ["".join(ids) for ids in engine.requests]
        assert requests == ["abcde", "ab", "a", "b", "c", "d", "e"]
        assert "".join(o.action.id for o in outcomes) == "abcde"

    def test_a_single_document_that_is_too_large_fails_alone(self, sleep):
        engine = ScriptedEngine(refused(413), refused(413))
        outcomes = send(engine, actions("ab"), sleep)
        assert [(o.action.id, o.reason) for o in outcomes] == [
            ("a", "refused with 413"),
            ("b", None),
        ]

    def test_halving_keeps_what_was_taken_before(self, sleep):
        engine = ScriptedEngine(lambda id_: 200 if id_ == "a" else 429, refused(413))
        outcomes = send(engine, actions("abc"), sleep)
        assert sorted(o.action.id for o in outcomes) == ["a", "b", "c"]
        assert "".join("".join(ids) for ids in engine.requests[2:]) == "bc"


SPEC = parse_spec("""
index: a
text: [title]
metadata: {price: float}
vectors:
  embedding:
    encoder: {name: precomputed, column: v}
    dimension: 2
    prefixes: [1]
    space: dot
""")
WORDS = parse_spec("""
index: a
text: [title]
vectors: {embedding: {encoder: letters, source: "{title}", dimension: 2, prefixes: [1]}}
""")


class Letters:
    """Two numbers for a text, and never an empty batch: some models fail on one."""

    name = "letters"
    dim = 2

    def encode(self, batch):
        assert batch
        return np.array([[len(text), 1] for text in batch], np.float32)


@pytest.fixture
def failures(tmp_path) -> Iterator[FailureLog]:
    with FailureLog(tmp_path / "f.jsonl") as log:
        yield log


@pytest.fixture
def ingest(failures):
    def ingest_(engine, documents, spec=SPEC, **options):
        if spec is WORDS:
            encoders = {"embedding": Letters()}
        else:
            encoders = {name: load_encoder(vector) for name, vector in spec.vectors.items()}
        report = ingest_records(engine, spec, encoders, documents, failures, **options)
        assert report.read == report.indexed + report.failed
        return report

    return ingest_


def record(row: int, **fields) -> Record:
    return Record(row, row + 1, {"id": str(row), "v": [1, 2], **fields})


def reasons(failures: FailureLog) -> list[tuple[int, str]]:
    failures._file.flush()
    lines = [orjson.loads(line) for line in failures.path.read_bytes().splitlines()]
    return [(line["line"], line["reason"]) for line in lines]


class TestPipeline:
    def test_documents_are_stored_with_their_vectors(self, ingest):
        engine = ScriptedEngine()
        ingest(engine, [record(0, title="shoe", price="9.5")])
        document = {
            "id": "0",
            "title": "shoe",
            "price": 9.5,
            "embedding": [1, 2],
            "embedding_1": [1],
        }
        assert engine.stored == {"0": document}

    def test_an_engine_that_takes_base64_gets_it(self, ingest):
        engine = ScriptedEngine(base64=">f4")
        ingest(engine, [record(0, title="shoe")])
        numbers = np.frombuffer(b64decode(engine.stored["0"]["embedding"]), ">f4")
        assert numbers.tolist() == [1, 2]

    def test_everything_is_counted(self, ingest):
        documents = [
            record(0),
            BadLine(2, "not JSON", "{"),
            record(2, id=None),
            record(3, price="cheap"),
            record(4, v=[1]),
            record(5),
        ]
        refusing = [lambda id_: 400 if id_ == "5" else 200] * 2  # two connections
        report = ingest(ScriptedEngine(*refusing), documents)
        assert (report.read, report.indexed, report.failed) == (6, 1, 5)
        assert report.first_failure == "line 2: not JSON"

    def test_each_failure_is_kept_with_line_and_reason(self, ingest, failures):
        documents = [
            BadLine(1, "not JSON", "{"),
            record(1, v=None),
            record(2),
            record(3, price="x"),
        ]
        report = ingest(ScriptedEngine(400), documents)
        assert report.failures_file == str(failures.path)
        assert sorted(reasons(failures)) == [
            (1, "not JSON"),
            (2, "vector 'embedding' needs 2 numbers in column 'v', found None"),
            (3, "status 400"),
            (4, "field 'price' must be float, found 'x'"),
        ]

    def test_no_failures_name_no_file(self, ingest):
        report = ingest(ScriptedEngine(), [record(0)])
        assert (report.failures_file, report.first_failure) == (None, None)

    @pytest.mark.parametrize(("most", "exact"), [(4, True), (3, False)])
    def test_duplicates_are_exact_while_all_ids_are_remembered(
        self, ingest, monkeypatch, most, exact
    ):
        monkeypatch.setattr(pipeline, "IdSet", partial(IdSet, most=most))
        report = ingest(ScriptedEngine(), [record(row, id=str(row % 4)) for row in range(6)])
        assert report.duplicates_are_exact == exact
        assert not exact or report.duplicates == 2

    @pytest.mark.parametrize("batch_bytes", [1, 300, 1_000_000])
    def test_the_last_of_two_with_one_id_stays(self, ingest, batch_bytes):
        engine = ScriptedEngine()
        documents = [record(i, id=str(i % 3), price=i) for i in range(10)]
        report = ingest(engine, documents, pacing=Pacing(batch_bytes))
        assert {id_: d["price"] for id_, d in engine.stored.items()} == {"0": 9, "1": 7, "2": 8}
        assert (report.indexed, report.duplicates) == (10, 7)

    def test_a_document_without_text_is_stored_without_a_vector(self, ingest):
        engine = ScriptedEngine()
        documents = [record(0, title="shoe"), record(1, title=""), Record(2, 3, {"id": "2"})]
        report = ingest(engine, documents, WORDS)
        assert [id_ for id_, d in engine.stored.items() if "embedding" in d] == ["0"]
        assert (report.indexed, report.without_vector) == (3, 2)

    @pytest.mark.parametrize("field", ["embedding", "embedding_1"])
    def test_a_vector_that_no_encoder_made_is_not_sent(self, ingest, field):
        engine = ScriptedEngine()
        ingest(engine, [record(0, title="", **{field: [float("nan"), 5]})], WORDS)
        assert field not in engine.stored["0"]

    def test_an_encoder_is_not_asked_for_nothing(self, ingest):
        documents = [BadLine(1, "not JSON", "{"), Record(1, 2, {"title": "no id"})]
        assert ingest(ScriptedEngine(), documents, WORDS).failed == 2

    def test_a_spec_without_vectors_is_ingested(self, ingest):
        engine = ScriptedEngine()
        ingest(engine, [record(0, title="shoe")], parse_spec("index: a\ntext: [title]"))
        assert engine.stored["0"]["title"] == "shoe"

    def test_progress_ends_at_the_report(self, ingest):
        seen = []
        documents = [record(i) for i in range(50)]
        report = ingest(ScriptedEngine(), documents, pacing=Pacing(300), on_progress=seen.append)
        assert len(seen) > 5
        assert (seen[-1].read, seen[-1].indexed) == (report.read, report.indexed)

    def test_an_engine_that_goes_away_ends_it(self, ingest):
        engine = ScriptedEngine(200, refused(None))
        with pytest.raises(EngineError, match="refused with None"):
            ingest(engine, (record(i) for i in range(20_000)), pacing=Pacing(300))
        assert len(engine.requests) < 2_000

    def test_a_source_that_breaks_ends_it(self, ingest):
        def broken():
            yield record(0)
            raise InputError("in.jsonl.gz: the gzip file is damaged")

        with pytest.raises(InputError, match="damaged"):
            ingest(ScriptedEngine(), broken())

    def test_a_long_source_is_read_only_a_little_ahead(self, ingest, monkeypatch):
        monkeypatch.setattr(pipeline, "AHEAD_BYTES", 100_000)
        engine = ScriptedEngine()
        ahead = 0

        def endless():
            nonlocal ahead
            for row in range(20_000):
                ahead = max(ahead, row - sum(map(len, engine.requests)))
                yield record(row)

        report = ingest(engine, endless(), pacing=Pacing(10_000))
        assert report.indexed == 20_000
        assert ahead < 5_000  # five chunks in five stages


class Noted(IngestMetrics):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: Counter[tuple[str, object]] = Counter()

    def count_documents(self, fate, count):
        self.told["documents", fate] += count

    def count_retries(self, reason, count):
        self.told["retries", reason] += count

    def observe_bulk(self, seconds, size):
        self.told["bulk", "bytes"] += size
        self.told["bulk", "requests"] += 1

    def observe_encode(self, seconds):
        self.told["encode", "batches"] += 1

    def set_queue(self, stage, depth):
        self.told["depth", stage] = depth
        self.told["set", stage] += 1


class TestMetrics:
    def test_it_says_what_becomes_of_each_document(self, ingest):
        metrics = Noted()
        busy_once = ScriptedEngine(lambda id_: 429 if id_ == "1" else 200)
        report = ingest(busy_once, [record(0), record(1), record(2, id=None)], metrics=metrics)
        assert (report.indexed, report.failed) == (2, 1)
        assert metrics.told["documents", "read"] == 3
        assert metrics.told["documents", "indexed"] == 2
        assert metrics.told["documents", "failed"] == 1
        assert metrics.told["retries", "429"] == 1
        assert metrics.told["bulk", "requests"] == 2
        assert metrics.told["encode", "batches"] == 1

    def test_every_queue_is_empty_at_the_end(self, ingest):
        metrics = Noted()
        ingest(ScriptedEngine(), [record(row) for row in range(2_000)], metrics=metrics)
        for stage in ("encode", "serialise", "send"):
            assert metrics.told["depth", stage] == 0
            assert metrics.told["set", stage] >= 2

    def test_texts_that_the_cache_had_are_counted(self, ingest, tmp_path):
        def once() -> IngestReport:
            cache = CachedEncoder(Letters(), CacheFile(tmp_path / "c.sqlite", 10**6, required=True))
            with FailureLog(tmp_path / "g.jsonl") as failures:
                documents = [record(0, title="shoe"), record(1, title="boot"), record(2, title="")]
                report = ingest_records(
                    ScriptedEngine(), WORDS, {"embedding": cache}, documents, failures
                )
            cache.close()
            return report

        first, second = once(), once()
        assert (first.encoded, first.cached) == (2, 0)
        assert (second.encoded, second.cached) == (0, 2)
