"""The vectors of a first spec: columns that hold them already, else an encoder of the best texts."""

from __future__ import annotations

from collections.abc import Sequence

from kokeshi.init.guess import FieldGuess
from kokeshi.init.source_text import source_template
from kokeshi.init.yaml_text import Row, aligned, scalar

_TEXT_DIMENSION = 256
_PREFIXES = (64, 128)
_NO_VECTORS = """\
# vectors:                     # no text to embed and no vectors were found; vectors of your own can be added:
#   embedding:
#     encoder: {name: precomputed, file: vectors.npy}    # one row for each document, in the file's order
#     dimension: 768
#     prefixes: [64, 128]
""".splitlines()


def prefixes_of(dimension: int) -> tuple[int, ...]:
    """Return the prefixes that get a graph: powers of two below the dimension.

    >>> prefixes_of(768), prefixes_of(100), prefixes_of(10)
    ((64, 128), (64,), (8,))
    """
    below = tuple(dims for dims in _PREFIXES if dims < dimension)
    return below or (1 << ((dimension - 1).bit_length() - 1),)


def vector_prefixes(guesses: Sequence[FieldGuess]) -> tuple[int, ...]:
    """Return the prefixes of the first vector that the spec has; none where it has no vector."""
    if columns := _columns(guesses):
        return prefixes_of(columns[0].dimension or 0)
    return _PREFIXES if source_template(guesses) else ()


def vector_lines(guesses: Sequence[FieldGuess]) -> list[str]:
    """Return the section `vectors` of the YAML text."""
    template, columns = source_template(guesses), _columns(guesses)
    if not template and not columns:
        return _NO_VECTORS
    taken = {guess.name for guess in guesses}
    lines = ["vectors:                       # compared with the vector of the query"]
    for column in columns:
        lines += _column_lines(column, taken)
    return lines if columns else lines + _text_vector_lines(template, taken)


def _columns(guesses: Sequence[FieldGuess]) -> list[FieldGuess]:
    return [guess for guess in guesses if guess.role == "vector"]


def _column_lines(column: FieldGuess, taken: set[str]) -> list[str]:
    dimension = column.dimension or 0
    prefixes = prefixes_of(dimension)
    name = _free_name(column.name, prefixes, taken - {column.name})
    taken.update(_fields(name, prefixes))
    encoder = f"  encoder: {{name: precomputed, column: {scalar(column.name)}}}"
    missing = "" if column.filled == 1 else "; a document without one is refused"
    rows: list[Row] = [
        (f"{scalar(name)}:", f"{column.reason}{missing}", ()),
        (encoder, "a query brings its own: kokeshi search --vector FILE", ()),
        (f"  dimension: {dimension}", "", ()),
        (
            f"  prefixes: {list(prefixes)}",
            "each gets a graph; made for models of the Matryoshka kind",
            (),
        ),
        ("  space: cosine", "or dot, or l2", ()),
    ]
    return aligned(rows)


def _text_vector_lines(template: str, taken: set[str]) -> list[str]:
    name = _free_name("embedding", _PREFIXES, taken)
    rows: list[Row] = [
        (f"{name}:", "", ()),
        ("  encoder: wordllama", "small, and runs here: no download, no GPU", ()),
        (f"  source: {scalar(template)}", "the text that is embedded", ()),
        (f"  dimension: {_TEXT_DIMENSION}", "of the full vector, which rescores", ()),
        (
            f"  prefixes: {list(_PREFIXES)}",
            "the first dimensions; each gets a graph to shortlist by",
            (),
        ),
    ]
    return aligned(rows)


def _free_name(wanted: str, prefixes: Sequence[int], taken: set[str]) -> str:
    """Return a vector name such that neither it nor a prefix's field meets a field of the documents."""
    name, number = wanted, 1
    while not _fields(name, prefixes).isdisjoint(_with_parents(taken)):
        number += 1
        name = f"{wanted}_vector" if number == 2 else f"{wanted}_vector{number}"
    return name


def _fields(name: str, prefixes: Sequence[int]) -> set[str]:
    return {name, *(f"{name}_{dims}" for dims in prefixes)}


def _with_parents(names: set[str]) -> set[str]:
    return names | {name.split(".")[0] for name in names}
