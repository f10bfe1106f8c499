"""What to do with a ranking change, by a rule, with the reasons in sentences.

The questions in order; the first yes decides (docs/decide.md):

1. reject            it harms, and missing grades do not explain that.
2. skip              hardly anything moves.
3. collect judgments a figure is missing: neither returns anything, or too few queries have grades.
4. A/B test          it improves, missing grades do not explain that, and enough hits are judged.
5. collect judgments it seems to improve, but hits without a grade could undo that.
6. collect judgments it shows no gain, but hits without a grade, of which it has many, may well make one.
7. collect judgments a gain of `min_delta` is possible, and the query set is too small to show it.
8. skip              no gain that this query set can show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Final

from kokeshi_eval.evidence import Evidence
from kokeshi_eval.model import (
    Decision,
    Difference,
    Impact,
    Options,
    Slice,
    System,
    Unjudged,
    Verdict,
)
from kokeshi_eval.reasons import build_reasons, count_documents, count_queries, say_cleared
from kokeshi_eval.significance import FEWEST
from kokeshi_eval.unjudged import Missing

FIRST: Final = 50
"""Documents to judge first, where no number of them is known to suffice."""

LEAST: Final = 20
"""As many are named even where fewer could turn the verdict: it should not turn again at once."""

Step = Callable[[Evidence], "Decision | None"]


def decide(
    baseline: System,
    candidate: System,
    improvement: Difference,
    condensed: Difference,
    impact: Impact,
    missing: Missing,
    slices: Sequence[Slice],
    options: Options,
) -> Decision:
    """Decide on a candidate.

    improvement: of the main measure, with p_adjusted. condensed: of the same on condensed lists.
    missing: of nDCG@k, see `find_missing`. slices: those that are harmed are named, and decide
    nothing. options: alpha, power and the rule.
    """
    found = Evidence(baseline, candidate, improvement, condensed, impact, missing, slices, options)
    steps: tuple[Step, ...] = (
        _reject,
        _skip_small,
        _ask_for_figures,
        _test,
        _confirm,
        _search,
        _enlarge,
    )
    return next((made for step in steps if (made := step(found))), _skip(found))


def _reject(found: Evidence) -> Decision | None:
    if not found.harms or found.doubtful:
        return None
    why = "the loss is not explained by hits without a grade"
    return _made("reject", found, f"Harmful: {say_cleared(found, why)}")


def _skip_small(found: Evidence) -> Decision | None:
    if not found.small:
        return None
    least = found.options.rule.min_impact
    return _made(
        "skip",
        found,
        f"Small: neither the documents of the top {found.impact.k} nor their order move by "
        f"{least:g} or more.",
    )


def _ask_for_figures(found: Evidence) -> Decision | None:
    if found.move is None:
        why = "No impact is known, since neither the baseline nor the candidate returns anything."
    elif not found.tested:
        why = (
            f"{count_queries(found.improvement.queries)} with a grade above 0: nothing can be said of "
            f"improvement with fewer than {FEWEST}."
        )
    else:
        return None
    return _made("collect judgments", found, why, _first(found))


def _test(found: Evidence) -> Decision | None:
    if not found.gains or found.doubtful or (found.too_few_judged and not found.robust):
        return None
    why = "the gain is not explained by hits without a grade"
    return _made("A/B test", found, f"Improves: {say_cleared(found, why)}")


def _confirm(found: Evidence) -> Decision | None:
    if not found.gains:
        return None
    count = _reach(found.missing.fall, lambda mean: mean <= 0) if found.bounded else None
    rest = (
        f"with the best grade for those of {count_documents(count)} that favour the baseline, nothing "
        "would be left of it"
        if count
        else "no one knows how much of it would be left"
    )
    why = f"It seems to improve, but that may come from hits without a grade: {rest}."
    return _made("collect judgments", found, why, _named(found, count))


def _search(found: Evidence) -> Decision | None:
    unknown = found.too_few_judged or found.new_hits or (found.harms and found.doubtful)
    if not (unknown and found.could_gain and found.missing.documents):
        return None
    if not found.bounded:
        to_judge, why = (
            _first(found),
            "grades for hits that have none could make a gain that counts.",
        )
    elif found.needed:
        to_judge, why = _settling(found)
    else:
        to_judge, why = _first(found), _nothing_to_see(found)
    return _made("collect judgments", found, f"Open: {why}", to_judge)


def _settling(found: Evidence) -> tuple[tuple[Unjudged, ...], str]:
    needed, means = found.needed, found.missing.rise
    count = _reach(means, lambda mean: mean >= needed)
    return _named(found, count), (
        f"with the best grade for those of {count_documents(count)} that favour the candidate, the "
        f"difference would be {means[count or -1]:+.4f}; about {needed:+.4f} is needed."
    )


def _nothing_to_see(found: Evidence) -> str:
    return (
        "by the hits that have a grade no query differs, and the others could make a difference of "
        f"{found.missing.high:+.4f}."
    )


def _enlarge(found: Evidence) -> Decision | None:
    mde, least = found.improvement.mde, found.options.rule.min_delta
    if not found.too_few_queries or mde is None:
        return None
    count = ceil(found.improvement.queries * (mde / least) ** 2)
    return _made(
        "collect judgments",
        found,
        f"Too few queries: a gain of {least:g} is possible, but to show it takes about {count:,} queries "
        f"with grades, not {found.improvement.queries:,}.",
    )


def _skip(found: Evidence) -> Decision:
    if found.harms:
        why = (
            "It seems to harm; missing grades may explain that, but a gain that counts is unlikely."
        )
    elif found.significant and found.delta > 0:
        why = f"The gain is below {found.options.rule.min_delta:g}."
    else:
        why = "No gain is shown."
    return _made("skip", found, why)


def _made(
    verdict: Verdict, found: Evidence, why: str, to_judge: Sequence[Unjudged] = ()
) -> Decision:
    return Decision(
        verdict=verdict,
        reasons=(why, *build_reasons(found)),
        to_judge=tuple(to_judge),
    )


def _reach(means: Sequence[float], enough: Callable[[float], bool]) -> int | None:
    """Return with how many documents, 1 or more, a mean is enough; None if with no number of them."""
    return next((count for count, mean in enumerate(means) if count and enough(mean)), None)


def _named(found: Evidence, count: int | None) -> tuple[Unjudged, ...]:
    """Return the first documents, the most swing first; all of them if no number is enough."""
    return found.missing.documents[: max(count, LEAST) if count else None]


def _first(found: Evidence) -> tuple[Unjudged, ...]:
    return tuple(one for one in found.missing.documents[:FIRST] if one.swing)
