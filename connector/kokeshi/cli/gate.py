"""The gate of `kokeshi reindex`: the version that is served against the new one, by judgments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kokeshi.cli.eval import parse_verdicts
from kokeshi.index import Index
from kokeshi.lifecycle import Check
from kokeshi.lifecycle.checks import Gate
from kokeshi.schema import IndexSpec, load_spec
from kokeshi.versions import spec_of
from kokeshi_eval import Contender, evaluate, load_judgments

PASSING = ("ab-test", "skip")
"""What passes if nothing else is said: it improves, or hardly anything moves."""


def build_gate(
    judgments: Sequence[Path],
    spec: IndexSpec,
    *,
    old_spec: Path | None = None,
    plan: str | None = None,
    passing: Sequence[str] = PASSING,
) -> Gate:
    """Return the gate that lets a version pass by the verdict on it; reads the files at once.

    old_spec: of the index that is served, where it was made from another. plan: the ranking that is
    compared. passing: verdicts, as `kokeshi eval compare --pass` names them.
    """
    verdicts = parse_verdicts(passing)
    graded = load_judgments(*judgments)
    old = spec if old_spec is None else load_spec(old_spec)

    def gate(live: str, version: Index) -> Check:
        served = Index(spec_of(old, live), version.engine)
        contenders = (Contender("served", served, plan), Contender("new", version, plan))
        (candidate,) = evaluate(contenders[0], contenders[1:], graded).candidates
        decision = candidate.decision
        found = f"{decision.verdict}: {' '.join(decision.reasons)}"
        return Check("gate", decision.verdict in verdicts, found)

    return gate
