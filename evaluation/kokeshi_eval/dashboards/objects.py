"""Saved objects: a data view, a table, a visualisation for each chart, and the dashboard of them all.

Ids never change, so importing again replaces. Where the products differ is in `_PRODUCTS`: each
object says which version of its type it was written for, and both migrate it to their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from kokeshi.types import Json
from kokeshi_eval.charts import Chart
from kokeshi_eval.dashboards.panels import live_charts
from kokeshi_eval.store import INDEX

Product = Literal["kibana", "opensearch-dashboards"]

_VIEW = INDEX
_TABLE = "kokeshi-evaluations-candidates"
_DASHBOARD = "kokeshi-evaluations"
_QUERY: Final[Json] = {"query": {"query": "", "language": "kuery"}, "filter": []}
_COLUMNS = (
    *("evaluation", "baseline", "candidate", "measure", "verdict", "before", "after", "delta"),
    *("low", "high", "p_adjusted", "change", "wins", "ties", "losses", "judged_after"),
)
_GRID: Final[Mapping[str, tuple[int, int, int, int]]] = {
    "impact": (0, 0, 24, 17),
    "delta": (24, 0, 24, 17),
    "distribution": (0, 17, 24, 17),
    "latency": (0, 34, 24, 11),
    "slices": (24, 17, 24, 28),
    "table": (0, 45, 48, 14),
}
"""Left, top, width and height of each panel; a dashboard is 48 wide."""


@dataclass(frozen=True)
class _Flavour:
    """vega_lite: its major version. versions: of the types. reference: name of a panel's reference."""

    vega_lite: int
    versions: Mapping[str, str]
    reference: str

    def stamp(self, type_: str) -> Json:
        """Return what says which version of a type an object was written for."""
        if self.vega_lite == 4:
            return {"migrationVersion": {type_: self.versions[type_]}}
        return {"coreMigrationVersion": "8.8.0", "typeMigrationVersion": self.versions[type_]}


_PRODUCTS: Final[Mapping[Product, _Flavour]] = {
    "kibana": _Flavour(
        5,
        {
            "index-pattern": "8.0.0",
            "visualization": "8.5.0",
            "search": "8.0.0",
            "dashboard": "8.9.0",
        },
        "{panel}:panel_{panel}",
    ),
    "opensearch-dashboards": _Flavour(
        4,
        {
            "index-pattern": "7.6.0",
            "visualization": "7.10.0",
            "search": "7.9.3",
            "dashboard": "7.9.3",
        },
        "panel_{panel}",
    ),
}


def build_ndjson(product: Product) -> bytes:
    """Return the file that a product imports: an object a line."""
    return b"".join(orjson.dumps(one) + b"\n" for one in build_objects(product))


def build_objects(product: Product) -> list[Json]:
    """Return the saved objects of a product; what an object refers to goes before it."""
    flavour = _PRODUCTS[product]
    charts = live_charts(flavour.vega_lite)
    objects = [_view(), _table(), *(_visualisation(chart) for chart in charts)]
    objects.append(_dashboard(flavour, [chart.name for chart in charts]))
    return [flavour.stamp(one["type"]) | one for one in objects]


def _view() -> Json:
    attributes = {"title": INDEX, "timeFieldName": "created"}
    return {"type": "index-pattern", "id": _VIEW, "attributes": attributes, "references": []}


def _table() -> Json:
    reference = "kibanaSavedObjectMeta.searchSourceJSON.index"
    query = {"query": "kind: candidate and main: true", "language": "kuery"}
    source = {"indexRefName": reference, "query": query, "filter": []}
    attributes = {
        "title": "Kokeshi: decisions",
        "description": "Every candidate against its baseline, by the main measure; the newest first.",
        "columns": list(_COLUMNS),
        "sort": [["created", "desc"]],
        "hits": 0,
        "version": 1,
        "kibanaSavedObjectMeta": _meta(source),
    }
    view = {"name": reference, "type": "index-pattern", "id": _VIEW}
    return {"type": "search", "id": _TABLE, "attributes": attributes, "references": [view]}


def _visualisation(chart: Chart) -> Json:
    title = f"Kokeshi: {chart.title}"
    params = {"spec": _text(chart.spec, indent=True)}
    attributes = {
        "title": title,
        "description": chart.description,
        "visState": _text({"title": title, "type": "vega", "aggs": [], "params": params}),
        "uiStateJSON": "{}",
        "version": 1,
        "kibanaSavedObjectMeta": _meta(_QUERY),
    }
    return {
        "type": "visualization",
        "id": _id_of(chart.name),
        "attributes": attributes,
        "references": [],
    }


def _dashboard(flavour: _Flavour, charts: Sequence[str]) -> Json:
    names = [*charts, "table"]
    attributes = {
        "title": "Kokeshi: ranking changes",
        "description": "The newest evaluation of those in the time range that the filters leave.",
        "panelsJSON": _text([_panel(name) for name in names]),
        "optionsJSON": _text({"useMargins": True, "hidePanelTitles": False}),
        "hits": 0,
        "version": 1,
        "timeRestore": True,
        "timeFrom": "now-1y",
        "timeTo": "now",
        "kibanaSavedObjectMeta": _meta(_QUERY),
    }
    references = [_reference(flavour, name) for name in names]
    return {
        "type": "dashboard",
        "id": _DASHBOARD,
        "attributes": attributes,
        "references": references,
    }


def _panel(name: str) -> Json:
    x, y, width, height = _GRID[name]
    return {
        "version": "7.10.0",
        "type": "search" if name == "table" else "visualization",
        "gridData": {"x": x, "y": y, "w": width, "h": height, "i": name},
        "panelIndex": name,
        "embeddableConfig": {"enhancements": {}},
        "panelRefName": f"panel_{name}",
    }


def _reference(flavour: _Flavour, name: str) -> Json:
    reference = flavour.reference.format(panel=name)
    if name == "table":
        return {"name": reference, "type": "search", "id": _TABLE}
    return {"name": reference, "type": "visualization", "id": _id_of(name)}


def _id_of(chart: str) -> str:
    return f"kokeshi-evaluations-{chart}"


def _meta(source: Json) -> Json:
    return {"searchSourceJSON": _text(source)}


def _text(value: object, *, indent: bool = False) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else None).decode()
