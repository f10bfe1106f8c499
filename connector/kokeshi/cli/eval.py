"""`kokeshi eval`: whether a ranking change is an improvement, how much it moves, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from kokeshi.cli import judgments as judgments_commands
from kokeshi.cli import queries as queries_commands
from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    err,
    out,
    print_json,
    takes_connection,
)
from kokeshi.connect import connect
from kokeshi.engines import Engine
from kokeshi.engines.settings import Settings
from kokeshi.errors import InputError
from kokeshi.index import Index
from kokeshi.schema import load_spec
from kokeshi.types import Json
from kokeshi_eval import (
    ENGINE_MEASURES,
    MEASURES,
    Evaluation,
    Judgments,
    Options,
    Rule,
    Verdict,
    evaluate,
    load_judgments,
    load_queries,
    parse_contender,
    parse_options,
    print_evaluation,
)
from kokeshi_eval.judgments import parse_scale
from kokeshi_eval.model import Gain
from kokeshi_eval.report import check_report, read_evaluation, write_report
from kokeshi_eval.store import list_evaluations, load_evaluation, save_evaluation

app = typer.Typer(
    name="eval",
    help="Replay ranking changes offline, on judged queries, and decide.",
    no_args_is_help=True,
)
app.add_typer(judgments_commands.app, name="judgments")
app.add_typer(queries_commands.app, name="queries")

_PLAN_HELP = (
    "a plan (bm25, exact, single, two-stage, hybrid, rrf, one of the spec's, a YAML file), or a "
    ".mustache template; @SPEC.yaml behind it for another index; LABEL= in front"
)
VERDICTS: Final[dict[str, Verdict]] = {
    "ab-test": "A/B test",
    "skip": "skip",
    "collect": "collect judgments",
    "reject": "reject",
}
PASSING: Final = ("ab-test",)
"""What passes a gate if nothing else is said."""
GATE_FAILED: Final = 1
"""The exit code of a closed gate; bad input is 2, as everywhere."""

OutputOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        "-o",
        help="Write the evaluation: .json (all of it), .html, .md, .xml (JUnit), or a folder for "
        "charts as SVG and PNG; may be repeated.",
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]
StoreOption = Annotated[
    bool, typer.Option("--store", help="Keep it in the index kokeshi-evaluations, for dashboards.")
]
GateOption = Annotated[
    bool,
    typer.Option("--gate", help="Exit with 1 unless the verdict on every candidate lets it pass."),
]
PassOption = Annotated[
    list[str] | None,
    typer.Option(
        "--pass",
        help=f"A verdict that passes the gate: {', '.join(VERDICTS)}; ab-test if not given.",
    ),
]
_MEASURES, _DECISION, _OUTPUT = "Measures", "Decision", "Output"


@app.callback()
def _group() -> None:
    """Replay ranking changes offline, on judged queries, and decide."""


@app.command()
@takes_connection
def compare(
    baseline: Annotated[
        str, typer.Option("--baseline", "-b", help=f"What is served: {_PLAN_HELP}.")
    ],
    candidate: Annotated[
        list[str], typer.Option("--candidate", "-c", help="What to judge; may be repeated.")
    ],
    judgments: Annotated[
        list[Path] | None,
        typer.Option(
            "--judgments", "-j", help="Graded documents; repeated, a rater each. None: only impact."
        ),
    ] = None,
    format: judgments_commands.FormatOption = "auto",  # noqa: A002
    merge: judgments_commands.MergeOption = "refuse",
    scale: judgments_commands.ScaleOption = None,
    max_grade: judgments_commands.MaxGradeOption = None,
    queries: Annotated[
        Path | None,
        typer.Option("--queries", "-q", help="Query set, with filters, weights and attributes."),
    ] = None,
    k: Annotated[
        int, typer.Option("--k", min=1, help="Depth of every measure.", rich_help_panel=_MEASURES)
    ] = 10,
    impact_k: Annotated[
        int,
        typer.Option("--impact-k", min=1, help="Depth of the impact.", rich_help_panel=_MEASURES),
    ] = 20,
    gain: Annotated[
        Gain,
        typer.Option("--gain", help="Of nDCG: 2^grade - 1, or grade.", rich_help_panel=_MEASURES),
    ] = "exponential",
    measure: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            help="nDCG, AP, RR, P, R or ERR; may be repeated, the first decides; all if not given.",
            rich_help_panel=_MEASURES,
        ),
    ] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            help="Attribute to look at by itself; may be repeated; all if not given.",
            rich_help_panel=_MEASURES,
        ),
    ] = None,
    engine_measures: Annotated[
        bool,
        typer.Option(
            "--engine-measures",
            help="Ask the engine for every measure that it has, not nDCG only.",
            rich_help_panel=_MEASURES,
        ),
    ] = False,
    alpha: Annotated[
        float,
        typer.Option(
            "--alpha", help="Of tests and intervals, for all candidates.", rich_help_panel=_DECISION
        ),
    ] = Options().alpha,
    min_impact: Annotated[
        float,
        typer.Option(
            "--min-impact",
            help="Move (impact, or 1 - rank-biased overlap) that counts as large.",
            rich_help_panel=_DECISION,
        ),
    ] = Rule().min_impact,
    min_delta: Annotated[
        float,
        typer.Option(
            "--min-delta", help="Change of the main measure that counts.", rich_help_panel=_DECISION
        ),
    ] = Rule().min_delta,
    min_judged: Annotated[
        float,
        typer.Option(
            "--min-judged",
            help="Judged@k below which no gain counts.",
            rich_help_panel=_DECISION,
        ),
    ] = Rule().min_judged,
    gate: GateOption = False,
    passing: PassOption = None,
    output: OutputOption = None,
    force: ForceOption = False,
    store: StoreOption = False,
    every: Annotated[
        bool, typer.Option("--all", help="Show all queries, not only the extremes.")
    ] = False,
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Compare rankings: what improves, how much moves, and whether that deserves an A/B test."""
    options = parse_options(
        k=k,
        impact_k=impact_k,
        gain=gain,
        measures=tuple(measure or MEASURES),
        slices=tuple(slices or ()),
        engine_measures=ENGINE_MEASURES if engine_measures else ("nDCG",),
        alpha=alpha,
        rule={"min_impact": min_impact, "min_delta": min_delta, "min_judged": min_judged},
    )
    passes = parse_verdicts(passing or PASSING)
    _check(output, force=force)
    graded = Judgments({})
    if judgments:
        mapped = parse_scale(scale) if scale else None
        graded = load_judgments(
            *judgments, format=format, merge=merge, scale=mapped, max_grade=max_grade
        )
    asked = load_queries(queries) if queries else None
    with ExitStack() as stack:
        opened = _Indices(stack, spec, connection)
        contenders = [parse_contender(text, opened.open) for text in (baseline, *candidate)]
        evaluation = evaluate(contenders[0], contenders[1:], graded, asked, options)
        _print(evaluation, json=json, every=every)
        _write(evaluation, output, passes, force=force)
        if store:
            save_evaluation(contenders[0].index.engine, evaluation)
    _close(evaluation, passes if gate else None)


