"""An evaluation as a file, of the kind that its name says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from kokeshi.errors import InputError
from kokeshi_eval.charts import Chart, build_charts
from kokeshi_eval.files import check_output, write_text
from kokeshi_eval.images import draw_png, draw_svg
from kokeshi_eval.model import Evaluation, Verdict
from kokeshi_eval.records import build_records
from kokeshi_eval.report.html import build_html
from kokeshi_eval.report.junit import PASSING, build_junit
from kokeshi_eval.report.markdown import build_markdown

SUFFIXES: Final = (".html", ".md", ".xml", ".json")


def write_report(
    evaluation: Evaluation,
    path: str | Path,
    *,
    passing: frozenset[Verdict] = PASSING,
    force: bool = False,
) -> None:
    """Write `.html`, `.md`, `.xml` (JUnit) or `.json`; a name without a suffix is a folder of charts.

    The folder gets an SVG and a PNG of each chart. passing: of the gate, see `build_junit`. force:
    what is there already is replaced. Raises InputError for another suffix, where there is a file
    already and where it cannot be written; MissingExtraError without the extra `report`, for HTML and
    charts.
    """
    target = Path(path)
    if not target.suffix:
        _write_images(_charts(evaluation), target, force=force)
        return
    builders: dict[str, Callable[[], str]] = {
        ".html": lambda: build_html(evaluation, _charts(evaluation)),
        ".md": lambda: build_markdown(evaluation),
        ".xml": lambda: build_junit(evaluation, passing=passing),
        ".json": evaluation.model_dump_json,
    }
    if target.suffix not in builders:
        raise InputError(
            f"{path}: '{target.suffix}' is no report; name it {', '.join(SUFFIXES)}, or a folder for charts"
        )
    check_output(target, force=force)
    write_text(target, builders[target.suffix](), force=force)


def _charts(evaluation: Evaluation) -> dict[str, Chart]:
    return build_charts(build_records(evaluation))


def _write_images(charts: Mapping[str, Chart], folder: Path, *, force: bool) -> None:
    for name in charts:
        for suffix in (".svg", ".png"):
            check_output(folder / f"{name}{suffix}", force=force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, chart in charts.items():
            (folder / f"{name}.svg").write_text(draw_svg(chart), "utf-8")
            (folder / f"{name}.png").write_bytes(draw_png(chart))
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or 'cannot be written'}".lower()) from None
