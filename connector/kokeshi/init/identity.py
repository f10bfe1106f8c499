"""Which field is the id: one that every document has and no two share."""

from __future__ import annotations

from kokeshi.errors import InputError
from kokeshi.init.naming import ID_NAMES, id_rank, is_field_name
from kokeshi.init.profile import FieldProfile, Sample
from kokeshi.init.yaml_text import comment

_LONGEST_ID = 128
"""Characters; engines take 512 bytes, and a character has at most four."""


def find_id(sample: Sample, named: str | None = None) -> FieldProfile:
    """Return the field that names its document: `named`, else by its name, else the first that could.

    A field that the user names need not be unique: of documents with one id the last one stays.
    Raises InputError where no field is filled and unique, or none has that name.
    """
    if named is not None:
        return _find_named(sample, named)
    unique = [profile for profile in sample.fields if _is_unique(profile, sample.documents)]
    candidates = [profile for profile in unique if is_field_name(profile.name)]
    if all(id_rank(profile.name) is None for profile in candidates):
        # a file may hold several versions of a product: its id is still its id
        candidates = [p for p in sample.fields if _repeats_a_little(p, sample)] or candidates
    if candidates:
        return min(candidates, key=_unlikelihood)
    raise InputError(_misnamed(sample, unique[0]) if unique else _no_id(sample))


def _find_named(sample: Sample, named: str) -> FieldProfile:
    for profile in sample.fields:
        if profile.name == named and is_field_name(named):
            return profile
    known = ", ".join(comment(profile.name) for profile in sample.fields)
    raise InputError(f"{sample.path}: '{named}' cannot be the id; the fields are: {known}")


def _is_unique(profile: FieldProfile, documents: int) -> bool:
    return (
        profile.filled == documents == len(profile.distinct)
        and not profile.lists
        and profile.longest <= _LONGEST_ID
        and _holds_texts_or_integers(profile)
    )


def _repeats_a_little(profile: FieldProfile, sample: Sample) -> bool:
    return (
        id_rank(profile.name) is not None
        and is_field_name(profile.name)
        and profile.filled == sample.documents < 2 * len(profile.distinct)
        and not profile.lists
        and profile.longest <= _LONGEST_ID
        and _holds_texts_or_integers(profile)
    )


def _holds_texts_or_integers(profile: FieldProfile) -> bool:
    fractions = profile.kinds["float"] or profile.kinds["boolean"] or profile.kinds["object"]
    return not fractions or (profile.json_types == {"text"} and id_rank(profile.name) is not None)


def _unlikelihood(profile: FieldProfile) -> tuple[int, bool]:
    rank = id_rank(profile.name)
    unnamed = len(ID_NAMES) + 1
    looks_like_words = profile.several > 0 or profile.kinds["date"] > 0
    return (unnamed if rank is None else rank, looks_like_words)


def _misnamed(sample: Sample, profile: FieldProfile) -> str:
    return (
        f"{sample.path}: '{comment(profile.name)}' is filled and unique, so it could be the id, but "
        "engines or specs do not take its name; rename it, for example to 'id'"
    )


def _no_id(sample: Sample) -> str:
    nearest = max(sample.fields, key=_nearness, default=None)
    found = "" if nearest is None else f"; nearest is {_describe(nearest, sample)}"
    return (
        f"{sample.path}: no field can be the id, which every document must have and no two may "
        f"share{found}; name one with --id, whose repeats replace each other, or add a field 'id'"
    )


def _nearness(profile: FieldProfile) -> tuple[bool, int]:
    return (id_rank(profile.name) is not None and profile.filled > 0, len(profile.distinct))


def _describe(profile: FieldProfile, sample: Sample) -> str:
    return (
        f"'{comment(profile.name)}', filled in {profile.filled:,} of {sample.documents:,} documents "
        f"with {len(profile.distinct):,} distinct values"
    )
