"""A chart as a value, and the parts that several charts share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kokeshi.types import Json

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v5.json"

PALETTE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Of candidates: colours of Okabe and Ito (2008), which people see apart who do not see all colours.

The first four have a contrast of 3 to 1 and more with white, and with #1b1b1b.
"""

SHAPES: Final = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")

GREY: Final = "#808080"
"""Of lines that mean nothing by themselves: 3.9 to 1 with white, 4.4 to 1 with #1b1b1b."""

SIGNED: Final = "+.4f"
SHARE: Final = ".1%"


@dataclass(frozen=True)
class Chart:
    """One chart. description: how it is read. kinds, fields: of the records that it draws.

    spec: Vega-Lite 5, without data where the chart is not of an evaluation yet.
    """

    name: str
    title: str
    description: str
    kinds: tuple[str, ...]
    fields: tuple[str, ...]
    spec: Json

    def with_data(self, data: Json, transform: Sequence[Json] = ()) -> Chart:
        """Return the chart of some data. transform: goes before the chart's own."""
        own = self.spec.get("transform", [])
        return replace(self, spec=self.spec | {"data": data, "transform": [*transform, *own]})

    def of(self, records: Iterable[Json]) -> Chart:
        """Return the chart of records: those of its kinds, with no other fields."""
        kept = [record for record in records if record["main"] and record["kind"] in self.kinds]
        values = [{name: record.get(name) for name in self.fields} for record in kept]
        return self.with_data({"values": values})


def candidate_colour() -> Json:
    """Return the colour of a candidate, the same in every chart that has the same candidates."""
    return {
        "field": "candidate",
        "type": "nominal",
        "scale": {"range": list(PALETTE)},
        "legend": legend(),
    }


def candidate_shape() -> Json:
    """Return the shape of a candidate's marks, for those who cannot tell it by the colour."""
    return {
        "field": "candidate",
        "type": "nominal",
        "scale": {"range": list(SHAPES)},
        "legend": legend(),
    }


def legend() -> Json:
    """Return a legend above the chart, where it takes no width; one row for every two entries."""
    return {"title": None, "orient": "top", "columns": 2, "labelLimit": 130}


def number(field: str, title: str, **more: Any) -> Json:
    """Return the encoding of a number. title: of its axis."""
    return {"field": field, "type": "quantitative", "title": title, **more}


def tooltip(*fields: tuple[str, str] | tuple[str, str, str]) -> list[Json]:
    """Return what a mark says when it is pointed at. fields: name, title, and a format for numbers."""
    return [
        {"field": name, "title": title}
        | ({"type": "quantitative", "format": form[0]} if form else {"type": "nominal"})
        for name, title, *form in fields
    ]


def zero_line(axis: str) -> Json:
    """Return a layer with a line at 0 of an axis, "x" or "y"."""
    mark = {"type": "rule", "color": GREY, "strokeDash": [4, 3]}
    return {"data": {"values": [{}]}, "mark": mark, "encoding": {axis: {"datum": 0}}}
