"""The improvement and the impact of a candidate on parts of the query set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from kokeshi.errors import InputError
from kokeshi_eval.means import compare_rows, mean_change, value_of
from kokeshi_eval.model import Options, QueryResult, Slice
from kokeshi_eval.significance import FEWEST, holm


def build_slices(
    queries: Sequence[QueryResult], candidate: int, options: Options
) -> tuple[Slice, ...]:
    """Return a slice for each value of each attribute, in order of their names.

    candidate: its number, from 0. Differences are of the main measure, over the queries with a
    positive grade; `change` is over those for which any of both returns something. p_adjusted is
    corrected over the values of one attribute. Raises InputError for an attribute of the options
    that no query has, MissingExtraError without scipy.
    """
    names = choose_attributes([query.attributes for query in queries], options.slices)
    return tuple(found for name in names for found in _slice_by(name, queries, candidate, options))


def choose_attributes(
    attributes: Iterable[Mapping[str, str]], asked: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the attributes to slice by: those asked for, else all that make parts worth a test.

    attributes: of each query. Such an attribute has two values or more, and one of them is shared by
    at least `FEWEST` queries. Raises InputError for one asked for that no query has.
    """
    counts: dict[str, Counter[str]] = {}
    for row in attributes:
        for name, value in row.items():
            counts.setdefault(name, Counter())[value] += 1
    if unknown := [name for name in asked if name not in counts]:
        known = ", ".join(sorted(counts)) or "none"
        raise InputError(f"slices: no query has the attribute '{unknown[0]}'; there are: {known}")
    if asked:
        return tuple(dict.fromkeys(asked))
    return tuple(
        sorted(name for name, c in counts.items() if len(c) > 1 and max(c.values()) >= FEWEST)
    )


def _slice_by(
    name: str,
    queries: Sequence[QueryResult],
    candidate: int,
    options: Options,
) -> list[Slice]:
    parts: dict[str, list[QueryResult]] = {}
    for query in queries:
        if name in query.attributes:
            parts.setdefault(query.attributes[name], []).append(query)
    values = sorted(parts)
    label = options.labels[0]
    found = [
        compare_rows(parts[value], candidate, value_of(label), label, options) for value in values
    ]
    adjusted = holm([difference.p for difference in found])
    return [
        Slice(
            attribute=name,
            value=value,
            difference=difference.model_copy(update={"p_adjusted": p}),
            change=mean_change(parts[value], candidate),
        )
        for value, difference, p in zip(values, found, adjusted, strict=True)
    ]
