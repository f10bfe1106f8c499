"""The plans that every index has by name, and how a name or a file becomes a plan."""

from __future__ import annotations

from pathlib import Path

from kokeshi.errors import SpecError
from kokeshi.schema import Fuse, IndexSpec, Match, Rescore, Rrf, SearchPlan, Shortlist, load_plan
from kokeshi.schema.plan import Cells, Scan

DEFAULT_PLAN = "two-stage"
DEFAULT_K = 400
"""Shortlist length; docs/tuning.md has the measured curves that it comes from."""


PROBED = 64
"""Cells that the plan `cells` looks into, or an eighth of them; docs/codes.md has what that keeps."""


def default_plans(spec: IndexSpec) -> dict[str, SearchPlan]:
    """Return the built-in plans that the spec allows, with the user's own of the same name on top."""
    plans: dict[str, SearchPlan] = {}
    if spec.text:
        plans["bm25"] = SearchPlan(match=Match())
    if spec.vectors:
        vector = next(iter(spec.vectors.values()))
        shortlist = Shortlist(dims=max(vector.prefixes, default="full"), k=DEFAULT_K)
        plans["exact"] = SearchPlan(rescore=Rescore())
        plans["single"] = SearchPlan(
            shortlist=Shortlist(dims="full", k=DEFAULT_K),
            # a quantised graph ranks by what it keeps of a vector
            rescore=Rescore() if vector.graph and vector.quantization != "none" else None,
        )
        if vector.prefixes:
            plans["two-stage"] = SearchPlan(shortlist=shortlist, rescore=Rescore())
        plans |= _coded_plans(spec)
        if spec.text:
            plans["hybrid"] = SearchPlan(
                match=Match(), shortlist=shortlist, rescore=Rescore(), fuse=Fuse()
            )
            plans["rrf"] = SearchPlan(
                match=Match(), shortlist=shortlist, rescore=Rescore(), rrf=Rrf()
            )
    return plans | spec.plans


def _coded_plans(spec: IndexSpec) -> dict[str, SearchPlan]:
    """The plans that look at the codes of the first vector that has any; none is a default."""
    coded = {name: vector.codes for name, vector in spec.vectors.items() if vector.codes}
    plans: dict[str, SearchPlan] = {}
    for name, codes in list(coded.items())[:1]:
        scan, rescore = Scan(vector=name, k=DEFAULT_K), Rescore(vector=name)
        plans["scan"] = SearchPlan(scan=scan, rescore=rescore)
        if codes.cells:
            cells = Cells(vector=name, nprobe=min(codes.cells, max(PROBED, codes.cells // 8)))
            plans["cells"] = SearchPlan(cells=cells, scan=scan, rescore=rescore)
    return plans


def find_plan(spec: IndexSpec, name: str | SearchPlan | None) -> SearchPlan:
    """Return a plan by name, or from a YAML file where `name` is a path; None takes the default.

    Raises SpecError, listing the known names, where there is none.
    """
    if isinstance(name, SearchPlan):
        return name
    plans = default_plans(spec)
    if name is None:
        default = next((p for p in (DEFAULT_PLAN, "exact", "bm25") if p in plans), None)
        if default is None:
            raise SpecError("the spec has neither text nor vectors to search: add one, or a plan")
        return plans[default]
    if name in plans:
        return plans[name]
    if Path(name).suffix in (".yaml", ".yml", ".json"):
        return load_plan(name)
    why = ""
    if name == DEFAULT_PLAN and spec.vectors:
        why = "; it needs prefixes in the spec"
    if name in ("scan", "cells") and spec.vectors:
        why = f"; it needs codes{' with cells' if name == 'cells' else ''} in the spec"
    raise SpecError(
        f"unknown plan '{name}'{why}; known are: {', '.join(plans)}, or give a YAML file"
    )