@app.command()
@takes_connection
def report(
    evaluation: Annotated[
        str,
        typer.Argument(help="A file written with -o NAME.json, or the id of a stored evaluation."),
    ],
    output: OutputOption = None,
    force: ForceOption = False,
    gate: GateOption = False,
    passing: PassOption = None,
    every: Annotated[
        bool, typer.Option("--all", help="Show all queries, not only the extremes.")
    ] = False,
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Show an evaluation again, or write it in other forms."""
    passes = parse_verdicts(passing or PASSING)
    _check(output, force=force)
    if (path := Path(evaluation)).suffix or path.exists():
        found = read_evaluation(path)
    else:
        with _engine(spec, connection) as engine:
            found = load_evaluation(engine, evaluation)
    _print(found, json=json, every=every)
    _write(found, output, passes, force=force)
    _close(found, passes if gate else None)


@app.command("list")
@takes_connection
def list_(
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """List the evaluations that were kept with --store, the newest first."""
    with _engine(spec, connection) as engine:
        found = list_evaluations(engine)
    if json:
        print_json(found)
    elif found:
        out.print(_table_of(found))
    else:
        out.print("No evaluation is kept here; compare with --store.")


def _table_of(found: list[Json]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("id", "baseline", "measure", "queries", "candidates"):
        table.add_column(name, overflow="fold")
    for one in found:
        verdicts = (
            f"{name}: {verdict}"
            for name, verdict in zip(one["candidates"], one["verdicts"], strict=True)
        )
        cells = (one["evaluation"], one["baseline"], one["measure"], one["queries"])
        table.add_row(*(escape(str(cell)) for cell in cells), escape(", ".join(verdicts)))
    return table


class _Indices:
    """The indices that contenders name, each opened once and closed at the end."""

    def __init__(self, stack: ExitStack, spec: Path, connection: Settings | None) -> None:
        self._stack = stack
        self._spec = spec
        self._connection = connection
        self._opened: dict[Path, Index] = {}

    def open(self, spec: str | None = None) -> Index:
        """Return the index of a spec; None is that of the command."""
        path = Path(spec) if spec else self._spec
        if path not in self._opened:
            self._opened[path] = self._stack.enter_context(Index.open(path, self._connection))
        return self._opened[path]


def parse_verdicts(names: Sequence[str]) -> frozenset[Verdict]:
    """Return the verdicts that `--pass` names; raises InputError for one that is none."""
    for name in names:
        if name not in VERDICTS:
            raise InputError(f"--pass {name}: one of {', '.join(VERDICTS)} is expected")
    return frozenset(VERDICTS[name] for name in names)


def _engine(spec: Path, connection: Settings | None) -> Engine:
    """Return the engine of the connection, or else that of the spec, where there is one."""
    return connect(connection, load_spec(spec).engine if spec.exists() else None)


def _check(output: list[Path] | None, *, force: bool) -> None:
    """Refuse what cannot be written before anything is measured."""
    for path in output or ():
        check_report(path, force=force)


def _write(
    evaluation: Evaluation,
    output: list[Path] | None,
    passing: frozenset[Verdict],
    *,
    force: bool,
) -> None:
    for path in output or ():
        write_report(evaluation, path, passing=passing, force=force)
        err.print(f"Wrote {path}", markup=False)


def _print(evaluation: Evaluation, *, json: bool, every: bool) -> None:
    if json:
        print_json(evaluation.model_dump(mode="json"))
    else:
        print_evaluation(evaluation, out, every=every)


def _close(evaluation: Evaluation, passing: frozenset[Verdict] | None) -> None:
    """End with exit code 1 where a gate is asked for and a verdict does not pass it."""
    closed = [
        one
        for one in evaluation.candidates
        if passing is not None and one.decision.verdict not in passing
    ]
    for one in closed:
        err.print(f"Gate: {one.system.label}: {one.decision.verdict}", style="red", markup=False)
    if closed:
        raise typer.Exit(GATE_FAILED)
