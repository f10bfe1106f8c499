"""Every chart of the dashboards, drawn from a real engine as the products' plug-ins do it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import vl_convert

from kokeshi.engines import Engine
from kokeshi_eval.charts import list_charts
from kokeshi_eval.dashboards import build_ndjson
from kokeshi_eval.images import VEGA_LITE
from kokeshi_eval.store import INDEX, build_store, save_evaluation
from tests.evaluations import build_evaluation

pytestmark = pytest.mark.engine

EVALUATION = build_evaluation()
OLDER = EVALUATION.model_copy(update={"id": "older", "created": "2026-01-01T00:00:00+00:00"})
CHARTS = [chart.name for chart in list_charts("x")]
PRODUCTS = ("kibana", "opensearch-dashboards")
HIT = "_source"


@pytest.fixture(scope="module")
def stored(engine) -> Iterator[Engine]:
    engine.delete_index(INDEX)
    save_evaluation(engine, OLDER)
    save_evaluation(engine, EVALUATION)
    yield engine
    engine.delete_index(INDEX)


def spec_of(product: str, chart: str) -> dict:
    objects = [orjson.loads(line) for line in build_ndjson(product).splitlines()]
    (found,) = [one for one in objects if one["id"] == f"kokeshi-evaluations-{chart}"]
    state = orjson.loads(found["attributes"]["visState"])
    assert state["type"] == "vega"
    return orjson.loads(state["params"]["spec"])


def expand(value: Any, context: dict[str, list]) -> Any:
    """Replace the plug-in's words in a query: those of the dashboard's filters, and of its time range."""
    if isinstance(value, dict):
        if value.get("%timefilter%"):
            return {"gte": "2000-01-01T00:00:00Z", "lte": "2100-01-01T00:00:00Z"}
        return {name: expand(part, context) for name, part in value.items()}
    if isinstance(value, list):
        return [one for part in value for one in expand_part(part, context)]
    return value


def expand_part(part: Any, context: dict[str, list]) -> list:
    if isinstance(part, str) and (word := re.fullmatch(r"%dashboard_context-(\w+)_clause%", part)):
        return context.get(word[1], [])
    return [expand(part, context)]


def draw(engine: Engine, spec: dict, capfd, **context: list) -> str:
    """Return a chart as SVG, made of what its own search finds."""
    url = spec["data"].pop("url")
    spec["data"]["values"] = engine.search(url["index"], expand(url["body"], context))
    sized = spec | {"width": 480, "height": 300, "autosize": {"type": "fit", "contains": "padding"}}
    vl_convert.vegalite_to_vega(sized, vl_version=VEGA_LITE, show_warnings=True)
    svg = vl_convert.vegalite_to_svg(sized, vl_version=VEGA_LITE)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    return svg


def walk(value: Any) -> Iterator[dict]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from walk(part)
    elif isinstance(value, list):
        for part in value:
            yield from walk(part)


def named_fields(spec: dict) -> set[str]:
    """What encodings, tooltips, sorts, groups and expressions name."""
    found: set[str] = set()
    for part in walk({name: v for name, v in spec.items() if name != "data"}):
        if isinstance(part.get("field"), str):
            found.add(part["field"])
        found |= set(part.get("groupby", []))
        for expression in (part.get("calculate"), part.get("filter")):
            found |= set(re.findall(r"datum\.([\w.]+)", expression or ""))
    return found


def made_fields(spec: dict) -> set[str]:
    parts = walk({name: v for name, v in spec.items() if name != "data"})
    return {part["as"] for part in parts if isinstance(part.get("as"), str)}


def test_the_plug_in_is_asked_to_fill_in_what_it_knows():
    body = spec_of("kibana", "delta")["data"]["url"]["body"]
    filled = expand(body, {"must": [1], "filter": [2], "must_not": [3]})["query"]["bool"]
    assert (filled["must"], filled["filter"][0], filled["must_not"]) == ([1], 2, [3])
    assert "%" not in orjson.dumps(filled).decode()


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("chart", CHARTS)
def test_every_field_is_in_the_index_or_made_by_the_chart(stored, product, chart):
    (mapping,) = stored.get_mapping(INDEX).values()
    spec = spec_of(product, chart)
    asked = set(spec["data"]["url"]["body"][HIT])
    assert asked <= set(mapping["properties"])
    found = {f"{HIT}.{name}" for name in asked}
    assert named_fields(spec) <= found | made_fields(spec)
    assert found <= named_fields(spec)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_is_drawn_from_live_data(stored, product, chart, capfd):
    svg = draw(stored, spec_of(product, chart), capfd)
    marks = re.findall(r'aria-roledescription="(?:point|bar|(?:rule|area|text) mark)"', svg)
    assert len(marks) > len(spec_of(product, chart)["layer"])
    assert "NaN" not in svg
    assert "undefined" not in svg


def test_the_newest_evaluation_is_drawn_alone(stored, capfd):
    svg = draw(stored, spec_of("kibana", "distribution"), capfd)
    graded = sum(query.positives > 0 for query in EVALUATION.queries)
    counts = [int(n) for n in re.findall(r'aria-label="[^"]*queries: (\d+)', svg)]
    assert sum(counts) == graded * len(EVALUATION.candidates)


def test_a_filter_of_the_dashboard_chooses_another(stored, capfd):
    only = [{"term": {"evaluation": "older"}}, {"term": {"candidate": "hybrid"}}]
    svg = draw(stored, spec_of("kibana", "distribution"), capfd, filter=only)
    counts = [int(n) for n in re.findall(r'aria-label="[^"]*queries: (\d+)', svg)]
    assert sum(counts) == sum(query.positives > 0 for query in OLDER.queries)


def test_the_table_has_the_fields_that_it_shows(stored):
    objects = [orjson.loads(line) for line in build_ndjson("kibana").splitlines()]
    (table,) = [one for one in objects if one["type"] == "search"]
    assert set(table["attributes"]["columns"]) <= set(build_store()["mappings"]["properties"])
    query = {"bool": {"filter": [{"term": {"kind": "candidate"}}, {"term": {"main": True}}]}}
    assert stored.count(INDEX, query) == 2 * len(EVALUATION.candidates)
