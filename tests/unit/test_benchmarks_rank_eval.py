from __future__ import annotations

from benchmarks.rank_eval_report import DOCUMENT, RESULTS, build_document
from benchmarks.rows import read_rows


def test_the_page_is_made_from_the_rows():
    assert build_document(read_rows(RESULTS)) == DOCUMENT.read_text("utf-8")


def test_batches_take_at_most_a_third_of_the_time_of_one_request_each():
    ways = [row for row in read_rows(RESULTS) if row["row"] == "ways"]
    assert ways
    assert all(row["queries"] >= 1_000 and row["ratio"] <= 1 / 3 for row in ways)
