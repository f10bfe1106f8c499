"""Offline evaluation: judgments, rankings of the engine, standard measures, and two plans compared."""

from kokeshi_eval.batches import build_batches
from kokeshi_eval.compare import compare
from kokeshi_eval.comparison import Comparison, Impact, Means, QueryRow, Summary
from kokeshi_eval.judgments import Judgments, load_judgments, parse_judgments
from kokeshi_eval.measures import Scores, dcg_gain, judged_share, ndcg, score
from kokeshi_eval.pseudo import pseudo_grades
from kokeshi_eval.rank_eval import build_ratings, build_request, parse_response, send_rank_eval
from kokeshi_eval.ranker import Ranker
from kokeshi_eval.ranking import Ranking, Route
from kokeshi_eval.render import build_notes, build_table, build_warnings, print_comparison

__all__ = [
    "Comparison",
    "Impact",
    "Judgments",
    "Means",
    "QueryRow",
    "Ranker",
    "Ranking",
    "Route",
    "Scores",
    "Summary",
    "build_batches",
    "build_notes",
    "build_ratings",
    "build_request",
    "build_table",
    "build_warnings",
    "compare",
    "dcg_gain",
    "judged_share",
    "load_judgments",
    "ndcg",
    "parse_judgments",
    "parse_response",
    "print_comparison",
    "pseudo_grades",
    "score",
    "send_rank_eval",
]
