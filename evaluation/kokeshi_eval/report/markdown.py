"""An evaluation as Markdown, for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from kokeshi_eval.model import Candidate, Difference, Evaluation, QueryResult
from kokeshi_eval.report.facts import build_facts, build_title
from kokeshi_eval.report.figures import interval, number, p_value, percent, signed

MAX_CHARS: Final = 120
"""Of a query; hosts of repositories refuse a comment of more than 65,536 characters."""

_MENTION: Final = re.compile(r"(?<!\w)@(?=\w)")
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def build_markdown(evaluation: Evaluation) -> str:
    """Return the verdicts, the measures, the queries that moved most and the warnings.

    Nothing that a user wrote can end a table, become HTML or mention anybody.
    """
    parts = [
        f"## {_text(build_title(evaluation))}",
        _verdicts(evaluation),
        *(f"**Warning:** {_text(warning)}" for warning in evaluation.warnings),
        *(part for at in range(len(evaluation.candidates)) for part in _candidate(evaluation, at)),
        _fold("How it was made", _facts(evaluation)),
    ]
    return "\n\n".join(parts) + "\n"


def code(text: str) -> str:
    r"""Return text as code in one cell of a table, cut to MAX_CHARS.

    >>> code("usb | c"), code("a `b`")
    ('`usb \\| c`', '`` a `b` ``')
    """
    line = " ".join(text.split())
    line = line if len(line) <= MAX_CHARS else line[: MAX_CHARS - 1] + "…"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if "`" in line else ""
    return f"{fence}{space}{line or ' '}{space}{fence}".replace("|", "\\|")


def _verdicts(evaluation: Evaluation) -> str:
    main = evaluation.label
    head = ("candidate", "verdict", main, "difference", "p, corrected", "wins / ties / losses")
    return _table(
        (*head, f"impact@{evaluation.options.impact_k}"),
        (
            [
                _text(one.system.label),
                f"**{one.decision.verdict}**",
                *_change(one.improvement[main]),
                percent(one.impact.change),
            ]
            for one in evaluation.candidates
        ),
    )


def _change(d: Difference) -> list[str]:
    return [
        f"{number(d.before)} → {number(d.after)}",
        signed(d.delta),
        p_value(d.p_adjusted),
        f"{d.wins} / {d.ties} / {d.losses}",
    ]


def _candidate(evaluation: Evaluation, at: int) -> Iterator[str]:
    """Yield the parts that are about one candidate."""
    candidate = evaluation.candidates[at]
    label = _text(candidate.system.label)
    reasons = "\n".join(f"- {_text(reason)}" for reason in candidate.decision.reasons)
    yield f"### {label}: {candidate.decision.verdict}\n\n{reasons}"
    yield _fold("Measures", _measures(evaluation, candidate))
    for name, ids in (("Most harmed", candidate.harmed), ("Most helped", candidate.helped)):
        if ids:
            yield _fold(f"{name} queries", _queries(evaluation, at, ids))
    if candidate.decision.to_judge:
        yield _fold("Documents to judge first", _to_judge(evaluation, candidate))


def _measures(evaluation: Evaluation, candidate: Candidate) -> str:
    level = percent(1 - evaluation.options.alpha)
    rows = [*candidate.improvement.items()]
    rows.insert(1, (f"{evaluation.label} condensed", candidate.condensed))
    head = ("measure", "before → after", "difference", f"{level} interval", "p, corrected")
    return _table(
        (*head, "wins / ties / losses", "detectable"),
        (
            [name, *_change(d)[:2], interval(d.low, d.high), *_change(d)[2:], number(d.mde)]
            for name, d in rows
        ),
    )


def _queries(evaluation: Evaluation, at: int, ids: Sequence[str]) -> str:
    known = {query.id: query for query in evaluation.queries}
    return _table(
        ("query", f"{evaluation.label}", "difference"),
        (_query(known[id_], evaluation.label, at) for id_ in ids),
    )


def _query(query: QueryResult, label: str, at: int) -> list[str]:
    before, after = query.baseline.values[label], query.candidates[at].ranked.values[label]
    name = code(query.text) + (f" {code(query.filter)}" if query.filter else "")
    return [name, f"{number(before)} → {number(after)}", signed(after - before)]


def _to_judge(evaluation: Evaluation, candidate: Candidate) -> str:
    known = {query.id: query for query in evaluation.queries}
    return _table(
        ("query", "document", "swing"),
        (
            [code(known[one.query].text), code(one.doc_id), number(one.swing)]
            for one in candidate.decision.to_judge
        ),
    )


def _facts(evaluation: Evaluation) -> str:
    lines = [*evaluation.notes, *(f"{name}: {value}" for name, value in build_facts(evaluation))]
    return "\n".join(f"- {_text(line)}" for line in lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, the first column to the left and the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _fold(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _text(text: str) -> str:
    """Return text that stays text: escaped, in one line, and without a name to mention."""
    line = _MENTION.sub("@\u200b", " ".join(text.split()))
    return _SPECIAL.sub(r"\\\1", line)
