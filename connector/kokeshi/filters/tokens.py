"""Text into tokens, and errors that point at the column."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kokeshi.errors import FilterError
from kokeshi.filters.literals import ESCAPES, KEYWORDS, Value, parse_word
from kokeshi.filters.model import Operator

Kind = Literal["field", "string", "word", "keyword", "operator", "(", ")", ",", "end"]

OPERATOR_TEXTS: dict[str, Operator] = {
    "=": "==",
    "==": "==",
    "!=": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
_MEANT = {
    "=<": "<=",
    "=>": ">=",
    "=!": "!=",
    "<>": "!=",
    "===": "=",
    "!==": "!=",
    "&": "and",
    "&&": "and",
    "|": "or",
    "||": "or",
    "!": "not",
    "~": "not",
}
_SHOWN = 36  # columns of text shown on each side of the error

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<quoted>(?P<mark>["'`])(?P<body>(?:\\.|(?!(?P=mark))[^\\])*)(?P=mark))
    | (?P<operator>[<>=!&|~]+)
    | (?P<punctuation>[(),])
    | (?P<bare>
          [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?
            (?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?(?![\w.:\-])
        | [+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.\-])
        | \w[\w.\-]*
      )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Token:
    """A piece of the text: `value` is what it stands for, `start` its offset."""

    kind: Kind
    text: str
    value: Value
    start: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(_one_line(self.text))

    def is_keyword(self, *names: str) -> bool:
        """Whether it is one of these keywords, in any case."""
        return self.kind == "keyword" and self.value in names


def syntax_error(text: str, start: int, problem: str) -> FilterError:
    """Error whose message names the column and shows the text with a caret under it.

    >>> print(syntax_error("price =< 5", 6, "unknown operator '=<': did you mean '<='?"))
    column 7: unknown operator '=<': did you mean '<='?
      price =< 5
            ^
    """
    before, after = _one_line(text[:start]), _one_line(text[start:])
    if len(before) > _SHOWN:
        before = "…" + before[-_SHOWN:]
    if len(after) > _SHOWN:
        after = after[:_SHOWN] + "…"
    caret = " " * sum(map(_width, before)) + "^"
    return FilterError(f"column {start + 1}: {problem}\n  {before}{after}\n  {caret}")


def tokenize(text: str) -> Iterator[Token]:
    """Tokens of the text, then one of kind `end`.

    Raises:
        FilterError: an unknown character or operator, an unterminated string, a bad escape,
            an impossible date or number.
    """
    start = 0
    while start < len(text):
        found = _TOKEN.match(text, start)
        if found is None:
            raise _unreadable(text, start)
        if found.lastgroup != "space":
            yield _token(text, found)
        start = found.end()
    yield Token("end", "", "", len(text))


def _token(text: str, found: re.Match[str]) -> Token:
    start, piece = found.start(), found[0]
    if found["quoted"]:
        kind: Kind = "field" if found["mark"] == "`" else "string"
        return Token(kind, piece, _unescape(text, found), start)
    if found["operator"]:
        return Token("operator", piece, _operator(text, piece, start), start)
    if found["punctuation"]:
        return Token(piece, piece, piece, start)  # type: ignore[arg-type]
    if piece.lower() in KEYWORDS:
        return Token("keyword", piece, piece.lower(), start)
    try:
        return Token("word", piece, parse_word(piece), start)
    except ValueError as error:
        raise syntax_error(text, start, f"{_shorten(piece)} cannot be read: {error}") from error


def _operator(text: str, piece: str, start: int) -> Operator:
    if piece in OPERATOR_TEXTS:
        return OPERATOR_TEXTS[piece]
    remedy = f"use one of {' '.join(OPERATOR_TEXTS)}"
    if piece in _MEANT:
        remedy = f"did you mean {_MEANT[piece]!r}?"
    raise syntax_error(text, start, f"unknown operator {_shorten(piece)!r}: {remedy}")


def _unescape(text: str, found: re.Match[str]) -> str:
    def replace(escape: re.Match[str]) -> str:
        if escape[1] not in ESCAPES:
            at = found.start("body") + escape.start()
            known = " ".join("\\" + character for character in ESCAPES)
            raise syntax_error(text, at, f"unknown escape {escape[0]!r}: use one of {known}")
        return ESCAPES[escape[1]]

    return _ESCAPE.sub(replace, found["body"])


def _unreadable(text: str, start: int) -> FilterError:
    character = text[start]
    if character in "\"'`":
        return syntax_error(text, start, f"this {character} is never closed: add one at the end")
    problem = f"unknown character {character!r}: put text that holds it in quotation marks"
    return syntax_error(text, start, problem)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
