"""`match`: the words of a query in several fields, as `multi_match` of the engines scores them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from kokeshi.engines.memory.analysis import analyse
from kokeshi.engines.memory.bm25 import Postings
from kokeshi.engines.memory.refusal import not_in_memory
from kokeshi.engines.memory.store import Columns
from kokeshi.types import Float32, Json

_SHARE = re.compile(r"(-?)([0-9]+)%")
_NUMBER = re.compile(r"-?[0-9]+")


@dataclass(frozen=True)
class Words:
    """What is matched. fields: with their boosts, `title^2`. required: minimum_should_match."""

    text: str
    fields: tuple[str, ...]
    type: str = "best_fields"
    operator: str = "or"
    minimum_should_match: int | str | None = None

    @classmethod
    def read(cls, stages: Json) -> Words:
        """Return the words of a plan's query."""
        return cls(stages["text"], tuple(stages["fields"]), **stages["match"])


def score_words(columns: Columns, words: Words) -> Float32:
    """Return the score of each document, (N,) float32; 0 where it does not match.

    best_fields and phrase: that of the best field; most_fields: their sum.
    """
    if words.type == "cross_fields":
        raise not_in_memory("match of type cross_fields", "take best_fields or most_fields")
    scores = np.array([_score_field(columns, words, field) for field in words.fields], np.float64)
    combined = scores.sum(axis=0) if words.type == "most_fields" else scores.max(axis=0)
    result: Float32 = combined.astype(np.float32)
    return result


def _score_field(columns: Columns, words: Words, field: str) -> Float32:
    name, _, boost = field.partition("^")
    weight = float(boost or 1)
    if name not in columns.fields:
        return np.zeros(columns.count, np.float32)
    if columns.fields[name].type == "keyword":
        # OpenSearch gives a keyword no BM25, Elasticsearch does: which document matches is the same
        return np.array([weight * (words.text in v) for v in columns.values(name)], np.float32)
    postings = columns.postings(name)
    terms = analyse(words.text)
    if not terms:
        return np.zeros(columns.count, np.float32)
    if words.type == "phrase":
        return postings.score_phrase(terms, weight)
    return _score_terms(postings, terms, weight, _required(words, len(terms)))


def _score_terms(postings: Postings, terms: list[str], boost: float, required: int) -> Float32:
    """A word that stands twice in the query counts twice."""
    total = np.zeros(postings.rows, np.float64)
    matched = np.zeros(postings.rows, np.int64)
    for term, times in Counter(terms).items():
        scores = postings.score(term, boost)
        total += times * scores.astype(np.float64)
        matched += times * (scores > 0)
    total[matched < required] = 0
    result: Float32 = total.astype(np.float32)
    return result


def _required(words: Words, terms: int) -> int:
    """Return how many words a document must have. One word alone is always enough."""
    if terms == 1:
        return 1
    if words.operator == "and":
        # of words that must all match none is optional, so a number of optional ones is never met
        asked = _read_required(words.minimum_should_match, 0)
        return terms if asked <= 0 else terms + 1
    return max(_read_required(words.minimum_should_match, terms), 1)


def _read_required(asked: int | str | None, optional: int) -> int:
    """Return `minimum_should_match` of so many words: a number, a share, either from the end."""
    text = str(asked or 0).strip()
    if share := _SHARE.fullmatch(text):
        part = optional * int(share[2]) // 100
        return optional - part if share[1] else part
    if _NUMBER.fullmatch(text):
        return int(text) if int(text) >= 0 else optional + int(text)
    raise not_in_memory(f"minimum_should_match {text!r}", "write a number or a percentage")
