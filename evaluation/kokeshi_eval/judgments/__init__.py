"""Judgments (qrels): which document deserves which grade for which query.

Read from files of several formats and raters (`load_judgments`), or estimated from clicks.
"""

from kokeshi_eval.judgments.check import (
    Unknown,
    check_any_positive,
    check_indices,
    check_queries,
    find_unknown,
)
from kokeshi_eval.judgments.load import load_judgments, parse_judgments
from kokeshi_eval.judgments.model import MAX_GRADE, Format, Judgments, Merge
from kokeshi_eval.judgments.raters import krippendorff_alpha
from kokeshi_eval.judgments.scales import parse_scale
from kokeshi_eval.judgments.write import write_judgments

__all__ = [
    "MAX_GRADE",
    "Format",
    "Judgments",
    "Merge",
    "Unknown",
    "check_any_positive",
    "check_indices",
    "check_queries",
    "find_unknown",
    "krippendorff_alpha",
    "load_judgments",
    "parse_judgments",
    "parse_scale",
    "write_judgments",
]
