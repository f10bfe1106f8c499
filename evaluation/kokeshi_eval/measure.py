"""Measures of rankings against judgments, from the hits that came back.

nDCG@k = DCG@k / DCG@k of the judged documents in the best order, DCG@k the sum over ranks r <= k of
         gain(grade) / log2(r + 1); gain 2^grade - 1 (Burges et al. 2005) or the grade itself
         (Järvelin and Kekäläinen 2002)
AP@k   = the sum over relevant ranks r <= k of P@r, divided by all relevant documents
RR@k   = 1 / rank of the first relevant hit
P@k, R@k = relevant hits among the first k, divided by k, and by all relevant documents
ERR@k  = the sum over ranks r <= k of 1/r * R_r * prod over i < r of (1 - R_i), with
         R = (2^grade - 1) / 2^highest grade of the scale (Chapelle, Metlzer, Zhang, Grinspan 2009)

A document with a grade of 1 or more is relevant. A hit without a grade counts as grade 0. A query
without hits, or without a positive grade, is 0. All are by ir_measures, but ERR: the programs that
it knows for it take other scales.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from kokeshi.errors import InputError, MissingExtraError
from kokeshi_eval.model import Gain, Measure, Options

Rankings = Mapping[str, Sequence[str]]
"""query -> documents, best first, none twice."""

Grades = Mapping[str, Mapping[str, int]]
"""query -> document -> grade, 0 or more."""


@dataclass(frozen=True)
class Scored:
    """One ranking against its grades.

    values: label -> value. judged: Judged@k, None without hits. condensed: the first measure on the
    condensed list.
    """

    values: dict[str, float]
    judged: float | None
    condensed: float


def score_rankings(
    rankings: Rankings, grades: Grades, options: Options, *, max_grade: int | None = None
) -> dict[str, Scored]:
    """Return the scores of every query of the rankings or the grades, at `options.k`.

    rankings: may be deeper than k: a condensed list takes from there what it lacks. A query that is
    missing has no hits. max_grade: see `compute_measures`. Raises InputError, MissingExtraError.
    """
    names, k, gain = options.measures, options.k, options.gain
    values = compute_measures(rankings, grades, names, k, gain=gain, max_grade=max_grade)
    lists = {query: condense(ids, grades.get(query, {})) for query, ids in rankings.items()}
    condensed = compute_measures(lists, grades, names[:1], k, gain=gain, max_grade=max_grade)
    return {
        query: Scored(
            found,
            judged_share(rankings.get(query, ()), grades.get(query, {}), k),
            *condensed[query].values(),
        )
        for query, found in values.items()
    }


def compute_measures(
    rankings: Rankings,
    grades: Grades,
    names: Sequence[Measure],
    k: int,
    *,
    gain: Gain = "exponential",
    max_grade: int | None = None,
) -> dict[str, dict[str, float]]:
    """Return query -> label -> value, for every query of the rankings or the grades.

    max_grade: the highest of the scale, which ERR depends on; the highest of the grades if None.
    Raises InputError for a grade above it, MissingExtraError without ir_measures.
    """
    highest = _find_highest(grades, max_grade)
    found = {query: {f"{name}@{k}": 0.0 for name in names} for query in {**rankings, **grades}}
    asked = {q: ids[:k] for q, ids in rankings.items() if ids and grades.get(q)}
    for query, label, value in _compute(asked, grades, names, k, gain):
        found[query][label] = value
    if "ERR" in names:
        for query, ids in asked.items():
            found[query][f"ERR@{k}"] = err([grades[query].get(id_, 0) for id_ in ids], highest)
    return found


def err(grades: Sequence[int], max_grade: int) -> float:
    """Return the expected reciprocal rank of hits, by their grades in order (Chapelle et al. 2009).

    >>> err([0, 1], 1)
    0.25
    """
    found, unsatisfied = 0.0, 1.0
    for rank, grade in enumerate(grades, start=1):
        satisfies = gain_of(grade) / 2**max_grade
        found += unsatisfied * satisfies / rank
        unsatisfied *= 1 - satisfies
    return found


def gain_of(grade: int, gain: Gain = "exponential") -> int:
    """Return what a document of a grade adds to DCG at rank 1: 2^grade - 1, or the grade."""
    return (1 << grade) - 1 if gain == "exponential" else grade


def judged_share(ids: Sequence[str], grades: Mapping[str, int], k: int) -> float | None:
    """Judged@k: the share of the first k hits that have a grade; None where there is no hit."""
    top = ids[:k]
    return sum(doc_id in grades for doc_id in top) / len(top) if top else None


def condense(ids: Iterable[str], grades: Mapping[str, int]) -> list[str]:
    """Return the hits that have a grade, in order: the condensed list (Sakai, SIGIR 2007)."""
    return [doc_id for doc_id in ids if doc_id in grades]


def _find_highest(grades: Grades, max_grade: int | None) -> int:
    highest = max((grade for row in grades.values() for grade in row.values()), default=0)
    if max_grade is not None and highest > max_grade:
        raise InputError(
            f"max_grade {max_grade}: a document has grade {highest}; give at least that"
        )
    return highest if max_grade is None else max_grade


def _compute(
    rankings: Rankings, grades: Grades, names: Sequence[Measure], k: int, gain: Gain
) -> Iterator[tuple[str, str, float]]:
    """Yield query, label and value of what ir_measures computes."""
    others = [name for name in names if name != "ERR"]
    if not (rankings and others):
        return
    found = _ir_measures()
    # gains left out are the grades, and -rank keeps the order of hits whose scores are tied
    gains = {grade: gain_of(grade, gain) for row in grades.values() for grade in row.values()}
    known = {"nDCG": found.nDCG(gains=gains)}
    measures = [known.get(name, getattr(found, name)) @ k for name in others]
    qrels = {query: dict(grades[query]) for query in rankings}
    runs = {q: {id_: -float(rank) for rank, id_ in enumerate(r)} for q, r in rankings.items()}
    for metric in found.iter_calc(measures, qrels, runs):
        yield metric.query_id, f"{metric.measure.NAME}@{k}", metric.value


def _ir_measures() -> ModuleType:
    try:
        import ir_measures
    except ImportError:
        raise MissingExtraError("the evaluation", "eval") from None
    module: ModuleType = ir_measures
    return module
