"""The page of the ingest benchmark says what its rows say."""

from __future__ import annotations

from benchmarks.ingest import PAGE, RESULTS, build_page
from benchmarks.rows import read_rows


def test_the_page_is_made_from_the_rows():
    rows = read_rows(RESULTS)
    assert rows
    assert PAGE.read_text() == build_page(rows)


def test_a_contender_is_compared_with_the_ceiling_of_its_encoding():
    about = {
        "engine": "E 1",
        "documents": 100,
        "rounds": 1,
        "dataset": "flat",
        "machine": "m",
        "date": "d",
    }
    took = {"cpu_seconds": 1.0, "peak_mb": 9.0, "merge_seconds": 5.0}
    seconds = {"ceiling, JSON": 10.0, "ceiling, base64": 5.0, "kokeshi, base64": 10.0}
    rows = [{**about, **took, "contender": name, "seconds": s} for name, s in seconds.items()]
    rows.append({**about, "contender": "langchain", "missing": "no module"})
    page = build_page(rows)
    assert "| kokeshi, base64 | 10 | 0.50 | 7 | 0.67 | 1.0 | 9 |" in page
    assert "Not installed, so left out: langchain." in page
