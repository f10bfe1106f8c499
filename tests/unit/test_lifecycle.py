"""What a rebuild may be told, and how its counts are judged."""

from __future__ import annotations

import pytest

from kokeshi import Index, MemoryEngine
from kokeshi.changes.model import ChangeReport
from kokeshi.errors import CapabilityError, InputError
from kokeshi.ingest import IngestReport
from kokeshi.lifecycle import ReindexOptions, Snapshots, reindex
from kokeshi.lifecycle.checks import check_count, check_differences, check_source
from kokeshi.schema import parse_spec


def report(indexed: int, failed: int = 0, duplicates: int = 0) -> IngestReport:
    first = "line 3: not JSON" if failed else None
    return IngestReport(indexed + failed, indexed, failed, duplicates, 0, 1.0, None, first)


@pytest.mark.parametrize(
    ("count", "ingested", "passed"),
    [
        (100, report(100), True),
        (90, report(100, duplicates=10), True),
        (99, report(100), False),
        (101, report(100), False),
        (99, report(99, failed=1), True),
        (98, report(98, failed=2), False),
        (0, report(0), False),
    ],
)
def test_an_index_holds_each_id_of_its_source_once(
    count: int, ingested: IngestReport, passed: bool
) -> None:
    check = check_source(count, ingested, tolerance=0.01)
    assert check.passed is passed
    assert (
        f"{count:,} documents of {ingested.indexed - ingested.duplicates:,} distinct" in check.found
    )
    assert ("line 3: not JSON" in check.found) is (ingested.failed > 1)


@pytest.mark.parametrize(
    ("new", "old", "passed"),
    [(100, 100, True), (99, 100, True), (98, 100, False), (500, 100, True)],
)
def test_an_index_holds_no_fewer_than_before(new: int, old: int, passed: bool) -> None:
    assert check_count(new, old, tolerance=0.01).passed is passed


@pytest.mark.parametrize(("new", "passed"), [(100, True), (60, True), (59, False)])
def test_an_index_may_lack_what_differences_deleted(new: int, passed: bool) -> None:
    check = check_count(new, 100, tolerance=0, deleted=40)
    assert check.passed is passed
    assert "40 were deleted by differences" in check.found


def test_differences_that_fail_are_told() -> None:
    counts = ChangeReport(read=4, updated=2, deleted=1, failed=1, first_failure="line 3: not JSON")
    check = check_differences("late.jsonl", counts, tolerance=0.01)
    assert check.passed is False
    assert check.found == (
        "0 indexed, 2 updated, 1 deleted of 4 changes of late.jsonl; 1 failed (line 3: not JSON)"
    )
    assert check_differences("late.jsonl", counts, tolerance=0.25).passed


@pytest.mark.parametrize(
    "options",
    [
        {"keep": -1},
        {"tolerance": 1.5},
        {"tolerance": float("nan")},
        {"min_recall": 2},
        {"sample": -5},
    ],
)
def test_options_out_of_range_are_named(options: dict) -> None:
    (name,) = options
    with pytest.raises(InputError, match=rf"{name} .*: 0 to \d+ is expected"):
        ReindexOptions(**options)


def test_the_memory_engine_has_no_versions(tmp_path) -> None:
    path = tmp_path / "shoes.jsonl"
    path.write_text('{"id": "a"}\n')
    index = Index(parse_spec("{index: shoes, text: [title]}"), MemoryEngine())
    with pytest.raises(CapabilityError, match="use OpenSearch or Elasticsearch"):
        reindex(index, path)
    with pytest.raises(CapabilityError, match="use OpenSearch or Elasticsearch"):
        Snapshots(index.engine).list()
