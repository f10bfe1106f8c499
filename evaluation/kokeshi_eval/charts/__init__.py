"""Charts of an evaluation: Vega-Lite specifications made from its records, for reports and dashboards.

They have no theme (`config`), so that the page's own applies, and no title, which is the heading of
a page, the title of a panel, and part of an image only. They take the width of what holds them, so
they have no facets; and nothing that Vega-Lite 4.17 lacks, which OpenSearch Dashboards has.
"""

from kokeshi_eval.charts.chart import Chart
from kokeshi_eval.charts.make import build_charts, list_charts

__all__ = ["Chart", "build_charts", "list_charts"]
