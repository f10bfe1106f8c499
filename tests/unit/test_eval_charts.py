"""Charts: what they are made of, and that they can be drawn."""

from __future__ import annotations

import re
import sys

import orjson
import pytest

from kokeshi.errors import MissingExtraError
from kokeshi_eval.charts import build_charts, list_charts
from kokeshi_eval.charts.chart import GREY, PALETTE
from kokeshi_eval.images import draw_png, draw_svg
from kokeshi_eval.records import build_records
from tests.evaluations import build_evaluation

RECORDS = build_records(build_evaluation())
CHARTS = build_charts(RECORDS)
MARK = r'aria-roledescription="(?:point|bar|(?:rule|area|text) mark)"'
NAMES = ["delta", "distribution", "impact", "slices", "latency"]


def luminance(colour: str) -> float:
    """Of sRGB, as WCAG 2.1 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_there_is_every_chart():
    assert list(CHARTS) == NAMES == [chart.name for chart in list_charts("x")]


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_has_data_a_description_and_no_theme_of_its_own(name):
    spec = CHARTS[name].spec
    assert spec["data"]["values"]
    assert spec["description"].endswith(".")
    assert not {"config", "title", "background", "facet"} & set(spec)
    assert orjson.loads(orjson.dumps(spec)) == spec


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_is_drawn(name):
    svg = draw_svg(CHARTS[name], width=300)
    assert CHARTS[name].title in svg
    assert len(re.findall(MARK, svg)) > len(CHARTS[name].spec["layer"])


def test_a_chart_is_drawn_as_an_image():
    assert draw_png(CHARTS["latency"], width=100, scale=1).startswith(b"\x89PNG")


def test_charts_draw_the_main_measure_alone():
    values = CHARTS["delta"].spec["data"]["values"]
    main = [r for r in RECORDS if r["kind"] == "query" and r["main"] and r["delta"] is not None]
    assert [value["delta"] for value in values] == [record["delta"] for record in main]
    assert "nDCG@10" in CHARTS["delta"].description


def test_every_query_is_counted_once():
    svg = draw_svg(CHARTS["distribution"])
    counts = [int(n) for n in re.findall(r'aria-label="[^"]*queries: (\d+)', svg)]
    assert sum(counts) == len(CHARTS["distribution"].spec["data"]["values"])


def test_a_chart_without_figures_is_left_out():
    quick = [{**r, "latency_p50": None} if r["kind"] == "system" else r for r in RECORDS]
    assert list(build_charts(quick)) == NAMES[:-1]
    assert list(build_charts([r for r in quick if r["kind"] != "slice"])) == NAMES[:-2]


def test_ties_alone_can_be_drawn():
    ties = [r | {"delta": 0.0} if r["kind"] == "query" else r for r in RECORDS]
    assert "NaN" not in draw_svg(build_charts(ties)["distribution"])


@pytest.mark.parametrize("page", ["#ffffff", "#1b1b1b"])
def test_colours_stand_out_on_light_and_dark_pages(page):
    assert min(contrast(colour, page) for colour in (*PALETTE[:4], GREY)) >= 3


def test_images_without_the_extra_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingExtraError, match=r"kokeshi\[report\]"):
        draw_svg(CHARTS["delta"])
