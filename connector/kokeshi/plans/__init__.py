"""Search plans to request bodies: pure, so that what is evaluated is what is served."""

from kokeshi.plans.build import (
    Query,
    SearchRequest,
    all_filters,
    build_count,
    build_filter,
    build_search,
)
from kokeshi.plans.defaults import DEFAULT_PLAN, default_plans, find_plan
from kokeshi.plans.known import Known

__all__ = [
    "DEFAULT_PLAN",
    "Known",
    "Query",
    "SearchRequest",
    "all_filters",
    "build_count",
    "build_filter",
    "build_search",
    "default_plans",
    "find_plan",
]
