"""Offline evaluation: judgments, rankings of the engine, standard measures, and a decision.

>>> from kokeshi_eval import Contender, evaluate, load_judgments
>>> evaluation = evaluate(
...     Contender("now", index, "bm25"),
...     [Contender("new", index, "hybrid")],
...     load_judgments("judgments.csv"),
... )  # doctest: +SKIP
>>> evaluation.candidates[0].decision.verdict  # doctest: +SKIP
'A/B test'
"""

from kokeshi_eval.contenders import Contender, parse_contender
from kokeshi_eval.evaluate import evaluate
from kokeshi_eval.judgments import (
    Judgments,
    load_judgments,
    parse_judgments,
    write_judgments,
)
from kokeshi_eval.measure import compute_measures
from kokeshi_eval.model import (
    MEASURES,
    Candidate,
    Decision,
    Difference,
    Evaluation,
    Impact,
    Options,
    QueryResult,
    Rule,
    System,
    Verdict,
)
from kokeshi_eval.options import ENGINE_MEASURES, parse_options
from kokeshi_eval.overlap import rbo
from kokeshi_eval.pseudo import pseudo_grades
from kokeshi_eval.queries import EvalQuery, queries_of
from kokeshi_eval.query_sets import load_queries, sample_queries
from kokeshi_eval.templates import Template, load_template
from kokeshi_eval.terminal import print_evaluation

__all__ = [
    "ENGINE_MEASURES",
    "MEASURES",
    "Candidate",
    "Contender",
    "Decision",
    "Difference",
    "EvalQuery",
    "Evaluation",
    "Impact",
    "Judgments",
    "Options",
    "QueryResult",
    "Rule",
    "System",
    "Template",
    "Verdict",
    "compute_measures",
    "evaluate",
    "load_judgments",
    "load_queries",
    "load_template",
    "parse_contender",
    "parse_judgments",
    "parse_options",
    "print_evaluation",
    "pseudo_grades",
    "queries_of",
    "rbo",
    "sample_queries",
    "write_judgments",
]
