"""An evaluation as a file, of the kind that its name says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from kokeshi.errors import InputError
from kokeshi_eval.charts import Chart, build_charts, list_charts
from kokeshi_eval.files import check_output, write_bytes, write_text
from kokeshi_eval.images import draw_png, draw_svg, require_images
from kokeshi_eval.model import Evaluation, Verdict
from kokeshi_eval.records import build_records
from kokeshi_eval.report.html import build_html, require_html
from kokeshi_eval.report.junit import PASSING, build_junit
from kokeshi_eval.report.markdown import build_markdown

SUFFIXES: Final = (".html", ".md", ".xml", ".json", ".json.gz")

_IMAGES: Final = (".svg", ".png")


def write_report(
    evaluation: Evaluation,
    path: str | Path,
    *,
    passing: frozenset[Verdict] = PASSING,
    force: bool = False,
) -> None:
    """Write `.html`, `.md`, `.xml` (JUnit), `.json` or `.json.gz`; without a suffix a folder of charts.

    The folder gets an SVG and a PNG of each chart. passing: of the gate, see `build_junit`. force:
    what is there already is replaced. Raises what `check_report` does, and InputError where the file
    cannot be written.
    """
    kind = check_report(path, force=force)
    if kind:
        write_text(path, _build(evaluation, kind, passing), force=force)
    else:
        _write_images(_charts(evaluation), Path(path), force=force)


def check_report(path: str | Path, *, force: bool = False) -> str:
    """Return the suffix that says the kind of a report, empty for a folder of charts.

    For what can be known before there is an evaluation: raises InputError for another suffix, where the
    file is there already, unless `force`, and where its folder is missing; MissingExtraError without
    the extra `report`, for HTML and charts.
    """
    target = Path(path)
    kind = "".join(target.suffixes[-2:]) if target.suffix == ".gz" else target.suffix
    if not kind:
        _check_images(target, force=force)
        return kind
    if kind not in SUFFIXES:
        raise InputError(
            f"{path}: '{kind}' is no report; name it {', '.join(SUFFIXES)}, or a folder for charts"
        )
    check_output(target, force=force)
    if kind == ".html":
        require_html()
    return kind


def _build(evaluation: Evaluation, kind: str, passing: frozenset[Verdict]) -> str:
    match kind:
        case ".html":
            return build_html(evaluation, _charts(evaluation))
        case ".md":
            return build_markdown(evaluation)
        case ".xml":
            return build_junit(evaluation, passing=passing)
        case _:
            return evaluation.model_dump_json()


def _charts(evaluation: Evaluation) -> dict[str, Chart]:
    return build_charts(build_records(evaluation))


def _check_images(folder: Path, *, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is no folder; give another one for the charts (--output)")
    if folder.exists():
        for chart in list_charts(""):
            for suffix in _IMAGES:
                check_output(folder / f"{chart.name}{suffix}", force=force)
    require_images()


def _write_images(charts: Mapping[str, Chart], folder: Path, *, force: bool) -> None:
    """Write every chart twice. All are drawn before the first is written."""
    drawn = dict(_draw(charts))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or "cannot be made").lower()
        raise InputError(f"{folder}: {reason} (--output)") from None
    for name, image in drawn.items():
        write_bytes(folder / name, image, force=force)


def _draw(charts: Mapping[str, Chart]) -> Iterator[tuple[str, bytes]]:
    """Yield the name of each file and its content."""
    for name, chart in charts.items():
        yield f"{name}.svg", draw_svg(chart).encode()
        yield f"{name}.png", draw_png(chart)
