from __future__ import annotations

import pytest

from kokeshi_eval.decision import FIRST, LEAST, decide
from kokeshi_eval.model import Difference, Impact, Options, Route, Rule, Slice, System, Unjudged
from kokeshi_eval.unjudged import Missing

UP, DOWN = 0.04, -0.04


def system(label, judged):
    return System(
        label=label,
        index="i",
        plan=label,
        route=Route(path="_rank_eval"),
        values={},
        judged=judged,
        hits=10.0,
    )


def difference(delta, p, *, queries=116, half=0.03, mde=0.045, label="nDCG@10"):
    """half: of the width of the interval."""
    if delta is None:
        return Difference(label=label, queries=0, before=None, after=None, delta=None)
    tested = p is not None
    return Difference(
        label=label,
        queries=queries,
        before=0.5,
        after=0.5 + delta,
        delta=delta,
        low=delta - half if tested else None,
        high=delta + half if tested else None,
        p=p,
        p_adjusted=p,
        wins=40,
        ties=46,
        losses=30,
        mde=mde if tested else None,
    )


def impact(change=0.2, rbo=0.7):
    known = change is not None
    return Impact(
        k=20,
        queries=120 if known else 0,
        pseudo_ndcg=1 - change if known else None,
        change=change,
        rbo=rbo,
        changed=0.9 if known else None,
        kept=0.8 if known else None,
    )


