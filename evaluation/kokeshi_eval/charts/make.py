"""The charts of an evaluation, and of none yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kokeshi.types import Json
from kokeshi_eval.charts.chart import SCHEMA, Chart
from kokeshi_eval.charts.queries import delta_chart, distribution_chart, impact_chart
from kokeshi_eval.charts.systems import latency_chart, slices_chart


def list_charts(measure: str) -> tuple[Chart, ...]:
    """Return every chart, without data. measure: what texts call the main one."""
    charts = (
        delta_chart(measure),
        distribution_chart(measure),
        impact_chart(measure),
        slices_chart(measure),
        latency_chart(),
    )
    return tuple(replace(chart, spec=_described(chart)) for chart in charts)


def build_charts(records: Sequence[Json]) -> dict[str, Chart]:
    """Return the charts of one evaluation's records by name, data inline; without those that stay empty."""
    measure = next(record["measure"] for record in records if record["main"])
    drawn = [record for record in records if _has_figure(record)]
    charts = (chart.of(drawn) for chart in list_charts(measure))
    return {chart.name: chart for chart in charts if chart.spec["data"]["values"]}


def _described(chart: Chart) -> Json:
    head = {"$schema": SCHEMA, "description": f"{chart.title}. {chart.description}"}
    return head | {"width": "container"} | chart.spec


def _has_figure(record: Json) -> bool:
    return record["latency_p50" if record["kind"] == "system" else "delta"] is not None
