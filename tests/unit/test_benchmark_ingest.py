"""The page of the ingest benchmark says what its rows say."""

from __future__ import annotations

import pytest

from benchmarks.ingest import summarise
from benchmarks.ingest_report import PAGE, RESULTS, build_page
from benchmarks.ingest_watch import Watch, describe
from benchmarks.rows import read_rows

ABOUT = {
    "engine": "E 1",
    "documents": 100,
    "rounds": 1,
    "dataset": "flat",
    "machine": "2 cores, 24 GiB",
    "date": "d",
}
TOOK = {"cpu_seconds": 1.0, "peak_mb": 9.0, "merge_seconds": 5.0}


def build(seconds: dict[str, float], **more: object) -> str:
    rows = [{**ABOUT, **TOOK, **more, "contender": n, "seconds": s} for n, s in seconds.items()]
    return build_page([*rows, {**ABOUT, "contender": "langchain", "missing": "no module"}])


def test_the_page_is_made_from_the_rows():
    rows = read_rows(RESULTS)
    assert rows
    assert PAGE.read_text() == build_page(rows)


def test_a_contender_is_compared_with_the_ceiling_of_its_encoding():
    page = build({"ceiling, JSON": 10.0, "ceiling, base64": 5.0, "kokeshi, base64": 10.0})
    assert "| kokeshi, base64 | 10 | 0.50 | 7 | 0.67 | 10,000 | 9 |" in page
    assert "Not installed, so left out: langchain." in page


@pytest.mark.parametrize(("seconds", "missed"), [(10.0, False), (10.5, False), (10.6, True)])
def test_what_is_below_its_share_of_the_ceiling_is_said(seconds, missed):
    page = build({"ceiling, JSON": 10.0, "kokeshi, JSON": seconds})
    assert ("**Missed**: kokeshi, JSON reaches 0.94" in page) == missed


def test_it_is_said_what_the_client_leaves_of_shared_cores():
    rows = [
        {**ABOUT, **TOOK, "contender": "ceiling, JSON", "seconds": 10.0, "cpu_seconds": 0.0},
        {**ABOUT, **TOOK, "contender": "kokeshi, JSON", "seconds": 15.0, "cpu_seconds": 5.0},
    ]
    assert "50000 µs a document more" in build_page(rows)
    assert "0.80 is the most that leaves, and 0.95 would leave the client 10526 µs" in build_page(
        rows
    )


def test_the_median_of_the_rounds_is_kept_with_the_stages_of_that_round():
    rows = [{"seconds": s, "stages": {"both": s}} for s in (3.0, 1.0, 2.0)]
    assert summarise(rows) == {"seconds": 2.0, "stages": {"both": 2.0}}


@pytest.mark.parametrize(
    ("waiting", "bottleneck"),
    [
        ({"encode": 1, "serialise": 0, "send": 0}, "encode"),
        ({"encode": 1, "serialise": 1, "send": 1}, "send"),
        ({"encode": 0, "serialise": 0, "send": 0}, "read"),
    ],
)
def test_the_bottleneck_is_behind_the_last_queue_that_is_filled(waiting, bottleneck):
    watch = Watch()
    watch.encoding, watch.sending = [(1.0, 3.0)], [(2.0, 5.0)]
    watch.depths = [(0.5, stage, depth) for stage, depth in waiting.items()]
    found = describe(watch)
    assert (found["encoding"], found["sending"], found["both"]) == (0.5, 0.75, 0.25)
    assert found["bottleneck"] == bottleneck


def test_a_queue_is_filled_from_one_change_to_the_next():
    watch = Watch()
    watch.encoding, watch.sending = [(0.0, 4.0)], [(0.0, 4.0)]
    watch.depths = [(1.0, "send", 2), (2.0, "encode", 1), (3.0, "send", 0)]
    assert describe(watch)["waiting"] == {"encode": 0.5, "serialise": 0.0, "send": 0.5}
