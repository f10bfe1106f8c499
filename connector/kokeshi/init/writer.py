"""Guesses to the text of `kokeshi.yaml`, with their reasons and the choices they leave as comments."""

from __future__ import annotations

from collections.abc import Sequence

from kokeshi.init.guess import FieldGuess
from kokeshi.init.source_text import text_fields
from kokeshi.init.vectors import vector_lines, vector_prefixes
from kokeshi.init.yaml_text import Row, aligned, comment, percent, scalar

_ANALYSIS = """\
# analysis:                    # analyzers of your own, in the engine's words; this one finds parts of words
#   filter:
#     grams: {type: ngram, min_gram: 3, max_gram: 4}
#   analyzer:
#     grams: {type: custom, tokenizer: standard, filter: [lowercase, grams]}
""".splitlines()
_SIZE = """\
shards: 1
replicas: 0                    # copies on other nodes; 1 or more where there are several
""".splitlines()


def write_spec(
    guesses: Sequence[FieldGuess],
    index_name: str,
    *,
    origin: str = "the documents",
    documents: int | None = None,
) -> str:
    """Return the YAML text of a spec with these guesses, which `parse_spec` reads back.

    origin: the file, and documents: how many of it were read, for the comment at the top.
    """
    sections = [
        _header(origin, documents),
        aligned(_index_rows(guesses, index_name), indent=0),
        _text_lines(guesses),
        _metadata_lines(guesses),
        _ignored_lines(guesses),
        vector_lines(guesses),
        _ANALYSIS,
        _plan_lines(guesses),
        _SIZE,
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _header(origin: str, documents: int | None) -> list[str]:
    read = "" if documents is None else f" from its first {documents:,} documents"
    return [
        # a name beside the spec: no address outlives a checkout or an installation
        "# yaml-language-server: $schema=kokeshi.schema.json",
        f"# How {comment(origin)} is indexed, guessed{read}. Check the fields and",
        "# their types; what they become in the engine is shown by: kokeshi mapping show",
        "# For help while you edit: kokeshi spec schema > kokeshi.schema.json",
    ]


def _index_rows(guesses: Sequence[FieldGuess], index_name: str) -> list[Row]:
    rows: list[Row] = [(f"index: {scalar(index_name)}", "", ())]
    return rows + [
        (f"id: {scalar(g.name)}", _why(g), g.examples) for g in guesses if g.role == "id"
    ]


def _text_lines(guesses: Sequence[FieldGuess]) -> list[str]:
    fields = text_fields(guesses)
    if not fields:
        return ["# text:                        # no field has words to search"]
    rows = [(f"{scalar(g.name)}:", _why(g), () if g.type else g.examples) for g in fields]
    first = scalar(fields[0].name)
    return [
        "text:                          # searched by its words (BM25)",
        *aligned(rows),
        "  # or, in place of a line above: English word forms and more weight; parts of words",
        f"  # {first}: {{analyzer: english, boost: 2}}",
        f"  # {first}: {{subfields: {{grams: {{analyzer: grams, search_analyzer: standard}}}}}}",
    ]


def _metadata_lines(guesses: Sequence[FieldGuess]) -> list[str]:
    rows = [
        (f"{scalar(g.name)}: {g.type}", "" if g.role == "text" else _why(g), g.examples)
        for g in guesses
        if g.role in ("text", "metadata") and g.type
    ]
    if not rows:
        return []
    title = "metadata:                      # filtered: float, integer, keyword, boolean, date"
    return [title, *aligned(rows)]


def _ignored_lines(guesses: Sequence[FieldGuess]) -> list[str]:
    rows = [(f"#   {comment(g.name)}", _why(g), g.examples) for g in guesses if g.role == "ignored"]
    if not rows:
        return []
    return ["# not indexed; they stay in the document:", *aligned(rows, indent=0)]


def _plan_lines(guesses: Sequence[FieldGuess]) -> list[str]:
    """Return examples of plans that these fields allow; all but the title is commented out."""
    fields, dims = text_fields(guesses), vector_prefixes(guesses)
    lines = []
    if fields:
        boosted = scalar(f"{fields[0].name}^2")
        lines += ["#   every-word:", f"#     match: {{fields: [{boosted}], operator: and}}"]
    if dims:
        shortlist = f"#     shortlist: {{dims: {dims[0]}, k: 400}}"
        lines += ["#   small-graph:", shortlist, "#     rescore: {dims: full}"]
    if fields and dims:
        both = [
            "#   words-and-vectors:",
            "#     match: {}",
            f"#     shortlist: {{dims: {dims[-1]}, k: 200}}",
        ]
        lines += [*both, "#     rescore: {}", "#     fuse: {weight: 0.4, saturation: 5}"]
    title = (
        "# plans:                       # searches of your own, beside those that every index has"
    )
    return [title, *lines] if lines else []


def _why(guess: FieldGuess) -> str:
    share = "" if guess.filled == 1 or not guess.filled else f"; filled in {percent(guess.filled)}"
    return guess.reason + share
