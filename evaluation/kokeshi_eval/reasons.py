"""Why a decision is what it is, in sentences with the numbers."""

from __future__ import annotations

from kokeshi_eval.evidence import Evidence
from kokeshi_eval.model import Difference, System


def build_reasons(found: Evidence) -> tuple[str, ...]:
    """Return the sentences that stand under every verdict, without those that nothing is known for."""
    parts = (_difference, _harmed, _impact, _judged, _detectable)
    return tuple(sentence for part in parts if (sentence := part(found)))


def say_cleared(found: Evidence, why: str) -> str:
    """Say why missing grades leave no doubt."""
    low, high = found.missing.low, found.missing.high
    if found.robust:
        return (
            f"{why}; with any grades for them the difference of nDCG@{found.options.k} is from "
            f"{low:+.4f} to {high:+.4f}."
        )
    if found.proven_alone:
        return f"{why}: those that have one say the same."
    if found.confirmed:
        return f"{why}: those that have one point the same way, though not significantly."
    return f"{why}: the worse side has no more of them than the other."


def _difference(found: Evidence) -> str:
    one = found.improvement
    if one.delta is None or one.before is None or one.after is None:
        return ""
    verb = "rises" if one.delta > 0 else "falls" if one.delta < 0 else "stays"
    return (
        f"{one.label} {verb} from {one.before:.4f} to {one.after:.4f}, by {one.delta:+.4f}"
        f"{_chance(one, found.options.alpha)}: of {count_queries(one.queries)}, {one.wins} better, "
        f"{one.losses} worse, {one.ties} the same."
    )


def _chance(one: Difference, alpha: float) -> str:
    if one.p_adjusted is None or one.low is None or one.high is None:
        return ""
    p = "p < 0.0001" if one.p_adjusted < 0.0001 else f"p = {one.p_adjusted:.4f}"
    word = "significant" if one.p_adjusted <= alpha else "not significant"
    return f" ({1 - alpha:.0%} interval {one.low:+.4f} to {one.high:+.4f}; {p}, {word})"


def _harmed(found: Evidence) -> str:
    parts = [
        f"{one.attribute} {one.value} ({one.difference.delta:+.4f}, {count_queries(one.difference.queries)})"
        for one in found.harmed_slices
    ]
    return f"Significantly worse by itself: {', '.join(parts)}." if parts else ""


def _impact(found: Evidence) -> str:
    one = found.impact
    if one.change is None or one.changed is None:
        return ""
    order = "" if one.rbo is None else f", rank-biased overlap {one.rbo:.3f}"
    return (
        f"Impact {one.change:.3f}{order}: for {one.changed:.0%} of {count_queries(one.queries)} the top "
        f"{one.k} is not the same."
    )


def _judged(found: Evidence) -> str:
    if not found.improvement.queries:
        return ""
    return (
        f"Judged@{found.options.k} of the candidate is {_share(found.candidate)}, of the baseline "
        f"{_share(found.baseline)}; {found.options.rule.min_judged:g} is asked for.{_condensed(found)}"
    )


def _share(system: System) -> str:
    return "unknown (no hits)" if system.judged is None else f"{system.judged:.2f}"


def _condensed(found: Evidence) -> str:
    delta, low, high = found.condensed.delta, found.condensed.low, found.condensed.high
    if delta is None:
        return ""
    between = "" if low is None or high is None else f" (interval {low:+.4f} to {high:+.4f})"
    return f" Without the hits that have no grade the difference is {delta:+.4f}{between}."


def _detectable(found: Evidence) -> str:
    one = found.improvement
    if one.mde is None or found.significant:
        return ""
    return (
        f"{count_queries(one.queries).capitalize()} like these show a difference of {one.mde:.4f} or more "
        f"with a probability of {found.options.power:.0%}; what is smaller can be missed."
    )


def count_documents(count: int | None) -> str:
    """Return the first so many documents to judge as words; None is all of them."""
    many = "all" if count is None else f"the first {count:,} of the"
    return f"{many} documents to judge"


def count_queries(count: int) -> str:
    """Return so many queries as words."""
    return "1 query" if count == 1 else f"{count:,} queries"
