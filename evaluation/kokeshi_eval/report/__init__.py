"""Reports of an evaluation: HTML, Markdown, JUnit XML, JSON, images; and the JSON read again."""

from kokeshi_eval.report.html import build_html
from kokeshi_eval.report.junit import build_junit
from kokeshi_eval.report.markdown import build_markdown
from kokeshi_eval.report.saved import parse_evaluation, read_evaluation
from kokeshi_eval.report.write import check_report, write_report

__all__ = [
    "build_html",
    "build_junit",
    "build_markdown",
    "check_report",
    "parse_evaluation",
    "read_evaluation",
    "write_report",
]
