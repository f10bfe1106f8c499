"""An evaluation as one HTML file that asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import orjson

from kokeshi.errors import MissingExtraError
from kokeshi_eval.charts import Chart
from kokeshi_eval.images import draw_png, draw_svg, load_vega, require_images
from kokeshi_eval.model import Candidate, Difference, Evaluation
from kokeshi_eval.report import figures
from kokeshi_eval.report.facts import build_facts, build_title, moment
from kokeshi_eval.report.lists import build_pairs
from kokeshi_eval.report.tables import MAX_ROWS, build_flags, build_to_judge

if TYPE_CHECKING:
    from jinja2 import Environment

TABLES: Final = {"slices": "slices", "latency": "contenders"}
"""Chart -> the section whose table has its figures; `queries` for the others."""

MAX_MARKS: Final = 1_000
"""Of an image as SVG, which grows with every record that is drawn; as PNG it does not."""

CLASSES: Final = {"A/B test": "test", "reject": "reject", "collect judgments": "collect"}


def build_html(evaluation: Evaluation, charts: Mapping[str, Chart]) -> str:
    """Return the page. charts: with their data inline, in the order in which they are shown.

    Vega, Vega-Lite and their interpreter of expressions are part of it, and each chart also as an
    image for browsers without JavaScript. A content security policy allows these very scripts and
    no others, and no request. Raises MissingExtraError without the extra `report`.
    """
    template = _environment().get_template("report.html.jinja")
    view = _view(evaluation, charts)
    length = len(template.render(view, size="").encode())
    return template.render(view, size=f"{length / 1e6:.1f} MB")


def require_html() -> None:
    """Raise MissingExtraError without the extra `report`."""
    _environment()
    require_images()


def _view(evaluation: Evaluation, charts: Mapping[str, Chart]) -> dict[str, Any]:
    """Return what the template shows beside the evaluation itself."""
    scripts = [_as_script(text) for text in (load_vega(), _asset("report.js"))]
    judge = [(one, build_to_judge(evaluation, one)) for one in evaluation.candidates]
    alpha = evaluation.options.alpha
    return {
        "evaluation": evaluation,
        "title": build_title(evaluation),
        "created": f"{moment(evaluation):%d %B %Y, %H:%M}",
        "facts": build_facts(evaluation),
        "systems": (evaluation.baseline, *(one.system for one in evaluation.candidates)),
        "harmed": [
            build_pairs(evaluation, n, c.harmed) for n, c in enumerate(evaluation.candidates)
        ],
        "helped": [
            build_pairs(evaluation, n, c.helped) for n, c in enumerate(evaluation.candidates)
        ],
        "has_slices": any(one.slices for one in evaluation.candidates),
        "has_engine": evaluation.baseline.engine
        or any(c.system.engine for c in evaluation.candidates),
        "to_judge": [(candidate, rows) for candidate, rows in judge if rows],
        "flags": build_flags(evaluation),
        "max_rows": MAX_ROWS,
        "charts": [_chart(chart) for chart in charts.values()],
        "scripts": [_markup(script) for script in scripts],
        "style": _markup(_asset("report.css")),
        "policy": _policy(scripts),
        "tone": lambda d: _tone(d, alpha),
        "rows_of": _rows,
        "reach_of": lambda c: _reach(d for _, d in _rows(c)),
        "reach_of_slices": lambda c: _reach(one.difference for one in c.slices),
        "verdict_class": lambda verdict: CLASSES.get(verdict, "skip"),
    }


def _rows(candidate: Candidate) -> list[tuple[str, Difference]]:
    """Return the rows of the table of measures; the condensed one under the main one."""
    main, *others = candidate.improvement.items()
    return [main, (f"{main[0]} condensed", candidate.condensed), *others]


def _reach(differences: Iterable[Difference]) -> float:
    """Return the largest distance from 0 that the intervals of a table have, for their drawings."""
    ends = (end for d in differences for end in (d.low, d.high) if end is not None)
    return max(map(abs, ends), default=0.0)


def _tone(difference: Difference, alpha: float) -> str:
    """Return the class of a significant difference; empty for one that is not."""
    p, delta = difference.p_adjusted, difference.delta
    if p is None or not delta or p > alpha:
        return ""
    return "good" if delta > 0 else "bad"


def _chart(chart: Chart) -> dict[str, Any]:
    """Return a chart for the template."""
    return {
        "name": chart.name,
        "title": chart.title,
        "description": chart.description,
        "table": TABLES.get(chart.name, "queries"),
        "image": _image(chart),
        # the schema's version would be warned of in the console: the page says what draws it
        "spec": _markup(_as_data({k: v for k, v in chart.spec.items() if k != "$schema"})),
    }


def _image(chart: Chart) -> str:
    """Return a chart as an address that holds it: SVG, or where that has too many marks, PNG."""
    few = len(chart.spec["data"]["values"]) <= MAX_MARKS
    image = draw_svg(chart).encode() if few else draw_png(chart, scale=1.0)
    return f"data:image/{'svg+xml' if few else 'png'};base64,{base64.b64encode(image).decode()}"


def _as_data(value: object) -> str:
    """Return JSON that cannot end the element that it stands in."""
    return orjson.dumps(value).decode().replace("<", "\\u003c")


def _as_script(text: str) -> str:
    """Return a script that cannot end the element that it stands in."""
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _policy(scripts: Iterable[str]) -> str:
    """Return a content security policy: these scripts, images in the page, and nothing from anywhere."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts)
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> Environment:
    try:
        import jinja2
    except ImportError:
        raise MissingExtraError("an HTML report", "report") from None
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset), autoescape=True, undefined=jinja2.StrictUndefined
    )
    names = ("number", "signed", "interval", "p_value", "percent", "count")
    environment.globals |= {name: getattr(figures, name) for name in names}
    return environment


def _markup(text: str) -> str:
    """Mark text as HTML already: made here, not by a user."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


@cache
def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text("utf-8")
