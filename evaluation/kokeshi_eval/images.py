"""Charts as images, by vl-convert, which draws without a browser and brings the browser's script."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from kokeshi.errors import MissingExtraError
from kokeshi.types import Json
from kokeshi_eval.charts import Chart

VEGA_LITE: Final = "5.20"
"""The version that images are drawn by: one of those that dashboards have."""

WIDTH: Final = 640
"""Pixels of a chart without its axes."""


def draw_svg(chart: Chart, *, width: int = WIDTH) -> str:
    """Return a chart with its title as SVG. Raises MissingExtraError without the extra `report`."""
    return str(_library().vegalite_to_svg(build_image(chart, width), vl_version=VEGA_LITE))


def draw_png(chart: Chart, *, width: int = WIDTH, scale: float = 2.0) -> bytes:
    """Return a chart with its title as PNG, on white. scale: pixels of the image for one of the chart."""
    spec = build_image(chart, width) | {"background": "white"}
    return bytes(_library().vegalite_to_png(spec, vl_version=VEGA_LITE, scale=scale))


@cache
def load_vega() -> str:
    """Return Vega, Vega-Lite and vega-embed as one script, `window.vegaEmbed`. Raises MissingExtraError."""
    return str(_library().javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def build_image(chart: Chart, width: int = WIDTH) -> Json:
    """Return what is drawn: the chart with its title, as wide as told where a page would decide."""
    title = {"text": chart.title, "anchor": "start", "frame": "group", "offset": 12}
    return chart.spec | {"width": width, "title": title}


def require_images() -> None:
    """Raise MissingExtraError without the extra `report`."""
    _library()


def _library() -> Any:  # noqa: ANN401
    try:
        import vl_convert
    except ImportError:
        raise MissingExtraError("drawing a chart", "report") from None
    return vl_convert
