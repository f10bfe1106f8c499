"""Charts as their Vega plug-ins take them: the data is a search of the index of evaluations."""

from __future__ import annotations

from kokeshi.types import Json
from kokeshi_eval.charts import Chart, list_charts
from kokeshi_eval.store import INDEX

MOST = 10_000
"""Records that a chart draws: as many hits as one search of either engine returns."""

MEASURE = "the main measure"
"""A dashboard does not know which one that is before it has data."""


def live_charts(vega_lite: int) -> list[Chart]:
    """Return every chart over the index. vega_lite: the major version that the product has."""
    return [_live(chart, vega_lite) for chart in list_charts(MEASURE)]


def _live(chart: Chart, vega_lite: int) -> Chart:
    live = chart.with_data(_search(chart), [*_flatten(chart), *_newest()])
    schema = f"https://vega.github.io/schema/vega-lite/v{vega_lite}.json"
    sized = {name: part for name, part in live.spec.items() if name not in ("width", "height")}
    return Chart(
        chart.name,
        chart.title,
        chart.description,
        chart.kinds,
        chart.fields,
        sized | {"$schema": schema},
    )


def _search(chart: Chart) -> Json:
    """The plug-ins put the filters, the query bar and the time range where the texts with % stand.

    `%context%` itself would exclude a query of one's own.
    """
    own: list[object] = [
        {"terms": {"kind": list(chart.kinds)}},
        {"term": {"main": True}},
        {"range": {"created": {"%timefilter%": True}}},
    ]
    query = {
        "must": ["%dashboard_context-must_clause%"],
        "filter": ["%dashboard_context-filter_clause%", *own],
        "must_not": ["%dashboard_context-must_not_clause%"],
    }
    body = {
        "size": MOST,
        "sort": [{"created": "desc"}, {"evaluation": "desc"}],
        "_source": list(chart.fields),
        "query": {"bool": query},
    }
    return {"url": {"index": INDEX, "body": body}, "format": {"property": "hits.hits"}}


def _flatten(chart: Chart) -> list[Json]:
    return [{"calculate": f"datum._source.{name}", "as": name} for name in chart.fields]


def _newest() -> list[Json]:
    """Keep the newest evaluation of those that the dashboard's filters leave."""
    first = {
        "window": [{"op": "first_value", "field": "evaluation", "as": "newest"}],
        "sort": [
            {"field": "created", "order": "descending"},
            {"field": "evaluation", "order": "descending"},
        ],
        "frame": [None, None],
    }
    return [first, {"filter": "datum.evaluation === datum.newest"}]
