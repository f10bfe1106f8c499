"""Dashboards over the index of evaluations, as saved objects for Kibana and OpenSearch Dashboards."""

from kokeshi_eval.dashboards.objects import Product, build_ndjson, build_objects
from kokeshi_eval.dashboards.server import Dashboards, import_objects

__all__ = ["Dashboards", "Product", "build_ndjson", "build_objects", "import_objects"]
