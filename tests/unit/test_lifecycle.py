"""What a rebuild may be told, and how its counts are judged."""

from __future__ import annotations

import pytest

from kokeshi import Index, MemoryEngine
from kokeshi.changes.model import ChangeReport
from kokeshi.errors import CapabilityError, InputError
from kokeshi.ingest import IngestReport
from kokeshi.lifecycle import ReindexOptions, Snapshots, reindex
from kokeshi.lifecycle.checks import (
    Check,
    VectorCounts,
    check_count,
    check_differences,
    check_source,
    check_vectors,
)
from kokeshi.schema import parse_spec


def report(
    indexed: int, failed: int = 0, duplicates: int = 0, *, exact: bool = True
) -> IngestReport:
    first = "line 3: not JSON" if failed else None
    read = indexed + failed
    return IngestReport(
        read, indexed, failed, duplicates, 0, 1.0, None, first, duplicates_are_exact=exact
    )


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
    ("count", "ingested", "passed"),
    [
        (90, report(100, duplicates=10, exact=False), True),
        (89, report(100, duplicates=0, exact=False), False),
        (990, report(1100, duplicates=100, exact=False), True),
        (989, report(1100, duplicates=100, exact=False), False),
        (1001, report(1100, duplicates=100, exact=False), False),
        (1000, report(1100, failed=100, duplicates=100, exact=False), False),
        (0, report(0, exact=False), False),
    ],
)
def test_an_index_may_hold_a_little_less_where_repeats_are_not_all_counted(
    count: int, ingested: IngestReport, passed: bool
) -> None:
    check = check_source(count, ingested, tolerance=0.01)
    assert check.passed is passed
    expected = ingested.indexed - ingested.duplicates
    assert check.found.startswith(
        f"{count:,} documents of at most {expected:,} distinct ids, too many to find every repeat, so "
        f"that 1.0% fewer pass; {ingested.failed:,} failed"
    )


def vectors(new: tuple[int, int], old: tuple[int, int] | None, tolerance: float = 0.01) -> Check:
    """Check (documents, those that have the vector `title`); all have the vector `image`."""
    counts = [
        found and VectorCounts(found[0], {"image": found[0], "title": found[1]})
        for found in (new, old)
    ]
    assert counts[0] is not None
    return check_vectors(counts[0], counts[1], tolerance)


@pytest.mark.parametrize(
    ("new", "old", "passed"),
    [
        ((100, 100), (100, 100), True),
        ((100, 99), (200, 200), True),
        ((100, 98), (200, 200), False),
        ((100, 98), (200, 190), True),
        ((100, 1), None, True),
        ((100, 0), None, False),
        ((100, 0), (100, 0), False),
        ((100, 1), (0, 0), True),
        ((100, 1), (100, 0), True),  # what is served has no such vector
    ],
)
def test_about_as_many_documents_as_before_have_a_vector(
    new: tuple[int, int], old: tuple[int, int] | None, passed: bool
) -> None:
    check = vectors(new, old)
    assert (check.name, check.passed) == ("vectors", passed)
    assert check.found.startswith(f"of 100 documents 100 have image, {new[1]:,} have title")


def test_a_vector_that_was_lost_is_named_with_a_remedy() -> None:
    assert vectors((100, 0), None).found.endswith(
        "0 have title; at least one is expected: look at the source of vectors.title"
    )
    assert vectors((100, 90), (100, 99)).found.endswith(
        "; 99.0% of what is served now have title, more by over 1.0%: look at the source of vectors.title"
    )
    assert vectors((100, 90), (100, 99), tolerance=0.1).passed


@pytest.mark.parametrize(
    ("source", "then"),
    [
        ("all.jsonl", ["01/late.jsonl", "02/late.jsonl"]),
        ("a/shop.csv", ["b/shop.jsonl.gz"]),
    ],
)
def test_two_sources_with_one_file_of_failures_are_refused(
    tmp_path, source: str, then: list[str]
) -> None:
    for name in (source, *then):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'{"id": "a"}\n')
    index = Index(parse_spec("{index: shoes, text: [title]}"), MemoryEngine())
    with pytest.raises(
        InputError, match=r"what fails of both .* in \w+\.failures\.jsonl.*rename one"
    ):
        reindex(index, tmp_path / source, then=[tmp_path / name for name in then])


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
