"""`kokeshi eval judgments from-clicks`: graded judgments from what was shown and clicked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    out,
    print_json,
    takes_connection,
)
from kokeshi.cli.judged import ForceOption, OutputOption, ToOption, describe, table_of
from kokeshi.connect import connect
from kokeshi.engines.settings import Settings
from kokeshi.errors import InputError
from kokeshi.schema import load_spec
from kokeshi.types import Json
from kokeshi_eval.files import check_output
from kokeshi_eval.judgments import write_judgments
from kokeshi_eval.judgments.click_log import ClickLog, load_clicks
from kokeshi_eval.judgments.clicks import MIN_IMPRESSIONS, ClickGrades, Estimator, grade_clicks
from kokeshi_eval.judgments.propensities import (
    Propensities,
    ctr_propensities,
    fit_propensities,
    load_propensities,
)
from kokeshi_eval.judgments.ubi import (
    CLICKS,
    EVENTS,
    QUERIES,
    UbiLog,
    read_ubi_engine,
    read_ubi_files,
)


@takes_connection
def from_clicks(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="CSV or JSON lines; with --ubi its exports, or none for the engine."),
    ] = None,
    output: OutputOption = Path("judgments.csv"),
    ubi: Annotated[
        bool, typer.Option("--ubi", help="Read User Behavior Insights: files, or its indices.")
    ] = False,
    ubi_queries: Annotated[str, typer.Option(help="Index of its searches.")] = QUERIES,
    ubi_events: Annotated[str, typer.Option(help="Index of its events.")] = EVENTS,
    click: Annotated[
        list[str] | None, typer.Option("--click", help="An action_name that counts as a click.")
    ] = None,
    propensities: Annotated[
        str, typer.Option(help="fit, ctr, or a file with the columns position, propensity.")
    ] = "fit",
    estimator: Annotated[
        Estimator, typer.Option(help="Clicks over expected clicks, or inverse propensities.")
    ] = "coec",
    min_impressions: Annotated[
        int, typer.Option("--min-impressions", min=1, help="Fewer leave a document out.")
    ] = MIN_IMPRESSIONS,
    shares: Annotated[
        str | None, typer.Option(help="Of documents for each grade from 0: 0.4,0.3,0.2,0.1.")
    ] = None,
    thresholds: Annotated[
        str | None, typer.Option(help="Of attractiveness, for each grade from 1: 0.1,0.3,0.5.")
    ] = None,
    to: ToOption = None,
    force: ForceOption = False,
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Write graded judgments from clicks, corrected by how likely each position is looked at."""
    if shares and thresholds:
        raise InputError("give --shares or --thresholds, not both")
    check_output(output, force=force)
    found: UbiLog | None = None
    if ubi:
        names = (ubi_queries, ubi_events)
        found = _read_ubi(files or [], names, tuple(click or CLICKS), spec, connection)
    log = found.log if found else _read_logs(files or [])
    grades = grade_clicks(
        log,
        propensities=_propensities(propensities, log),
        estimator=estimator,
        min_impressions=min_impressions,
        shares=_numbers(shares, "--shares"),
        thresholds=_numbers(thresholds, "--thresholds"),
    )
    write_judgments(grades.judgments, output, to, force=force)
    if json:
        print_json(_describe(grades, found) | {"file": str(output)})
        return
    table = table_of(grades.judgments)
    for name, text in _facts(grades, found):
        table.add_row(name, text)
    out.print(table)
    out.print(f"Wrote {escape(str(output))}.", soft_wrap=True)


def _read_logs(files: list[Path]) -> ClickLog:
    if len(files) != 1:
        raise InputError(f"one log is expected, found {len(files)}; for several files give --ubi")
    return load_clicks(files[0])


def _read_ubi(
    files: list[Path],
    indices: tuple[str, str],
    clicks: tuple[str, ...],
    spec: Path,
    connection: Settings | None,
) -> UbiLog:
    if files:
        return read_ubi_files(*files, clicks=clicks)
    section = load_spec(spec).engine if spec.exists() else None
    with connect(connection, section) as engine:
        return read_ubi_engine(engine, *indices, clicks=clicks)


def _propensities(how: str, log: ClickLog) -> Propensities:
    if how == "fit":
        return fit_propensities(log)
    return ctr_propensities(log) if how == "ctr" else load_propensities(how)


def _numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"'{text}' is not a list of numbers such as 0.1,0.3,0.5 ({option})"
        ) from None


def _describe(grades: ClickGrades, ubi: UbiLog | None) -> Json:
    found = {
        "thresholds": grades.thresholds,
        "propensities": {str(k): grades.propensities[k] for k in sorted(grades.propensities)},
        "unsupported": grades.unsupported,
        "unplaced_impressions": grades.unplaced,
    }
    if ubi:
        found["ubi"] = {
            "searches": ubi.searches,
            "unknown_searches": ubi.unknown,
            "unplaced_events": ubi.unplaced,
        }
    return describe(grades.judgments) | found


def _facts(grades: ClickGrades, ubi: UbiLog | None) -> Iterator[tuple[str, str]]:
    if ubi:
        yield "searches", f"{ubi.searches:,}"
        yield "left out", f"{ubi.unknown:,} searches whose text is not known"
        yield "left out", f"{ubi.unplaced:,} events on what was not shown, or without a position"
    positions = sorted(grades.propensities)
    some = [k for k in positions if k in (1, 2, 3, 5, 10, 20, 50)]
    yield "examined", ", ".join(f"position {k}: {grades.propensities[k]:.3f}" for k in some)
    yield "thresholds", ", ".join(f"{bound:.4g}" for bound in grades.thresholds)
    yield "left out", f"{grades.unsupported:,} documents with too few impressions"
    if grades.unplaced:
        yield "left out", f"{grades.unplaced:,} impressions at positions that have no propensity"
