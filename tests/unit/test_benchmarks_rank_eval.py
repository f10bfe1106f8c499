from __future__ import annotations

from benchmarks.rank_eval_report import DOCUMENT, RESULTS, build_document
from benchmarks.rows import read_rows


def test_the_page_is_made_from_the_rows():
    assert build_document(read_rows(RESULTS)) == DOCUMENT.read_text("utf-8")
