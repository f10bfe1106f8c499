"""The main job as a user does it: one command compares three rankings, a browser opens the report."""

from __future__ import annotations

import gzip
import json

import pytest
from typer.testing import CliRunner

from kokeshi import Index
from kokeshi.cli.eval import app
from kokeshi.schema import parse_spec
from tests.browser.test_report import View

SPEC = """
index: kokeshi-browser-icecat
text: {title: , description: , brand: }
metadata: {price: float, brand: keyword}
vectors:
  embedding: {encoder: wordllama, source: "{title}. {description}", dimension: 256, prefixes: [128]}
"""


@pytest.fixture
def catalogue(engine, data_folder, tmp_path):
    """The spec's path; the index has the first 5,000 products, of which many are judged."""
    products = tmp_path / "products.jsonl"
    with gzip.open(data_folder / "icecat" / "products.jsonl.gz", "rt", encoding="utf-8") as lines:
        products.write_text("".join(line for _, line in zip(range(5_000), lines, strict=False)))
    spec = tmp_path / "kokeshi.yaml"
    spec.write_text(SPEC)
    index = Index(parse_spec(SPEC), engine)
    index.ingest(products, recreate=True)
    yield spec
    engine.delete_index(index.spec.index)


@pytest.mark.engine
@pytest.mark.data
def test_one_command_and_a_report(browser, engine_url, catalogue, data_folder, tmp_path):
    page, saved = tmp_path / "report.html", tmp_path / "run.json"
    arguments = ["compare", "-s", str(catalogue), "--url", engine_url, "-b", "bm25"]
    arguments += ["-c", "hybrid", "-c", "two-stage", "-o", str(page), "-o", str(saved)]
    arguments += ["-j", str(data_folder / "icecat" / "judgments.csv")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    evaluation = json.loads(saved.read_text())
    assert len(evaluation["queries"]) == 135
    view = View(browser, page)
    log = browser.get_log("browser")
    assert [entry for entry in log if entry["level"] == "SEVERE"] == []
    assert [url for url in view.requests() if not url.startswith("data:")] == [page.as_uri()]
    text = view.run("return document.body.innerText")
    for candidate in evaluation["candidates"]:
        assert candidate["system"]["label"] in text
        assert candidate["decision"]["verdict"].lower() in text.lower()
