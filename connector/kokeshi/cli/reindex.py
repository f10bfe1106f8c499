"""`kokeshi reindex`: a new version of the index, checked, then served in place of the old one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    err,
    out,
    print_json,
    takes_connection,
)
from kokeshi.cli.gate import PASSING, build_gate
from kokeshi.cli.sending import Sending, progress_bar, takes_sending
from kokeshi.engines.settings import Settings
from kokeshi.index import Index
from kokeshi.ingest import Source
from kokeshi.lifecycle import ReindexOptions, ReindexReport
from kokeshi.lifecycle import adopt as adopt_index
from kokeshi.lifecycle import reindex as reindex_index

REFUSED: Final = 1
"""The exit code of a version that a check keeps from being served; bad input is 2, as everywhere."""

_CHECKS, _GATE = "Checks", "Gate"
_DEFAULT = ReindexOptions()


@takes_connection
@takes_sending
def reindex(
    sending: Sending,
    file: Annotated[Path, typer.Argument(help="All documents: JSONL, CSV or TSV, plain or .gz.")],
    spec: SpecOption = DEFAULT_SPEC,
    then: Annotated[
        list[Path] | None,
        typer.Option("--then", help="Changes to apply before the swap; may be repeated."),
    ] = None,
    keep: Annotated[
        int, typer.Option("--keep", min=0, help="Versions served before that stay for a rollback.")
    ] = _DEFAULT.keep,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="First make an index of that name a version behind an alias."),
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Delete what another machine left unfinished."),
    ] = False,
    tolerance: Annotated[
        float,
        typer.Option(
            "--tolerance",
            min=0,
            max=1,
            help="Share of documents that may fail, and by which there may be fewer than before.",
            rich_help_panel=_CHECKS,
        ),
    ] = _DEFAULT.tolerance,
    sample: Annotated[
        int,
        typer.Option(
            "--sample",
            min=0,
            max=10_000,
            help="Documents that measure recall.",
            rich_help_panel=_CHECKS,
        ),
    ] = _DEFAULT.sample,
    min_recall: Annotated[
        float,
        typer.Option(
            "--min-recall",
            min=0,
            max=1,
            help="Of the default plan against exact.",
            rich_help_panel=_CHECKS,
        ),
    ] = _DEFAULT.min_recall,
    keep_failed: Annotated[
        bool,
        typer.Option(
            "--keep-failed",
            help="Leave a version that is refused, to be looked at; the next run deletes it.",
            rich_help_panel=_CHECKS,
        ),
    ] = False,
    judgments: Annotated[
        list[Path] | None,
        typer.Option(
            "--judgments",
            "-j",
            help="Compare the old version and the new by graded documents.",
            rich_help_panel=_GATE,
        ),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option("--plan", "-p", help="That is compared.", rich_help_panel=_GATE),
    ] = None,
    old_spec: Annotated[
        Path | None,
        typer.Option(
            "--old-spec", help="That made what is served, if another.", rich_help_panel=_GATE
        ),
    ] = None,
    passing: Annotated[
        list[str] | None,
        typer.Option(
            "--pass",
            help="A verdict that passes: ab-test, skip, collect, reject; ab-test and skip if not given.",
            rich_help_panel=_GATE,
        ),
    ] = None,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Build the index anew, check it, and let its alias stand for it, all at once.

    One command for a new encoder, dimension or codebook: they are what the spec says. The old version is
    served until then, and goes on being served where a check does not pass; the exit code is 1 then.
    """
    options = ReindexOptions(
        keep=keep,
        tolerance=tolerance,
        sample=sample,
        min_recall=min_recall,
        keep_failed=keep_failed,
        take_over=take_over,
    )
    source = Source(file)
    with (
        sending.watched() as metrics,
        Index.open(spec, connection) as index,
        progress_bar(source, shown=not sending.log_json) as on_progress,
    ):
        gate = None
        if judgments:
            chosen = passing or PASSING
            gate = build_gate(judgments, index.spec, old_spec=old_spec, plan=plan, passing=chosen)
        if adopt:
            name = adopt_index(index, take_over=take_over)
            err.print(f"'{index.spec.index}' is an alias of '{name}' now.", markup=False)
        report = reindex_index(
            index,
            source,
            then=then or (),
            gate=gate,
            options=options,
            pacing=sending.pacing,
            on_progress=on_progress,
            metrics=metrics,
        )
    if json:
        print_json(report.to_json() | {"refused": report.refused and report.refused.name})
    else:
        print_report(report)
    if report.refused:
        raise typer.Exit(REFUSED)


def print_report(report: ReindexReport) -> None:
    """Print each check, and what is served."""
    for check in report.checks:
        out.print(
            f"{'ok' if check.passed else 'FAILED':6} {check.name}: {check.found}", markup=False
        )
    out.print(_outcome(report), markup=False)
    if report.cleared:
        out.print(f"Deleted what runs before left: {', '.join(report.cleared)}.", markup=False)
    if report.pruned:
        out.print(f"Deleted old versions: {', '.join(report.pruned)}.", markup=False)


def _outcome(report: ReindexReport) -> str:
    if report.served:
        before = f" in place of '{report.replaced}'" if report.replaced else ""
        return (
            f"'{report.index}' stands for '{report.version}' now{before} ({report.seconds:.1f} s)."
        )
    still = f"'{report.replaced}' is still served" if report.replaced else "nothing is served yet"
    left = (
        f"'{report.version}' is kept; serve it with: kokeshi rollback --to {report.version}"
        if report.kept
        else f"'{report.version}' was deleted"
    )
    return f"Refused: {still}; {left}."
