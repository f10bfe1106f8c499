"""What an evaluation is of, in words: its title and how it was made."""

from __future__ import annotations

from datetime import datetime

from kokeshi_eval.model import Evaluation
from kokeshi_eval.report.figures import count, names, number, percent


def build_title(evaluation: Evaluation) -> str:
    """Return what was compared with what."""
    candidates = [candidate.system.label for candidate in evaluation.candidates]
    return f"{names(candidates)} against {evaluation.baseline.label}"


def moment(evaluation: Evaluation) -> datetime:
    """Return when it was made. Raises ValueError where that is no time by ISO 8601."""
    return datetime.fromisoformat(evaluation.created.replace("Z", "+00:00"))


def build_facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return name and value of everything that the figures depend on."""
    options = evaluation.options
    rule = options.rule
    return [
        ("Evaluation", evaluation.id),
        ("Made", evaluation.created),
        ("Engine", evaluation.engine),
        ("Judgments", _judgments(evaluation)),
        ("Depth", f"{options.k} of the measures, {options.impact_k} of the impact"),
        ("Gain of a grade", "2^grade - 1" if options.gain == "exponential" else "the grade"),
        ("Test", f"paired randomisation, two-sided, {options.resamples:,} resamples"),
        ("Significant", f"corrected p of at most {options.alpha:g}"),
        ("Power", f"{percent(options.power)} for the detectable difference"),
        ("Rank-biased overlap", f"persistence {options.rbo_p:g}"),
        ("Seed", str(options.seed)),
        (
            "Rule",
            f"impact of at least {rule.min_impact:g}, difference of at least {rule.min_delta:g}, "
            f"Judged@{options.k} of at least {rule.min_judged:g}",
        ),
        ("Format", evaluation.format),
    ]


def _judgments(evaluation: Evaluation) -> str:
    info = evaluation.judgments
    parts = [
        f"{info.name}: {info.documents:,} for {count(info.queries, 'query', 'queries')}",
        f"grades 0 to {info.max_grade}",
    ]
    if info.raters > 1:
        parts.append(count(info.raters, "rater"))
    if info.agreement is not None:
        parts.append(f"Krippendorff's alpha {number(info.agreement, 2)}")
    return ", ".join(parts)
