"""`kokeshi init`: a first kokeshi.yaml from a sample of the user's file, with every guess explained."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.markup import escape
from rich.table import Table

from kokeshi.cli.common import DEFAULT_SPEC, JsonOption, out, print_json
from kokeshi.errors import SpecError
from kokeshi.ingest import Source
from kokeshi.ingest.sources import SourceFormat
from kokeshi.init import FieldGuess, Sample, guess_sample, index_name, read_sample, write_spec
from kokeshi.init.yaml_text import comment, examples, percent
from kokeshi.schema import parse_spec

_COLOURS = {"id": "magenta", "text": "green", "metadata": "cyan", "vector": "yellow"}
_EXAMPLES_WIDTH = 40


def init(
    file: Annotated[
        Path, typer.Argument(help="JSONL, CSV or TSV, plain or .gz; - is standard input.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The spec to write.")
    ] = DEFAULT_SPEC,
    index: Annotated[
        str | None, typer.Option("--index", help="Name of the index; else from the file's name.")
    ] = None,
    id_field: Annotated[
        str | None, typer.Option("--id", help="The field that is the id, where no guess fits.")
    ] = None,
    format: Annotated[  # noqa: A002
        str | None, typer.Option("--format", help="jsonl, csv or tsv, where the name does not say.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the spec where it exists.")
    ] = False,
    sample: Annotated[
        int, typer.Option("--sample", min=1, help="How many documents to guess from.")
    ] = 1000,
    json: JsonOption = False,
) -> None:
    """Write a first spec for FILE: look at its documents and guess what each field is."""
    _refuse_to_overwrite(output, force=force)
    read = read_sample(Source(file, cast("SourceFormat | None", format)), sample)
    guesses = guess_sample(read, id_field)
    text = write_spec(
        guesses, index or index_name(file), origin=file.name, documents=read.documents
    )
    spec = parse_spec(text, origin=str(output))
    _write(output, text)
    command = next_command(file, format, output)
    if json:
        report = {"output": str(output), "index": spec.index, "documents": read.documents}
        fields = [asdict(guess) for guess in guesses]
        print_json({**report, "bad_lines": read.bad, "fields": fields, "next": command})
        return
    out.print(guesses_table(guesses))
    out.print(_summary(read, output, spec.index), soft_wrap=True)
    out.print(
        f"Look through {escape(str(output))}, then run: [bold]{escape(command)}", soft_wrap=True
    )


def next_command(file: Path, format: str | None, output: Path) -> str:  # noqa: A002
    """Return the command that indexes the file by the spec, quoted for a shell."""
    words = ["kokeshi", "ingest", str(file)]
    words += ["--format", format] if format else []
    words += ["--spec", str(output)] if output != DEFAULT_SPEC else []
    return shlex.join(words)


def guesses_table(guesses: list[FieldGuess]) -> Table:
    """Return the guesses as a table: field, role, type, filled, why, examples."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("field", no_wrap=True)
    table.add_column("role", no_wrap=True)
    table.add_column("type", no_wrap=True)
    table.add_column("filled", justify="right", no_wrap=True)
    table.add_column("examples", no_wrap=True, overflow="ellipsis")
    table.add_column("why")
    for guess in guesses:
        shown = "" if guess.role == "vector" else examples(guess.examples, _EXAMPLES_WIDTH)
        cells = (
            _role(guess),
            _type(guess),
            percent(guess.filled),
            escape(shown),
            escape(guess.reason),
        )
        table.add_row(escape(comment(guess.name)), *cells)
    return table


def _role(guess: FieldGuess) -> str:
    role = "text, metadata" if guess.role == "text" and guess.type else guess.role
    return f"[{_COLOURS.get(guess.role, 'dim')}]{role}[/]"


def _type(guess: FieldGuess) -> str:
    return f"{guess.dimension:,} dims" if guess.dimension else guess.type or ""


def _summary(read: Sample, output: Path, index: str) -> str:
    bad = f", {read.bad:,} bad line{'s' * (read.bad > 1)} skipped" if read.bad else ""
    return f"\nWrote {escape(str(output))} for the index '{index}' ({read.documents:,} documents read{bad})."


def _refuse_to_overwrite(output: Path, *, force: bool) -> None:
    if output.exists() and not force:
        raise SpecError(
            f"{output}: exists already; give --force to overwrite it, or another --output"
        )


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{output}: cannot be written: {error.strerror}") from None
