"""What moved between two lists, what documents are called, and which figures need a word."""

import pytest

from kokeshi_eval.model import EngineFigure, Ranked
from kokeshi_eval.report.lists import MAX_CHARS, build_hits, build_pairs, describe
from kokeshi_eval.report.tables import build_flags, build_to_judge, build_wrong
from tests.evaluations import build_evaluation

EVALUATION = build_evaluation()


def ranked(ids, grades):
    return Ranked(ids=tuple(ids), grades=tuple(grades), values={}, judged=None, condensed=0.0)


BEFORE = ranked("abcd", (3, None, 0, 1))
AFTER = ranked("cabx", (0, 3, None, 2))


def moves(own, other, missing):
    hits = build_hits(EVALUATION, "shop-2026", own, other, missing)
    return [(hit.doc_id, hit.move, hit.by) for hit in hits]


def test_a_candidates_hits_say_where_they_come_from():
    assert moves(AFTER, BEFORE, "new") == [
        ("c", "up", 2),
        ("a", "down", 1),
        ("b", "down", 1),
        ("x", "new", 0),
    ]


def test_a_baselines_hits_say_where_they_go():
    assert moves(BEFORE, AFTER, "gone") == [
        ("a", "down", 1),
        ("b", "down", 1),
        ("c", "up", 2),
        ("d", "gone", 0),
    ]


def test_only_the_first_k_hits_are_listed_but_all_ranks_are_known():
    ids = [f"d{n}" for n in range(20)]
    hits = build_hits(
        EVALUATION, "shop-2026", ranked(ids, [0] * 20), ranked(ids[::-1], [0] * 20), "new"
    )
    assert len(hits) == EVALUATION.options.k
    assert (hits[0].move, hits[0].by) == ("up", 19)


def test_grades_are_shaded_from_zero_to_the_best():
    hits = build_hits(EVALUATION, "shop-2026", BEFORE, AFTER, "gone")
    assert [(hit.grade, hit.shade) for hit in hits] == [(3, 4), (None, None), (0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("7", "")),
        ({"brand": "Corvid", "title": "Red hat"}, ("Red hat", "Corvid")),
        ({"sku": "A1", "sizes": ["S", "M"], "note": None}, ("A1", "S, M")),
        ({"title": "", "price": 9.5}, ("9.5", "")),
        ({"title": "x" * 999}, ("x" * (MAX_CHARS - 1) + "…", "")),
    ],
)
def test_a_document_is_called_by_its_title_or_its_first_field(fields, expected):
    assert describe("7", fields) == expected


def test_a_pair_has_both_lists_and_both_requests():
    candidate = EVALUATION.candidates[0]
    pair = build_pairs(EVALUATION, 0, candidate.helped)[0]
    assert pair.query.id == candidate.helped[0]
    assert pair.delta == pair.after - pair.before > 0
    assert list(pair.requests) == ["bm25", "hybrid"]
    assert '"_name": "hybrid"' in pair.requests["hybrid"][0]
    assert pair.candidate[0].title != pair.candidate[0].doc_id


def test_figures_with_another_definition_are_flagged_and_not_wrong():
    flags = build_flags(EVALUATION)
    assert [(flag.query.id, flag.system, flag.label, flag.figure.wrong) for flag in flags] == [
        ("q29", "bm25", "nDCG@10", False)
    ]


def test_a_figure_that_its_hits_do_not_give_is_wrong_and_comes_first():
    wrong = EngineFigure(value=0.9, expected=0.4, standard=0.4)
    last = EVALUATION.queries[-1]
    answer = last.candidates[0]
    answer = answer.model_copy(
        update={"ranked": answer.ranked.model_copy(update={"engine": {"nDCG@10": wrong}})}
    )
    query = last.model_copy(update={"candidates": (answer, *last.candidates[1:])})
    changed = EVALUATION.model_copy(update={"queries": (*EVALUATION.queries[:-1], query)})
    assert [flag.figure.wrong for flag in build_flags(changed)] == [True, False]
    assert [flag.query.id for flag in build_wrong(changed, "hybrid")] == ["q40"]
    assert build_wrong(changed, "bm25") == ()


def test_documents_to_judge_have_their_titles():
    candidate = EVALUATION.candidates[1]
    rows = build_to_judge(EVALUATION, candidate)
    assert [row.doc_id for row in rows] == [one.doc_id for one in candidate.decision.to_judge]
    assert all(row.title != row.doc_id for row in rows)
