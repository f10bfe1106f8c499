"""From the profile of each field to its place in the spec: the rules, each with the reason it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from kokeshi.ingest import Source
from kokeshi.init.identity import find_id
from kokeshi.init.kinds import Kind
from kokeshi.init.naming import (
    is_code_name,
    is_facet_name,
    is_field_name,
    is_proper_name,
    text_rank,
)
from kokeshi.init.profile import FieldProfile, Sample, read_sample
from kokeshi.schema import FieldType

Role = Literal["id", "text", "metadata", "vector", "ignored"]

_SHORTEST_VECTOR = 8
_LONGEST_VECTOR = 16_000
_SAME_LENGTH = 0.9
_LONGEST_KEYWORD = 1000
_TEXT_WORDS = 3.0
_SEVERAL_WORDS = 0.25
_REPEATS = 20


@dataclass(frozen=True)
class FieldGuess:
    """The place of one field in the spec.

    role: a text with the type keyword is in the spec's metadata too. type: of metadata. filled:
    share of documents with a value. distinct: values in the sample. dimension: of a vector.
    words: in a value, on average. reason: why, for people.
    """

    name: str
    role: Role
    type: FieldType | None
    filled: float
    distinct: int
    examples: tuple[Any, ...]
    reason: str
    dimension: int | None = None
    words: float = 0.0


@dataclass(frozen=True)
class _Place:
    """What a rule decides."""

    role: Role
    reason: str
    type: FieldType | None = None
    dimension: int | None = None


def guess_fields(source: Source, sample: int = 1000) -> list[FieldGuess]:
    """Guess from the first `sample` lines of `source`, in the order in which fields appear.

    Raises InputError where no line is a document, or no field can be the id.
    """
    return guess_sample(read_sample(source, sample))


def guess_sample(sample: Sample, id_field: str | None = None) -> list[FieldGuess]:
    """Guess from a sample that is read already; raises InputError where no field can be the id.

    id_field: the id, where the user names it.
    """
    id_ = find_id(sample, id_field)
    guesses = [
        _as_guess(
            profile, _id_place(profile, sample) if profile is id_ else _place(profile), sample
        )
        for profile in sample.fields
    ]
    return _without_children([_with_words(g, guesses) for g in guesses])


def _as_guess(profile: FieldProfile, place: _Place, sample: Sample) -> FieldGuess:
    lists = "lists: " if profile.lists and place.role in ("metadata", "text") else ""
    return FieldGuess(
        name=profile.name,
        role=place.role,
        type=place.type,
        filled=profile.filled / sample.documents,
        distinct=len(profile.distinct),
        examples=tuple(profile.examples),
        reason=lists + place.reason + _blank_note(profile, place),
        dimension=place.dimension,
        words=profile.mean_words,
    )


def _blank_note(profile: FieldProfile, place: _Place) -> str:
    """Say that an empty text is no number: null, or no field at all, is how to leave one out."""
    if not profile.blanks or place.type in (None, "keyword"):
        return ""
    return f", but {_count(profile.blanks, 'document')} with an empty one will be refused"


def _id_place(profile: FieldProfile, sample: Sample) -> _Place:
    documents, distinct = _count(sample.documents, "document"), len(profile.distinct)
    if distinct == profile.filled == sample.documents:
        return _Place("id", f"filled and unique in {documents}", "keyword")
    reason = f"{distinct:,} distinct values in {documents}: of repeats the last one stays"
    return _Place("id", reason, "keyword")


def _place(profile: FieldProfile) -> _Place:
    for rule in _RULES:
        if place := rule(profile):
            return place
    return _keyword(profile)


def _unusable(profile: FieldProfile) -> _Place | None:
    if not is_field_name(profile.name):
        return _Place(
            "ignored",
            "rename it: a letter first, then only letters, digits, _ and -",
        )
    if not profile.filled:
        return _Place("ignored", "no value in the sample")
    if "object" in profile.kinds:
        return _Place("ignored", "nested objects or lists: only plain fields are indexed")
    if profile.kinds["list-text"] * 2 > profile.values:
        return _Place("ignored", "lists written as text: give vectors as JSON lists, in JSONL")
    return None


def _vector(profile: FieldProfile) -> _Place | None:
    dimension, count = profile.usual_length
    if dimension < _SHORTEST_VECTOR or count < _SAME_LENGTH * profile.filled:
        return None
    if dimension > _LONGEST_VECTOR:
        return _Place("ignored", f"lists of {dimension:,} numbers: longer than a vector can be")
    others = profile.filled - count
    but = f", but {_count(others, 'document')} will be refused for another" if others else ""
    return _Place("vector", f"lists of {dimension:,} numbers{but}", dimension=dimension)


def _boolean(profile: FieldProfile) -> _Place | None:
    return _Place("metadata", "true or false", "boolean") if _only(profile, "boolean") else None


def _number(profile: FieldProfile) -> _Place | None:
    if not _only(profile, "integer", "float"):
        return None
    if profile.json_types == {"text"} and is_code_name(profile.name):
        return _Place("metadata", "digits that name something, no quantity", "keyword")
    if "float" in profile.kinds:
        return _Place("metadata", "numbers, some with decimals", "float")
    return _Place("metadata", "whole numbers", "integer")


def _date(profile: FieldProfile) -> _Place | None:
    return _Place("metadata", "dates in ISO 8601", "date") if _only(profile, "date") else None


def _code(profile: FieldProfile) -> _Place | None:
    if "code" in profile.kinds and _only(profile, "code", "integer"):
        return _Place("metadata", "codes: leading zeros or too many digits for a number", "keyword")
    return None


def _unsearchable(profile: FieldProfile) -> _Place | None:
    if _only(profile, "link"):
        return _Place("ignored", "links: shown with a hit, not searched")
    if not profile.several and profile.longest > _LONGEST_KEYWORD:
        return _Place(
            "ignored", f"single values of up to {profile.longest:,} characters: no keyword"
        )
    return None


def _mixed(profile: FieldProfile) -> _Place | None:
    """Say why a field that is nearly of one type is none: the value that stands in the way."""
    if text_rank(profile.name) is not None or profile.longest > _LONGEST_KEYWORD:
        return None
    kind, count = _commonest(profile)
    if kind == "near-date" and count * 2 > profile.values:
        return _Place(
            "metadata", "dates, but not as 2024-01-31: write them so to compare", "keyword"
        )
    others = [o for o in profile.kinds if o != kind and {o, kind} != {"integer", "float"}]
    typed = kind in ("integer", "float", "boolean", "date")
    if len(profile.json_types) > 1 or (typed and count * 2 > profile.values):
        odd = f", but also {_short(profile.by_kind[others[0]])}" if others else ""
        return _Place("metadata", f"mixed: mostly {_NOUNS.get(kind, 'texts')}{odd}", "keyword")
    return None


def _commonest(profile: FieldProfile) -> tuple[Kind, int]:
    """Return the commonest kind and its count; among numbers with decimals, whole ones count too."""
    kinds = profile.kinds.copy()
    if kinds["float"]:
        kinds["float"] += kinds.pop("integer", 0)
    return kinds.most_common(1)[0]


def _words(profile: FieldProfile) -> _Place | None:
    words = f"words to search, {profile.mean_words:.1f} in a value"
    if text_rank(profile.name) is not None or profile.longest > _LONGEST_KEYWORD:
        return _Place("text", words)
    if is_proper_name(profile.name):
        return _Place("text", f"{_values(profile)}: names to search and to filter by", "keyword")
    if profile.mean_words >= _TEXT_WORDS and not is_facet_name(profile.name):
        return None if _repeats(profile) else _Place("text", words)
    if profile.several >= _SEVERAL_WORDS * profile.values:
        return _Place("text", f"{_values(profile)}, many of several words", "keyword")
    return None


def _keyword(profile: FieldProfile) -> _Place:
    if 1 < profile.filled == len(profile.distinct) and not profile.lists:
        return _Place("metadata", f"short and unique in all {profile.filled:,}", "keyword")
    short = "" if profile.mean_words >= _TEXT_WORDS else "short "
    return _Place("metadata", _values(profile, short), "keyword")


_RULES: tuple[Callable[[FieldProfile], _Place | None], ...] = (
    _unusable,
    _vector,
    _unsearchable,
    _boolean,
    _number,
    _date,
    _code,
    _mixed,
    _words,
)
_NOUNS = {
    "boolean": "true or false",
    "integer": "whole numbers",
    "float": "numbers",
    "date": "dates",
    "code": "codes",
    "link": "links",
    "near-date": "dates",
}


def _with_words(guess: FieldGuess, guesses: list[FieldGuess]) -> FieldGuess:
    """Where no field is text, let the first keyword be one: an index without words finds little."""
    if any(g.role in ("text", "vector") for g in guesses):
        return guess
    keywords = [g for g in guesses if g.role == "metadata" and g.type == "keyword"]
    if not keywords or guess is not keywords[0]:
        return guess
    return replace(guess, role="text", reason=f"{guess.reason}; searched too, for want of text")


def _without_children(guesses: list[FieldGuess]) -> list[FieldGuess]:
    """Ignore `a.b` beside a field `a`: in an engine, one name cannot hold a value and fields."""
    names = {g.name for g in guesses}
    return [
        replace(
            g, role="ignored", type=None, dimension=None, reason=f"it lies in the field '{found}'"
        )
        if g.role != "id" and (found := _parent(g.name, names))
        else g
        for g in guesses
    ]


def _parent(name: str, names: set[str]) -> str | None:
    parts = name.split(".")
    above = (".".join(parts[:end]) for end in range(1, len(parts)))
    return next((parent for parent in above if parent in names), None)


def _only(profile: FieldProfile, *kinds: str) -> bool:
    return set(profile.kinds) <= set(kinds)


def _repeats(profile: FieldProfile) -> bool:
    """Whether each value comes 20 times on average: then it is chosen from a list, not written."""
    return len(profile.distinct) * _REPEATS <= profile.filled


def _values(profile: FieldProfile, short: str = "") -> str:
    return f"{_count(len(profile.distinct), f'distinct {short}value')} in {profile.filled:,}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _short(value: Any) -> str:  # noqa: ANN401
    return repr(value) if len(repr(value)) <= 30 else repr(value)[:29] + "…"
