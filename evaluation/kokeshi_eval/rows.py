"""One row for each query, from what the contenders returned: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kokeshi_eval.collect import Answers, Grades, pseudo_truth
from kokeshi_eval.definitions import expected, explain_figure
from kokeshi_eval.measure import Scored, score_rankings
from kokeshi_eval.model import Contended, Moved, Options, QueryResult, Ranked
from kokeshi_eval.overlap import kept, rbo, same_top
from kokeshi_eval.queries import EvalQuery


def build_rows(
    queries: Sequence[EvalQuery],
    grades: Grades,
    baseline: Answers,
    candidates: Sequence[Answers],
    options: Options,
    max_grade: int,
) -> tuple[QueryResult, ...]:
    """Return the results in the order of the queries and of the candidates."""
    before = build_ranked(baseline, grades, options, max_grade)
    after = [build_ranked(found, grades, options, max_grade) for found in candidates]
    moved = [build_moved(baseline, found, options) for found in candidates]
    return tuple(
        QueryResult(
            id=query.id,
            text=query.text,
            filter=query.filter,
            weight=query.weight,
            attributes=query.traits,
            positives=sum(grade > 0 for grade in grades.get(query.id, {}).values()),
            baseline=before[query.id],
            candidates=tuple(
                Contended(ranked=ranked[query.id], moved=moves.get(query.id))
                for ranked, moves in zip(after, moved, strict=True)
            ),
        )
        for query in queries
    )


def build_ranked(
    answers: Answers, grades: Grades, options: Options, max_grade: int
) -> dict[str, Ranked]:
    """Return each query's ranking, measured against the judgments."""
    scored = score_rankings(answers.ids, grades, options, max_grade=max_grade)
    return {
        query: _ranked(
            answers, query, ids, grades.get(query, {}), scored[query], options, max_grade
        )
        for query, ids in answers.ids.items()
    }


def build_moved(baseline: Answers, candidate: Answers, options: Options) -> dict[str, Moved]:
    """Return how far each ranking is from the baseline's; where neither has hits there is nothing to say."""
    k = options.impact_k
    truth = pseudo_truth(baseline.deep, k)
    shallow = options.model_copy(update={"k": k, "measures": ("nDCG",)})
    tops = {query: ids for query, ids in candidate.deep.items() if ids or query in truth}
    scored = score_rankings(tops, truth, shallow, max_grade=1)
    return {
        query: Moved(
            # without a baseline nothing of it is kept: all that is found is new
            pseudo_ndcg=(ndcg := scored[query].values[f"nDCG@{k}"]),
            engine_pseudo_ndcg=(engine := candidate.pseudo.get(query)),
            engine_expected=None
            if engine is None
            else expected("nDCG", top, truth.get(query, {}), k, 1),
            change=1 - ndcg,
            rbo=rbo(baseline.deep[query], top, options.rbo_p),
            kept=kept(baseline.deep[query], top, k),
            identical=same_top(baseline.deep[query], top, k),
        )
        for query, top in tops.items()
    }


def _ranked(
    answers: Answers,
    query: str,
    ids: tuple[str, ...],
    grades: Mapping[str, int],
    scored: Scored,
    options: Options,
    max_grade: int,
) -> Ranked:
    figures = answers.engine.get(query, {})
    engine = {
        f"{measure}@{options.k}": explain_figure(
            measure,
            figures[measure],
            scored.values[f"{measure}@{options.k}"],
            ids,
            grades,
            options.k,
            max_grade=max_grade,
            gain=options.gain,
        )
        for measure in options.measures
        if measure in figures
    }
    return Ranked(
        ids=ids,
        grades=tuple(grades.get(id_) for id_ in ids),
        values=dict(scored.values),
        engine=engine,
        judged=scored.judged,
        condensed=scored.condensed,
    )
