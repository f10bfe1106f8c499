"""The icecat catalogue: everything is indexed, and the default plan keeps what it promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kokeshi import Index
from kokeshi.cli.tune import read_queries
from kokeshi.demo.specs import SPECS
from kokeshi.plans import find_plan
from kokeshi.schema import load_spec
from kokeshi.tune import choose, measure_curve, measure_plans, sample_texts

pytestmark = [pytest.mark.engine, pytest.mark.data]

PRODUCTS = 19_406


@pytest.fixture(scope="module")
def index(engine, data_folder: Path) -> Iterator[Index]:
    spec = load_spec(SPECS / "icecat.yaml").model_copy(update={"index": "test-icecat"})
    index = Index(spec, engine)
    report = index.ingest(data_folder / "icecat" / "products.jsonl.gz", recreate=True)
    assert (report.read, report.indexed, report.failed) == (PRODUCTS, PRODUCTS, 0)
    yield index
    engine.delete_index(spec.index)


def test_every_product_is_counted(index: Index):
    assert index.count() == PRODUCTS


def test_the_default_plan_keeps_99_percent_on_titles_and_on_judged_queries(index, data_folder):
    default = find_plan(index.spec, None)
    titles = sample_texts(index, "title", 200, seed=1)
    judged = read_queries(data_folder / "icecat" / "judgments.csv")
    assert len(judged) == 135
    for queries in (titles, judged):
        curve = measure_plans(index, queries, [default])
        assert curve.cells[1].recall >= 0.99


def test_the_curve_rises_with_k_and_dims(index, data_folder):
    judged = read_queries(data_folder / "icecat" / "judgments.csv")
    curve = measure_curve(index, judged, ks=(50, 200, 800))
    by_k = [[curve.find(dims, k).recall for k in (50, 200, 800)] for dims in (64, 128)]
    assert all(row == sorted(row) for row in by_k)
    assert all(short < long for short, long in zip(*by_k, strict=True))
    # what exact shortlists keep: the graph, and its values of 7 bits, may miss some of it, and ties
    # may add to it
    for dims, k, exact_shortlist in ((64, 200, 0.967), (64, 800, 0.993), (128, 200, 0.998)):
        assert curve.find(dims, k).recall == pytest.approx(exact_shortlist, abs=0.025)


def test_the_choice_is_the_fastest_that_reaches_the_target(index):
    curve = measure_curve(index, sample_texts(index, "title", 30, seed=2), ks=(50, 800))
    chosen = choose(curve, 0.9)
    assert chosen is not None
    assert chosen.recall >= 0.9
    others = [cell for cell in curve.cells if cell.dims and cell.recall >= 0.9]
    assert chosen.p50_ms <= 1.1 * min(cell.p50_ms for cell in others)
    assert choose(curve, 1.01) is None
