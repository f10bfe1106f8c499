"""Charts with a mark for each candidate or contender.

A row for each slice and candidate would take an offset, which Vega-Lite has since 5.2 only; here rows
are numbered within their slice, and the first one carries its label.
"""

from __future__ import annotations

from kokeshi.types import Json
from kokeshi_eval.charts.chart import (
    GREY,
    PALETTE,
    SIGNED,
    Chart,
    candidate_colour,
    legend,
    number,
    tooltip,
    zero_line,
)

_LABELS = {"labelLimit": 150, "ticks": False, "domain": False}
_MEDIAN, _SLOW = "median", "95th percentile"


def slices_chart(measure: str) -> Chart:
    """Return the mean difference of every slice with its interval; candidates below each other."""
    title = f"mean difference of {measure}"
    first = "indexof(datum.label, '1|') === 0 ? slice(datum.label, 2) : ''"
    y = {
        "field": "row",
        "type": "nominal",
        "title": None,
        "sort": {"field": "order", "op": "min"},
        "axis": {**_LABELS, "labelExpr": first},
    }
    shared = {"y": y, "color": candidate_colour()}
    interval = {"x": number("low", title), "x2": {"field": "high"}, **shared}
    point = {"x": number("delta", title), **shared, "tooltip": tooltip(*_SLICE)}
    return Chart(
        "slices",
        "Mean difference by kind of query",
        f"{measure} of the candidate less that of the baseline, with its interval, and how many "
        "queries. Some of many intervals miss 0 by chance alone: the corrected p counts.",
        ("slice",),
        (
            *("evaluation", "created", "candidate", "attribute", "value", "queries"),
            *("delta", "low", "high", "p_adjusted"),
        ),
        {
            "transform": _rows(),
            "height": {"step": 17},
            "layer": [
                zero_line("x"),
                {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": interval},
                {
                    "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
                    "encoding": point,
                },
            ],
        },
    )


def latency_chart() -> Chart:
    """Return the median of each contender's latency in a bar of its 95th percentile; the baseline first."""
    y = {
        "field": "name",
        "type": "nominal",
        "title": None,
        "sort": {"field": "order", "op": "min"},
        "axis": _LABELS,
    }
    said = tooltip(
        ("name", "contender"),
        ("latency_p50", "median, ms", ".2f"),
        ("latency_p95", "95th percentile, ms", ".2f"),
    )
    scale = {"domain": [_MEDIAN, _SLOW], "range": [PALETTE[0], PALETTE[4]]}

    def bar(field: str, name: str, size: int) -> Json:
        colour = {"datum": name, "type": "nominal", "scale": scale, "legend": legend()}
        encoding = {
            "x": number(field, "milliseconds", stack=None),
            "y": y,
            "color": colour,
            "tooltip": said,
        }
        return {"mark": {"type": "bar", "size": size}, "encoding": encoding}

    return Chart(
        "latency",
        "Latency: median and 95th percentile",
        "Milliseconds of searches sent one at a time, the contenders taking turns, by the client's "
        "clock.",
        ("system",),
        ("evaluation", "created", "label", "role", "latency_p50", "latency_p95"),
        {
            "transform": _contenders(),
            "height": {"step": 34},
            "layer": [
                {
                    "mark": {"type": "bar", "size": 20, "color": GREY, "opacity": 0.12},
                    "encoding": {"x": number("room", "milliseconds", stack=None), "y": y},
                },
                bar("latency_p95", _SLOW, 20),
                bar("latency_p50", _MEDIAN, 10),
                {
                    "mark": {"type": "text", "align": "left", "dx": 5, "color": GREY},
                    "encoding": {
                        "x": number("latency_p95", "milliseconds"),
                        "y": y,
                        "text": {"field": "figures", "type": "nominal"},
                    },
                },
            ],
        },
    )


_SLICE = (
    ("slice", "queries with"),
    ("candidate", "candidate"),
    ("queries", "queries", "d"),
    ("delta", "mean difference", SIGNED),
    ("low", "interval from", SIGNED),
    ("high", "to", SIGNED),
    ("p_adjusted", "p, corrected", ".3g"),
)


def _rows() -> list[Json]:
    """Name every slice, and number its rows: the label of a row is its number, a bar, and the name."""
    name = "datum.attribute + ' ' + datum.value + ' (' + datum.queries + ')'"
    order = [{"field": "attribute"}, {"field": "value"}, {"field": "candidate"}]
    within = {"groupby": ["attribute", "value"], "sort": [{"field": "candidate"}]}
    return [
        {"filter": "isValid(datum.delta)"},
        {"calculate": name, "as": "slice"},
        {"window": [{"op": "row_number", "as": "order"}], "sort": order},
        {"window": [{"op": "row_number", "as": "place"}], **within},
        {"calculate": "datum.place + '|' + datum.slice", "as": "row"},
    ]


def _contenders() -> list[Json]:
    """Name every contender and leave room for its figures at the right of the longest bar."""
    order = [{"field": "role"}, {"field": "label"}]
    name = "datum.role === 'baseline' ? datum.label + ' (baseline)' : datum.label"
    figures = "format(datum.latency_p50, '.1f') + ' | ' + format(datum.latency_p95, '.1f')"
    return [
        {"filter": "isValid(datum.latency_p50)"},
        {"calculate": name, "as": "name"},
        {"calculate": figures, "as": "figures"},
        {"window": [{"op": "row_number", "as": "order"}], "sort": order},
        {"joinaggregate": [{"op": "max", "field": "latency_p95", "as": "longest"}]},
        {"calculate": "datum.longest * 1.35", "as": "room"},
    ]