def open_hits(delta, to=None, count=4):
    """Hits that favour the candidate, each by as much, and as many that favour the baseline, to `to`."""
    low, high = to or (-1.0, 1.0)
    up, down = (high - delta) / count, (low - delta) / count
    documents = [
        Unjudged(query=f"q{n}", doc_id=name, swing=swing)
        for n in range(count)
        for name, swing in (("new", up), ("old", down))
    ]
    rise = [delta + up * ((n + 1) // 2) for n in range(2 * count + 1)]
    fall = [delta + down * (n // 2) for n in range(2 * count + 1)]
    return Missing(tuple(documents), low, high, tuple(rise), tuple(fall))


def judge(
    delta=UP,
    p=0.01,
    *,
    judged=(0.9, 0.9),
    condensed=None,
    bounds=None,
    moved=(0.2, 0.7),
    rule=None,
    queries=116,
    mde=0.045,
    half=0.03,
    missing=None,
    slices=(),
    label="nDCG@10",
):
    """Decide. judged: of baseline and candidate. condensed: delta, p, half; as the difference if None."""
    alone = condensed or (delta, p)
    return decide(
        system("old", judged[0]),
        system("new", judged[1]),
        difference(delta, p, queries=queries, mde=mde, half=half, label=label),
        difference(alone[0], alone[1], half=alone[2] if len(alone) > 2 else half),
        impact(*moved),
        missing or open_hits(delta or 0.0, bounds),
        slices,
        Options(rule=rule or Rule()),
    )


def verdict(*args, **options):
    return judge(*args, **options).verdict


def first(decision):
    return decision.reasons[0]


def text(decision):
    return " ".join(decision.reasons)


# Each verdict


def test_a_large_significant_gain_deserves_a_test():
    found = judge()
    assert found.verdict == "A/B test"
    assert first(found).startswith("Improves: the gain is not explained by hits without a grade")
    assert "nDCG@10 rises from 0.5000 to 0.5400, by +0.0400" in text(found)
    assert "(95% interval +0.0100 to +0.0700; p = 0.0100, significant)" in text(found)
    assert "of 116 queries, 40 better, 30 worse, 46 the same" in text(found)
    assert "Impact 0.200, rank-biased overlap 0.700: for 90% of 120 queries the top 20" in text(
        found
    )
    assert "Judged@10 of the candidate is 0.90, of the baseline 0.90; 0.5 is asked for" in text(
        found
    )
    assert found.to_judge == ()


@pytest.mark.parametrize(("delta", "bounds"), [(UP, (-0.9, -0.8)), (DOWN, (0.8, 0.9))])
def test_bounds_of_the_other_sign_prove_nothing(delta, bounds):
    """Of a rounded figure, or of another measure than the one that decides."""
    low = (0.2, 0.9) if delta > 0 else (0.9, 0.2)
    found = judge(delta, judged=low, condensed=(0.0, 1.0), bounds=bounds)
    assert found.verdict not in ("A/B test", "reject")


@pytest.mark.parametrize(("delta", "bounds"), [(UP, (0.01, 0.09)), (DOWN, (-0.09, -0.01))])
def test_bounds_of_ndcg_say_nothing_of_another_measure(delta, bounds):
    """The side that loses lacks the grades, and no grade could turn nDCG."""
    judged = (0.2, 0.9) if delta > 0 else (0.9, 0.2)
    sure = judge(delta, judged=judged, condensed=(0.0, 1.0), bounds=bounds)
    assert sure.verdict == ("A/B test" if delta > 0 else "reject")
    open_ = judge(delta, judged=judged, condensed=(0.0, 1.0), bounds=bounds, label="RR@10")
    assert open_.verdict == "collect judgments"
    assert "nDCG" not in first(open_)
    assert open_.to_judge


def test_what_the_graded_hits_do_not_prove_is_not_said():
    assert "those that have one say the same." in first(judge())
    weak = first(judge(condensed=(0.01, 0.4, 0.03)))
    assert "point the same way, though not significantly" in weak


def test_a_part_that_is_worse_by_itself_is_named_beside_the_verdict():
    worse, chance = difference(-0.365, 0.0016, queries=12), difference(-0.2, 0.3, queries=9)
    slices = [
        Slice(attribute="group", value=value, difference=found, change=0.5)
        for value, found in (("phrase", worse), ("other", chance), ("word", difference(0.5, 0.01)))
    ]
    found = judge(slices=slices)
    assert found.verdict == "A/B test"
    assert "Significantly worse by itself: group phrase (-0.3650, 12 queries)." in text(found)
    assert "worse by itself" not in text(judge(slices=slices[1:]))
    assert "worse by itself" not in text(judge(slices=slices, rule=Rule(min_delta=0.4)))


def test_a_significant_loss_is_rejected():
    found = judge(DOWN)
    assert found.verdict == "reject"
    assert first(found) == (
        "Harmful: the loss is not explained by hits without a grade: those that have one say the same."
    )
    assert (
        "Without the hits that have no grade the difference is -0.0400 (interval -0.0700"
        in text(found)
    )
    assert "nDCG@10 falls from 0.5000 to 0.4600, by -0.0400" in text(found)


def test_hardly_any_move_is_skipped():
    found = judge(moved=(0.01, 0.99))
    assert found.verdict == "skip"
    assert first(found) == (
        "Small: neither the documents of the top 20 nor their order move by 0.05 or more."
    )


def test_no_gain_is_skipped_with_what_could_have_been_seen():
    found = judge(0.01, 0.4)
    assert found.verdict == "skip"
    assert first(found) == "No gain is shown."
    assert "p = 0.4000, not significant" in text(found)
    assert (
        "116 queries like these show a difference of 0.0450 or more with a probability of 80%"
        in text(found)
    )


def test_hits_without_a_grade_that_could_make_a_gain_are_named():
    found = judge(-0.02, 0.3, judged=(0.9, 0.4), condensed=(0.02, 0.3))
    assert found.verdict == "collect judgments"
    swing = (1.0 + 0.02) / 4
    assert -0.02 + swing > 0.03  # half of the interval's width: the first document is enough
    assert found.to_judge == open_hits(-0.02).documents  # few enough to name them all
    assert (
        "with the best grade for those of the first 1 of the documents to judge that favour"
        in first(found)
    )
    assert "the difference would be +0.2350; about +0.0300 is needed" in first(found)


# The order of the questions


def test_harm_is_rejected_however_small_the_impact():
    assert verdict(DOWN, moved=(0.0, 1.0)) == "reject"


def test_a_small_change_needs_no_judgments():
    assert verdict(None, None, moved=(0.01, 0.99), missing=open_hits(0.0)) == "skip"


# What a figure that is missing does


def test_without_a_graded_query_the_first_documents_are_named():
    many = open_hits(0.0, count=40)
    found = judge(None, None, judged=(None, None), missing=many)
    assert found.verdict == "collect judgments"
    assert first(found) == (
        "0 queries with a grade above 0: nothing can be said of improvement with fewer than 5."
    )
    assert found.to_judge == many.documents[:FIRST]
    assert "Judged" not in text(found)
    assert "None" not in text(found)


def test_too_few_graded_queries():
    found = judge(0.3, None, queries=4)
    assert found.verdict == "collect judgments"
    assert first(found).startswith("4 queries with a grade above 0")
    assert judge(0.3, None, queries=1).reasons[0].startswith("1 query with")


def test_without_hits_of_the_baseline_the_impact_is_unknown():
    found = judge(moved=(None, None))
    assert found.verdict == "collect judgments"
    assert first(found).startswith("No impact is known, since neither the baseline")
    assert verdict(DOWN, moved=(None, None)) == "reject"


def test_hits_that_change_nothing_are_not_named():
    still = Unjudged(query="q", doc_id="d", swing=0.0)
    found = judge(None, None, missing=Missing((still,), 0.0, 0.0, (0.0, 0.0), (0.0, 0.0)))
    assert found.to_judge == ()


# The bounds of the rule are inclusive


@pytest.mark.parametrize(
    ("p", "expected"), [(0.05, "A/B test"), (0.0501, "skip"), (0.0001, "A/B test"), (1.0, "skip")]
)
def test_alpha(p, expected):
    assert verdict(p=p) == expected


@pytest.mark.parametrize(("p", "expected"), [(0.05, "reject"), (0.0501, "skip")])
def test_alpha_of_a_loss(p, expected):
    assert verdict(DOWN, p) == expected


@pytest.mark.parametrize(
    ("delta", "least", "expected"),
    [
        (0.04, 0.04, "A/B test"),
        (0.3 - 0.26, 0.04, "A/B test"),
        (0.04, 0.041, "skip"),
        (-0.04, 0.04, "reject"),
        (-0.04, 0.041, "skip"),
        (0.001, 0.0, "A/B test"),
        (-0.001, 0.0, "reject"),
        (0.0, 0.0, "skip"),
    ],
)
def test_min_delta(delta, least, expected):
    assert verdict(delta, rule=Rule(min_delta=least)) == expected


def test_a_gain_that_is_too_small_says_so():
    assert first(judge(0.04, rule=Rule(min_delta=0.041))) == "The gain is below 0.041."


@pytest.mark.parametrize(
    ("change", "rbo", "expected"),
    [
        (0.05, 1.0, "A/B test"),
        (0.0499, 1.0, "skip"),
        (0.0, 0.95, "A/B test"),  # another order of the same documents
        (0.0, 0.9501, "skip"),
        (0.05, None, "A/B test"),
        (0.0499, None, "skip"),
    ],
)
def test_min_impact(change, rbo, expected):
    assert verdict(moved=(change, rbo)) == expected


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        ((0.9, 0.5), "A/B test"),
        ((0.9, 0.499), "collect judgments"),
        ((0.4, 0.4), "collect judgments"),
    ],
)
def test_min_judged_of_a_gain(judged, expected):
    assert verdict(judged=judged) == expected


def test_min_judged_can_be_none():
    assert verdict(judged=(0.1, 0.1), rule=Rule(min_judged=0)) == "A/B test"


# Losses that missing grades may explain


@pytest.mark.parametrize(
    ("judged", "condensed", "expected"),
    [
        ((0.9, 0.9), (DOWN, 0.01), "reject"),
        ((0.9, 0.85), (0.01, 0.5), "reject"),  # about as many, and no proof of the contrary
        ((0.9, 0.84), (0.01, 0.5), "collect judgments"),  # its new hits may make all of it
        ((0.9, 0.84), (0.0, 1.0), "collect judgments"),
        ((0.9, 0.84), (-0.01, 0.5), "reject"),  # the graded hits say the same
        ((0.9, 0.5), (-0.01, 0.5), "reject"),
        ((0.9, 0.49), (-0.01, 0.5), "reject"),  # they are few, but up to 0.02 only is possible
        ((0.9, 0.49), (-0.0001, 0.9), "reject"),
        ((0.3, 0.3), (DOWN, 0.01), "reject"),
        ((0.2, 0.9), (DOWN, 0.01), "reject"),
        ((0.9, 0.9), (UP, 0.05), "collect judgments"),
        ((0.9, 0.9), (UP, 0.051), "reject"),
    ],
)
def test_a_loss_in_doubt(judged, condensed, expected):
    assert verdict(DOWN, judged=judged, condensed=condensed) == expected


@pytest.mark.parametrize(
    ("delta", "shares", "half", "expected"),
    [
        (DOWN, (0.9, 0.49), 0.04, "collect judgments"),  # -0.01 + 0.04 would count
        (DOWN, (0.9, 0.49), 0.039, "reject"),
        (DOWN, (0.9, 0.5), 0.04, "reject"),  # enough have a grade
        (UP, (0.49, 0.9), 0.04, "collect judgments"),
        (UP, (0.49, 0.9), 0.039, "A/B test"),
        (UP, (0.5, 0.9), 0.04, "A/B test"),
    ],
)
def test_few_graded_hits_must_exclude_the_contrary(delta, shares, half, expected):
    alone = (-0.01 if delta < 0 else 0.01, 0.6, half)
    assert verdict(delta, judged=shares, condensed=alone) == expected


def test_few_graded_hits_without_a_test_exclude_nothing():
    assert verdict(DOWN, judged=(0.9, 0.4), condensed=(-0.01, None)) == "collect judgments"


def test_a_loss_that_only_equal_shares_vouch_for_says_so():
    found = judge(DOWN, judged=(0.9, 0.9), condensed=(0.01, 0.5))
    assert first(found).endswith("grade: the worse side has no more of them than the other.")


def test_a_loss_that_no_grades_could_turn_is_rejected():
    found = judge(DOWN, judged=(0.9, 0.1), condensed=(UP, 0.01), bounds=(-0.2, -0.001))
    assert found.verdict == "reject"
    assert "with any grades for them the difference of nDCG@10 is from -0.2000 to -0.0010" in first(
        found
    )


def test_a_loss_that_grades_could_undo_but_not_make_a_gain_is_skipped():
    for unlikely in (
        judge(DOWN, judged=(0.9, 0.2), condensed=(0.01, 0.5), bounds=(-0.2, 0.01)),
        judge(DOWN, judged=(0.9, 0.7), condensed=(0.0, 1.0, 0.029)),
    ):
        assert unlikely.verdict == "skip"
        assert first(unlikely).startswith("It seems to harm; missing grades may explain that")


def test_a_candidate_without_hits_lacks_no_grade():
    found = judge(DOWN, judged=(0.9, None))
    assert found.verdict == "reject"
    assert "Judged@10 of the candidate is unknown (no hits), of the baseline 0.90" in text(found)


# Gains that missing grades may explain


@pytest.mark.parametrize(
    ("judged", "condensed", "expected"),
    [
        ((0.9, 0.9), (-0.01, 0.5), "A/B test"),
        ((0.7, 0.9), (0.01, 0.5), "A/B test"),
        ((0.7, 0.9), (-0.01, 0.5), "collect judgments"),  # the baseline's hits may be as good
        ((0.85, 0.9), (-0.01, 0.5), "A/B test"),
        ((0.9, 0.9), (DOWN, 0.05), "collect judgments"),
        ((0.9, 0.9), (DOWN, 0.06), "A/B test"),
    ],
)
def test_a_gain_in_doubt(judged, condensed, expected):
    assert verdict(judged=judged, condensed=condensed) == expected


def test_a_gain_that_no_grades_could_turn_needs_none():
    found = judge(judged=(0.1, 0.1), bounds=(0.001, 0.3))
    assert found.verdict == "A/B test"
    assert "from +0.0010 to +0.3000" in first(found)
    assert verdict(judged=(0.1, 0.1), bounds=(0.0, 0.3)) == "collect judgments"


def test_what_would_undo_a_gain_is_named():
    found = judge(judged=(0.9, 0.2), bounds=(-0.04, 1.0))
    assert found.verdict == "collect judgments"
    # each of the baseline's takes 0.02: the second of them, fourth of all, takes the rest
    assert (
        "the first 4 of the documents to judge that favour the baseline, nothing would be left"
        in first(found)
    )


def test_a_gain_that_single_documents_do_not_undo_names_all():
    documents = open_hits(UP).documents
    held = Missing(documents, -0.1, 1.0, (UP,) * 9, (UP,) * 9)
    found = judge(judged=(0.9, 0.2), missing=held)
    assert found.to_judge == documents
    assert first(found).endswith("no one knows how much of it would be left.")


# No difference yet, and hits without a grade


@pytest.mark.parametrize(
    ("judged", "bounds", "expected"),
    [
        ((0.9, 0.9), (-1, 1), "skip"),  # nearly all are graded, as those of the baseline are
        ((0.9, 0.84), (-1, 1), "collect judgments"),  # clearly more are new
        ((0.9, 0.85), (-1, 1), "skip"),
        ((0.49, 0.49), (-1, 1), "collect judgments"),  # few are graded
        ((0.5, 0.5), (-1, 1), "skip"),
        ((0.9, 0.3), (-0.1, 0.03), "collect judgments"),  # 0.03 would be significant
        ((0.9, 0.3), (-0.1, 0.029), "skip"),
    ],
)
def test_what_could_still_become_a_gain(judged, bounds, expected):
    assert verdict(0.0, 1.0, judged=judged, bounds=bounds) == expected


def test_what_is_needed_is_at_least_min_delta():
    rule = Rule(min_delta=0.1)
    asked = {"judged": (0.9, 0.3), "rule": rule, "mde": None}
    wide = (0.0, 1.0, 0.1)
    assert verdict(0.0, 1.0, bounds=(-1, 0.1), condensed=wide, **asked) == "collect judgments"
    assert verdict(0.0, 1.0, bounds=(-1, 0.099), condensed=wide, **asked) == "skip"
    assert verdict(0.0, 1.0, bounds=(-1, 0.1), condensed=(0.0, 1.0, 0.09), **asked) == "skip"


def test_a_gain_that_graded_hits_make_unlikely_is_not_looked_for():
    asked = {"judged": (0.9, 0.3), "bounds": (-1.0, 1.0)}
    assert verdict(-0.01, 0.5, condensed=(0.0, 1.0), **asked) == "collect judgments"
    assert verdict(-0.01, 0.5, condensed=(-0.001, 0.9), **asked) == "skip"
    assert verdict(-0.01, 0.5, condensed=(-0.3, None), **asked) == "collect judgments"


def test_no_fewer_documents_are_named_than_pay_the_way():
    many = open_hits(0.0, count=40)
    found = judge(0.0, 1.0, judged=(0.9, 0.3), missing=many)
    assert "those of the first 3 of the documents" in first(
        found
    )  # 0.025 each: the second that favours it
    assert found.to_judge == many.documents[:LEAST]
    far = judge(0.0, 1.0, judged=(0.9, 0.3), missing=many, half=0.5)
    assert "those of the first 39 of the documents" in first(far)
    assert far.to_judge == many.documents[:39]


def test_a_gain_that_just_is_not_significant_takes_a_document_all_the_same():
    found = judge(0.035, 0.06, judged=(0.9, 0.4))
    assert found.verdict == "collect judgments"
    assert "the first 1 of the documents to judge" in first(found)


def test_a_gain_that_takes_all_documents_names_all():
    documents = open_hits(0.0).documents
    flat = Missing(documents, -1.0, 1.0, (0.0,) * 9, (0.0,) * 9)
    found = judge(0.0, 1.0, judged=(0.9, 0.3), missing=flat)
    assert found.verdict == "collect judgments"
    assert found.to_judge == documents


def test_graded_hits_that_do_not_differ_leave_it_to_the_others():
    found = judge(0.0, 1.0, judged=(0.9, 0.3), half=0.0, mde=None, bounds=(-0.1, 0.2))
    assert found.verdict == "collect judgments"
    assert first(found) == (
        "Open: by the hits that have a grade no query differs, and the others could make a "
        "difference of +0.2000."
    )
    assert found.to_judge == open_hits(0.0, (-0.1, 0.2)).documents
    at_best = {"judged": (0.9, 0.3), "half": 0.0, "mde": None, "bounds": (-0.1, 0.0)}
    assert verdict(0.0, 1.0, **at_best) == "skip"


def test_without_documents_there_is_nothing_to_judge():
    nothing = Missing((), 0.5, 0.5, (0.5,), (0.5,))
    assert verdict(0.0, 1.0, judged=(0.9, 0.3), missing=nothing) == "skip"


# Too few queries


@pytest.mark.parametrize(
    ("delta", "least", "expected"),
    [
        (0.01, 0.02, "collect judgments"),  # 0.01 + 0.03 reaches it, 0.045 is what can be seen
        (0.01, 0.04, "collect judgments"),
        (0.01, 0.0401, "skip"),  # out of the interval
        (0.01, 0.0, "skip"),  # nobody said what counts
        (-0.02, 0.02, "skip"),
    ],
)
def test_a_gain_that_counts_and_cannot_be_seen(delta, least, expected):
    assert verdict(delta, 0.4, rule=Rule(min_delta=least)) == expected


def test_enough_queries_end_the_search():
    assert verdict(0.01, 0.4, rule=Rule(min_delta=0.02), mde=0.019) == "skip"
    assert verdict(0.01, 0.4, rule=Rule(min_delta=0.02), mde=None) == "skip"


def test_how_many_queries_it_takes():
    found = judge(0.01, 0.4, rule=Rule(min_delta=0.015), mde=0.045)
    assert "to show it takes about 1,044 queries with grades, not 116" in first(found)
    assert found.to_judge == ()


# All of it


CASES = [
    {"judged": judged, "condensed": condensed, "moved": moved, "bounds": bounds}
    for judged in ((0.9, 0.9), (0.9, 0.3), (0.3, 0.9), (0.2, 0.2))
    for condensed in ((-0.05, 0.01), (0.0, 1.0), (0.05, 0.01))
    for moved in ((0.3, 0.4), (0.01, 0.99))
    for bounds in ((-0.5, 0.5), (-0.11, 0.11))
]


@pytest.mark.parametrize("delta", [-0.1, -0.001, 0.0, 0.001, 0.1])
@pytest.mark.parametrize("p", [0.001, 0.2])
def test_no_verdict_says_what_the_figures_do_not(delta, p):
    for case in CASES:
        found = judge(delta, p, **case)
        if found.verdict in ("A/B test", "reject"):
            assert p <= 0.05, case
            assert (delta > 0) is (found.verdict == "A/B test"), case
            assert case["condensed"][0] * delta >= 0, case
        if found.verdict == "A/B test":
            assert case["judged"][1] >= 0.5, case
        if found.verdict != "reject" and case["moved"][0] < 0.05:
            assert found.verdict == "skip", case
        assert bool(found.to_judge) is (found.verdict == "collect judgments"), case
        assert all(reason.endswith(".") for reason in found.reasons), case
        assert not any(word in text(found) for word in ("None", "nan")), case
