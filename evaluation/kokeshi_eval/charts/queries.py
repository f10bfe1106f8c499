"""Charts with a mark for each query, or each few."""

from __future__ import annotations

from kokeshi.types import Json
from kokeshi_eval.charts.chart import (
    GREY,
    SHARE,
    SIGNED,
    Chart,
    candidate_colour,
    candidate_shape,
    number,
    tooltip,
    zero_line,
)

BINS = 10
"""Of the distribution, on each side of the one around 0."""

_GRADED: Json = {"filter": "isValid(datum.delta)"}


def delta_chart(measure: str) -> Chart:
    """Return the difference of every query, sorted; a curve for each candidate."""
    order: list[Json] = [{"field": "delta"}, {"field": "query"}]
    ranked = {
        "window": [{"op": "row_number", "as": "rank"}],
        "groupby": ["candidate"],
        "sort": order,
    }
    line = {"type": "area", "interpolate": "step", "fillOpacity": 0.18, "line": {"strokeWidth": 1}}
    encoding = {
        "x": number(
            "rank",
            "queries, the most harmed first",
            axis={"grid": False, "tickMinStep": 1},
            scale={"zero": False, "nice": False},
        ),
        "y": number("delta", f"difference of {measure}", stack=None),
        "color": candidate_colour(),
    }
    return Chart(
        "delta",
        "Queries, most harmed to most helped",
        f"{measure} of the candidate less that of the baseline. Where the curve is below 0 the "
        "candidate is worse, above 0 better; the flat part are ties.",
        ("query",),
        ("evaluation", "created", "candidate", "query", "text", "before", "after", "delta"),
        _chart(
            [_GRADED, ranked],
            [
                {"mark": line, "encoding": encoding},
                {
                    "mark": {"type": "point", "filled": True, "size": 16, "opacity": 1},
                    "encoding": encoding | {"tooltip": _query_tooltip(measure)},
                },
                zero_line("y"),
            ],
        ),
    )


def distribution_chart(measure: str) -> Chart:
    """Return how many queries differ by how much; bins of equal width, one of them around 0."""
    encoding = {
        "x": number("from", f"difference of {measure}"),
        "x2": {"field": "to"},
        "y": number("count", "queries", axis={"tickMinStep": 1}),
        "y2": {"datum": 0},
        "color": candidate_colour(),
        "tooltip": tooltip(
            ("candidate", "candidate"),
            ("low", "from", SIGNED),
            ("high", "to", SIGNED),
            ("count", "queries", "d"),
        ),
    }
    return Chart(
        "distribution",
        "How many queries differ by how much",
        f"Queries by their difference of {measure}. The bars at 0 are ties and next to ties; "
        "a change that helps has more and longer bars on the right.",
        ("query",),
        ("evaluation", "created", "candidate", "query", "delta"),
        _chart([_GRADED, *_bins()], [{"mark": "bar", "encoding": encoding}, zero_line("x")]),
    )


def impact_chart(measure: str) -> Chart:
    """Return a point for each query, its impact on x and its improvement on y; candidates as large marks."""
    x = number("change", "impact: how much of the results changed")
    y = number("delta", f"difference of {measure}")
    encoding = {"x": x, "y": y, "color": candidate_colour(), "shape": candidate_shape()}
    of_query, of_candidate = (
        {"filter": f"datum.kind === '{kind}' && isValid(datum.change)"}
        for kind in ("query", "candidate")
    )
    return Chart(
        "impact",
        "Impact against improvement",
        "A small mark is a query, a large one the mean of a candidate with its interval. The farther "
        "right, the more the results changed; above 0 they got better, below worse.",
        ("query", "candidate"),
        (
            *("evaluation", "created", "kind", "candidate", "query", "text", "before", "after"),
            *("delta", "low", "high", "change", "rbo", "verdict"),
        ),
        _chart(
            [_GRADED],
            [
                zero_line("y"),
                {
                    "transform": [of_query],
                    "mark": {"type": "point", "filled": True, "size": 30, "opacity": 0.5},
                    "encoding": encoding
                    | {"tooltip": [*_query_tooltip(measure), *tooltip(*_MOVED)]},
                },
                {
                    "transform": [of_candidate],
                    "mark": {"type": "rule", "strokeWidth": 3, "color": GREY},
                    "encoding": {
                        "x": x,
                        "y": number("low", y["title"]),
                        "y2": {"field": "high"},
                    },
                },
                {
                    "transform": [of_candidate],
                    "mark": {"type": "point", "filled": True, "size": 260, "opacity": 1},
                    "encoding": encoding | {"tooltip": tooltip(*_MEAN, *_MOVED)},
                },
            ],
        ),
    )


_MOVED = (("change", "impact", SHARE), ("rbo", "rank-biased overlap", SHARE))
_MEAN = (
    ("candidate", "candidate"),
    ("verdict", "decision"),
    ("delta", "mean difference", SIGNED),
    ("low", "interval from", SIGNED),
    ("high", "to", SIGNED),
)


def _chart(transform: list[Json], layer: list[Json]) -> Json:
    return {"transform": transform, "layer": layer, "height": 260}


def _query_tooltip(measure: str) -> list[Json]:
    return tooltip(
        ("text", "query"),
        ("candidate", "candidate"),
        ("before", f"{measure} before", ".4f"),
        ("after", "after", ".4f"),
        ("delta", "difference", SIGNED),
    )


def _bins() -> list[Json]:
    """Count queries in bins as wide as a tenth of the largest difference; candidates side by side in one."""
    low, high = "(datum.bin - 0.5) * datum.step", "(datum.bin + 0.5) * datum.step"
    part = "0.9 * datum.step / datum.last"
    return [
        {"calculate": "abs(datum.delta)", "as": "size"},
        {"joinaggregate": [{"op": "max", "field": "size", "as": "largest"}]},
        {"calculate": f"datum.largest > 0 ? datum.largest / {BINS} : {1 / BINS}", "as": "step"},
        {"calculate": "round(datum.delta / datum.step)", "as": "bin"},
        {
            "aggregate": [{"op": "count", "as": "count"}],
            "groupby": ["candidate", "bin", "step"],
        },
        {
            "window": [{"op": "dense_rank", "as": "place"}],
            "sort": [{"field": "candidate"}],
        },
        {"joinaggregate": [{"op": "max", "field": "place", "as": "last"}]},
        {"calculate": low, "as": "low"},
        {"calculate": high, "as": "high"},
        {
            "calculate": f"datum.low + 0.05 * datum.step + (datum.place - 1) * {part}",
            "as": "from",
        },
        {"calculate": f"datum.from + {part}", "as": "to"},
    ]
