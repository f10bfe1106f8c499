"""What a change may be, what several of one id come to, and what is sent when the engine is in trouble."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from kokeshi import Index, MemoryEngine
from kokeshi.changes import applying as applying_module
from kokeshi.changes.folding import Shape, Step, fold, fold_read
from kokeshi.changes.model import MOST, Change, ChangeReport, parse_change
from kokeshi.cli.main import app
from kokeshi.encoders import Record
from kokeshi.engines import Call, calls
from kokeshi.engines.calls import Stored
from kokeshi.errors import EngineError, InputError
from kokeshi.ingest import BadLine, Pacing
from kokeshi.ingest.actions import Failure
from kokeshi.metrics import IngestMetrics
from kokeshi.schema import EncoderSpec, parse_spec

SPEC = parse_spec("""
index: shoes
id: sku
text: [title]
metadata: {price: float, stock: integer}
vectors:
  v: {encoder: {name: precomputed, column: w}, dimension: 2, space: dot}
""")


def parse(change: dict[str, Any], line: int = 3) -> Change | Failure:
    return parse_change(Record(line - 1, line, change), SPEC)


class TestParsing:
    @pytest.mark.parametrize(
        ("change", "id_", "document", "version"),
        [
            ({"op": "index", "document": {"sku": 7}}, "7", {"sku": 7}, None),
            (
                {"op": "index", "id": "a", "document": {"price": "1.5"}},
                "a",
                {"sku": "a", "price": 1.5},
                None,
            ),
            (
                {"op": "update", "id": "a", "version": 0, "document": {"price": "", "title": ""}},
                "a",
                {"price": None, "title": ""},
                0,
            ),
            (
                {"op": "update", "id": "a", "document": {"sku": "a", "stock": None}},
                "a",
                {"stock": None},
                None,
            ),
            ({"op": "delete", "id": 7, "version": MOST}, "7", {}, MOST),
            ({"op": "delete", "id": "a", "version": None, "document": None}, "a", {}, None),
        ],
    )
    def test_a_change_has_its_id_and_typed_fields(self, change, id_, document, version):
        found = parse(change)
        assert isinstance(found, Change)
        assert (found.op, found.id, found.document, found.version) == (
            change["op"],
            id_,
            document,
            version,
        )

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({}, "op None: one of index, update, delete is expected"),
            ({"op": "upsert", "id": "a"}, "op 'upsert'"),
            ({"op": ["index"]}, r"op \['index'\]"),
            ({"op": "delete", "id": "a", "price": 3}, "'price' is no part of a change"),
            ({"op": "delete"}, "op delete needs the id"),
            ({"op": "update", "document": {"sku": "a"}}, "op update needs the id"),
            ({"op": "delete", "id": ["a"]}, r"must be a text or an integer, found \['a'\]"),
            ({"op": "delete", "id": "a", "document": {}}, "a delete has none"),
            ({"op": "index", "id": "a"}, "document None: an object is expected, with every field"),
            ({"op": "update", "id": "a", "document": [1]}, r"document \[1\]: .*fields to update"),
            ({"op": "index", "id": "a", "document": {"sku": "b"}}, "id 'a': .*'sku' is 'b'"),
            (
                {"op": "update", "id": "a", "document": {"price": "dear"}},
                "field 'price' must be float",
            ),
            *(
                (
                    {"op": "delete", "id": "a", "version": version},
                    "version .*from 0 to 9223372036854775807",
                )
                for version in (-1, True, 1.0, "3", MOST + 1)
            ),
        ],
    )
    def test_what_is_no_change_is_a_dead_letter_as_it_was(self, change, reason):
        found = parse(change)
        assert isinstance(found, Failure)
        assert (found.line, found.row, found.document) == (3, 2, change)
        with pytest.raises(InputError, match=reason):
            raise InputError(found.reason)

    def test_a_line_that_is_not_json_is_a_dead_letter_too(self):
        found = parse_change(BadLine(4, "not JSON", "{"), SPEC)
        assert found == Failure(4, "not JSON", "{")


def make(op: str, version: int | None = None, **document: Any) -> Change:
    change: dict[str, Any] = {"op": op, "id": "a", "version": version}
    found = parse(change | ({} if op == "delete" else {"document": document}))
    assert isinstance(found, Change)
    return found


@pytest.fixture(scope="module")
def shape() -> Shape:
    return Shape(SPEC, Index(SPEC, MemoryEngine()).encoders)


class TestFolding:
    @pytest.mark.parametrize(
        ("changes", "op", "fields", "fates"),
        [
            (
                [make("update", price=1), make("update", price=2, stock=3)],
                "update",
                {"price": 2, "stock": 3},
                ["updated", "updated"],
            ),
            (
                [make("delete"), make("index", price=1), make("update", title="x")],
                "index",
                {"sku": "a", "price": 1, "title": "x"},
                ["deleted", "indexed", "updated"],
            ),
            (
                [make("update", w=[1, 2]), make("delete"), make("update", price=1)],
                "delete",
                {},
                ["updated", "deleted", "absent"],
            ),
            (
                [make("index", 5, price=5), make("delete", 4), make("index", 5, price=6)],
                "index",
                {"sku": "a", "price": 6},
                ["indexed", "stale", "indexed"],
            ),
        ],
    )
    def test_nothing_is_read_where_it_is_not_needed(self, shape, changes, op, fields, fates):
        step = fold(changes, shape)
        assert isinstance(step, Step)
        assert (step.op, step.fields, step.fates) == (op, fields, fates)

    @pytest.mark.parametrize(
        "changes",
        [
            [make("update", 3, price=1)],
            [make("index", 2), make("update", 3, price=1)],
            [make("update", w=[1, 2])],
            [make("update", price=1), make("update", w=[1, 2])],
            [make("index"), make("delete", 3)],
        ],
    )
    def test_what_depends_on_the_document_is_read(self, shape, changes):
        assert fold(changes, shape) is None

    def test_what_a_document_says_of_a_vector_itself_is_not_taken(self, shape):
        step = fold([make("update", price=1, v=[9, 9])], shape)
        assert step is not None
        assert step.fields == {"price": 1}

    def test_changes_without_versions_count_up_from_the_one_that_is_there(self, shape):
        stored = Stored("a", {"sku": "a", "price": 1}, 7, {"if_seq_no": 4, "if_primary_term": 1})
        plain = [make("update", price=2), make("update", w=[1, 2])]
        assert fold_read(plain, stored, shape).condition == stored.condition
        mixed = [make("update", 7, price=2), make("update", stock=3), make("update", 7, price=4)]
        step = fold_read(mixed, stored, shape)
        assert step.fates == ["updated", "updated", "stale"]
        assert step.fields == {"sku": "a", "price": 2, "stock": 3}
        assert step.condition == {"version": 8, "version_type": "external_gte"}

    def test_a_delete_of_nothing_is_sent_for_its_version(self, shape):
        step = fold_read([make("update", 3, price=1), make("delete", 4)], Stored("a"), shape)
        assert (step.op, step.fates) == ("delete", ["absent", "missing"])
        assert step.condition["version"] == 4


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
def index(engine: MemoryEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    monkeypatch.chdir(tmp_path)
    index = Index(SPEC, engine)
    index.create()
    return index


def write(*changes: dict[str, Any]) -> Path:
    path = Path("changes.jsonl")
    path.write_bytes(b"\n".join(map(orjson.dumps, changes)))
    return path


def whole(id_: str, version: int | None = None, **fields: Any) -> dict[str, Any]:
    return {"op": "index", "version": version, "document": {"sku": id_, "w": [1, 2]} | fields}


def some(id_: str, version: int | None = None, **fields: Any) -> dict[str, Any]:
    return {"op": "update", "id": id_, "version": version, "document": fields}


def stored(index: Index) -> dict[str, Any]:
    """The source of the document `a`."""
    answer = index.engine.perform(calls.get_documents("shoes", ["a"], ask_for_vectors=False))
    return answer[0].source


def fail(engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Call[Any]], bool]):
    """Let calls fail, as long as `fault` says so, with an engine that is busy."""
    perform = engine.perform

    def perform_or_fail(call: Call[Any]) -> Any:
        if fault(call):
            raise EngineError("busy", status=503)
        return perform(call)

    monkeypatch.setattr(engine, "perform", perform_or_fail)


class TestApplying:
    def test_reads_and_writes_wait_for_an_engine_that_is_busy(self, index, engine, monkeypatch):
        index.apply(write(whole("a")))
        left = {"get_documents": 3, "bulk": 2}

        def fault(call: Call[Any]) -> bool:
            left[call.operation] = left.get(call.operation, 0) - 1
            return left[call.operation] >= 0

        fail(engine, monkeypatch, fault)
        monkeypatch.setattr("kokeshi.ingest.sending.FIRST_WAIT_S", 0)
        assert index.apply(write(some("a", 9, price=4))).updated == 1
        assert index.count("price = 4") == 1

    def test_an_engine_that_stays_away_ends_it_and_the_same_again_completes_it(
        self, index, engine, monkeypatch
    ):
        changes = write(*(whole(f"p{n}", 5) for n in range(300)), some("p7", 6, price=1))
        down = [True]
        fail(engine, monkeypatch, lambda call: down[0] and call.operation == "get_documents")
        monkeypatch.setattr(applying_module, "BUSY_TRIES", 1)
        with pytest.raises(EngineError, match="busy"):
            index.apply(changes)
        down[0] = False
        report = index.apply(changes)
        assert (report.indexed, report.updated, index.count()) == (300, 1, 300)

    @pytest.mark.parametrize("version", [None, 9])
    def test_a_vector_whose_column_has_its_name_is_kept_and_can_be_updated(
        self, engine, tmp_path, monkeypatch, version
    ):
        monkeypatch.chdir(tmp_path)
        vector = SPEC.vectors["v"].model_copy(
            update={"encoder": EncoderSpec(name="precomputed", column="v")}
        )
        index = Index(SPEC.model_copy(update={"vectors": {"v": vector}}), engine)
        index.apply(write({"op": "index", "document": {"sku": "a", "v": [1, 2]}}))
        assert index.apply(write(some("a", version, price=4))).updated == 1
        assert stored(index) == {"sku": "a", "v": [1, 2], "price": 4}
        assert index.apply(write(some("a", version, v=[3, 4]))).updated == 1
        assert stored(index) == {"sku": "a", "v": [3, 4], "price": 4}

    def test_an_id_of_null_or_of_another_type_ends_nothing(self, index):
        report = index.apply(
            write(
                {"op": "index", "id": "a", "document": {"sku": None, "w": [1, 2]}},
                {"op": "index", "id": "True", "document": {"sku": True, "w": [1, 2]}},
                {"op": "index", "id": "1.0", "document": {"sku": 1.0, "w": [1, 2]}},
            )
        )
        assert (report.indexed, report.failed) == (1, 2)
        assert stored(index)["sku"] == "a"

    def test_batches_and_connections_change_nothing(self, index, monkeypatch):
        monkeypatch.setattr(applying_module, "BATCH_CHANGES", 7)
        monkeypatch.setattr(applying_module, "SEVERAL", 2)
        monkeypatch.setattr(applying_module, "PART", 3)
        changes = [whole(f"p{n % 5}", n, price=n) for n in range(1, 40)]
        changes += [some(f"p{n % 5}", n, price=n) for n in range(40, 60)]
        seen = []
        report = index.apply(
            write(*changes), pacing=Pacing(200, 3), on_progress=lambda one: seen.append(one.read)
        )
        assert (report.indexed, report.updated) == (39, 20)
        assert seen == [*range(7, 59, 7), 59]
        assert [index.count(f"price = {n}") for n in range(54, 60)] == [0, 1, 1, 1, 1, 1]

    def test_changes_by_others_are_met_a_few_times_only(self, index, engine, monkeypatch):
        index.apply(write(whole("a")))
        perform = engine.perform

        def interfere(call: Call[Any]) -> Any:
            found = perform(call)
            if call.operation == "get_documents":
                engine.bulk("shoes", b'{"update":{"_id":"a"}}\n{"doc":{"stock":1}}\n')
            return found

        monkeypatch.setattr(engine, "perform", interfere)
        report = index.apply(write(some("a", w=[3, 4])))
        assert report.failed == 1
        assert "changed by others meanwhile, 5 times" in str(report.first_failure)

    def test_metrics_count_what_the_report_counts(self, index):
        counts: dict[str, int] = {}

        class Metrics(IngestMetrics):
            def count_documents(self, fate: str, count: int) -> None:
                counts[fate] = counts.get(fate, 0) + count

        changes = [whole("a", 5), whole("a", 4), some("a", 6, price=1), some("b", price=1)]
        changes += [{"op": "delete", "id": id_} for id_ in "ac"]
        report = index.apply(write(*changes), metrics=Metrics())
        shown = report.to_json()
        assert counts == {fate: shown[fate] for fate in counts}
        assert report.read == sum(counts.values()) - report.read == 6

    def test_vectors_of_a_npy_file_stay_and_no_change_takes_a_row_of_it(
        self, tmp_path, monkeypatch
    ):
        """Changes have lines, or a partition of a topic: neither is the row of a document."""
        monkeypatch.chdir(tmp_path)
        np.save("rows.npy", np.array([[1, 2], [3, 4]], np.float32))
        encoder = {"name": "precomputed", "file": "rows.npy"}
        vectors = {"v": {"encoder": encoder, "dimension": 2, "space": "l2"}}
        text = orjson.dumps({"index": "rows", "metadata": {"price": "float"}, "vectors": vectors})
        index = Index(parse_spec(text.decode()), MemoryEngine())
        Path("documents.jsonl").write_text('{"id": "a"}\n{"id": "b"}\n')
        index.ingest("documents.jsonl")
        report = index.apply(
            write(
                some("a", price=1),
                {"op": "index", "document": {"id": "c"}},
                some("a", 7, price=2),
                {"op": "delete", "id": "b"},
            )
        )
        assert (report.updated, report.deleted, report.failed) == (2, 1, 1)
        reason = "vector 'v' has no row in the .npy file, which is for the documents of one source"
        assert reason in str(report.first_failure)
        call = calls.get_documents("rows", ["a", "b", "c"], ask_for_vectors=False)
        found = [one.source for one in index.engine.perform(call)]
        assert found == [{"id": "a", "price": 2, "v": [1, 2]}, None, None]

    def test_only_jsonl_has_changes(self, index, tmp_path):
        path = tmp_path / "changes.csv"
        path.write_text("op,id\ndelete,a\n")
        with pytest.raises(InputError, match="changes are read from JSONL, not csv"):
            index.apply(path)

    def test_dead_letters_of_changes_and_of_documents_are_not_mixed_up(self, index):
        report = index.apply(write(some("a", price=1)))
        with pytest.raises(InputError, match="line, id, reason and document"):
            index.retry_failures(report.failures_file)
        Path("documents.jsonl").write_text('{"title": "no id"}')
        failed = index.ingest("documents.jsonl")
        with pytest.raises(InputError, match="line, id, reason and change"):
            index.retry_changes(failed.failures_file)

    def test_dead_letters_that_are_applied_leave_the_file(self, index):
        report = index.apply(write(some("a", 6, price=1)))
        letters = Path(report.failures_file).rename("letters.jsonl")
        index.apply(write(whole("a", 5)))
        assert index.retry_changes(letters).updated == 1
        assert not letters.exists()


def test_counts_add_up_and_the_first_failure_stays():
    one = ChangeReport(read=2, indexed=1, failed=1, failures_file="f", first_failure="line 1: a")
    two = ChangeReport(read=3, deleted=2, failed=1, failures_file="f", first_failure="line 9: b")
    both = one + two
    assert (both.read, both.changed, both.failed) == (5, 3, 2)
    assert both.first_failure == "line 1: a"


class TestCommand:
    @pytest.mark.parametrize("given", [[], ["c.jsonl", "--retry-dead-letters", "d.jsonl"]])
    def test_one_file_is_asked_for(self, given):
        found = CliRunner().invoke(app, ["apply", *given])
        assert isinstance(found.exception, InputError)
        assert "either FILE or --retry-dead-letters" in str(found.exception)
