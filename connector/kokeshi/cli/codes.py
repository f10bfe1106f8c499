"""`kokeshi codes`: train a codebook, look at one, encode a file with it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, cast

import numpy as np
import orjson
import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from kokeshi.cli.common import (
    DEFAULT_SPEC,
    JsonOption,
    SpecOption,
    err,
    out,
    print_json,
    takes_connection,
)
from kokeshi.codebooks import find_codebook
from kokeshi.codes.codebook import Codebook, load_codebook
from kokeshi.coding import EncodedBatch, encode_file, find_coded, train_file
from kokeshi.connect import connect
from kokeshi.engines.settings import Settings
from kokeshi.errors import InputError
from kokeshi.ingest.sources import SourceFormat
from kokeshi.schema import load_spec
from kokeshi.types import Json

app = typer.Typer(
    help="Short codes of vectors: train, inspect and apply a codebook.", no_args_is_help=True
)

FileArgument = Annotated[
    Path, typer.Argument(help="JSONL, CSV or TSV, plain or .gz; or .npy, a vector in each row.")
]
VectorOption = Annotated[
    str | None, typer.Option("--vector", help="Which one, where several have codes.")
]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="jsonl, csv or tsv, where the name does not say.")
]
_DIGEST = re.compile(r"[0-9a-f]{64}")


@app.command()
def train(
    file: FileArgument,
    vector: VectorOption = None,
    sample: Annotated[
        int, typer.Option("--sample", min=1, help="Most documents to train on.")
    ] = 100_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")] = 1,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The codebook to write; else what the spec says."),
    ] = None,
    format: FormatOption = None,  # noqa: A002
    spec: SpecOption = DEFAULT_SPEC,
    json: JsonOption = False,
) -> None:
    """Train the codebook that the spec asks for, on a sample of FILE, and say how good it is.

    The same file, spec and seed train the same codebook. No engine is needed.
    """
    found = load_spec(spec)
    coded = find_coded(found, vector)
    path = output or Path(found.codebook_path(coded.name))
    with _progress_bar() as show:
        trained = train_file(
            found,
            coded,
            file,
            sample=sample,
            seed=seed,
            format_=cast("SourceFormat | None", format),
            on_progress=show,
        )
    trained.codebook.save(path)
    for warning in trained.warnings:
        err.print(f"Warning: {warning}.", markup=False, soft_wrap=True)
    if json:
        print_json({"file": str(path)} | describe(trained.codebook))
    else:
        out.print(table_of(trained.codebook))
        out.print(
            f"Wrote {escape(str(path))}. Next: kokeshi ingest {escape(str(file))}", soft_wrap=True
        )


@app.command()
@takes_connection
def inspect(
    codebook: Annotated[str, typer.Argument(help="A file, or a digest that the engine keeps.")],
    spec: SpecOption = DEFAULT_SPEC,
    connection: Settings | None = None,
    json: JsonOption = False,
) -> None:
    """Say what a codebook is: parameters, digest, encoder, training and quality."""
    if _DIGEST.fullmatch(codebook):
        section = load_spec(spec).engine if spec.exists() else None
        with connect(connection, section) as engine:
            found = engine.run(find_codebook(codebook))
    else:
        found = load_codebook(codebook)
    if json:
        print_json(describe(found))
    else:
        out.print(table_of(found))


@app.command()
def encode(
    file: FileArgument,
    codebook: Annotated[
        Path | None, typer.Option("--codebook", help="Its file; else what the spec says.")
    ] = None,
    vector: VectorOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help=".npy, or .jsonl with ids; JSON lines on standard output if not given.",
        ),
    ] = None,
    format: FormatOption = None,  # noqa: A002
    spec: SpecOption = DEFAULT_SPEC,
    json: JsonOption = False,
) -> None:
    """Write the codes of FILE's documents, packed as in the index: 16 codewords are half a byte each.

    A .npy file has a row of bytes for each document, and NAME.cells.npy beside it the cells, if
    there are; so every document must have a vector. JSON lines leave out those that have none.
    """
    found = load_spec(spec)
    coded = find_coded(found, vector)
    book = load_codebook(codebook or found.codebook_path(coded.name))
    batches = encode_file(found, coded, file, book, format_=cast("SourceFormat | None", format))
    if output is not None and output.suffix == ".npy":
        written, left_out = _write_arrays(output, batches, file), 0
    else:
        written, left_out = _write_lines(output, batches)
    if left_out:
        err.print(f"{left_out:,} documents have no vector and were left out.")
    if output is None:
        return
    if json:
        print_json({"file": str(output), "encoded": written, "left_out": left_out})
    else:
        out.print(f"Encoded {written:,} documents into {escape(str(output))}.", soft_wrap=True)


def describe(codebook: Codebook) -> Json:
    """Return what `--json` prints of a codebook."""
    return {
        "digest": codebook.digest,
        "parameters": codebook.parameters,
        "code_bytes": codebook.code_bytes,
        "vector_bytes": 4 * codebook.dimension,
        "trained": dict(codebook.trained),
    }


def table_of(codebook: Codebook) -> Table:
    """Return a codebook as a table: a row for each thing to know of it."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, text in _facts(codebook):
        table.add_row(name, escape(text))
    return table


def _facts(codebook: Codebook) -> Iterator[tuple[str, str]]:
    yield "digest", codebook.digest
    for name, value in codebook.parameters.items():
        if value is not None:
            yield (
                name.replace("_", " "),
                str(value).lower() if isinstance(value, bool) else str(value),
            )
    size, full = codebook.code_bytes, 4 * codebook.dimension
    yield "bytes", f"{size} of codes a document, {full / size:.0f} times less than its vector"
    trained = dict(codebook.trained)
    quality = trained.pop("quality", None)
    for name, value in trained.items():
        yield name, f"{value:,}" if isinstance(value, int) and name != "seed" else str(value)
    if quality:
        yield (
            "Recall1@10",
            f"{quality['recall1_at_10']:.3f} of {quality['queries']:,} held-out vectors "
            f"among {quality['base']:,}",
        )
        yield (
            "distortion",
            f"{quality['distortion_parallel']:.4f} along the vector, "
            f"{quality['distortion_orthogonal']:.4f} across",
        )


def _write_arrays(path: Path, batches: Iterable[EncodedBatch], source: Path) -> int:
    codes, cells = [], []
    for batch in batches:
        for line, why in batch.left_out.items():
            raise InputError(
                f"{source}: line {line}: {why}; write a .jsonl file, which leaves such documents out"
            )
        codes.append(batch.encoded.codes)
        if batch.encoded.cells is not None:
            cells.append(batch.encoded.cells)
    with _writing(path):
        np.save(path, np.concatenate(codes))
        if cells:
            np.save(path.with_suffix(".cells.npy"), np.concatenate(cells))
    return sum(map(len, codes))


def _write_lines(path: Path | None, batches: Iterable[EncodedBatch]) -> tuple[int, int]:
    """Return how many documents were written, and how many left out."""
    written = left_out = 0
    parts = []
    for batch in batches:
        lines = b"".join(_lines(batch))
        if path is None:
            sys.stdout.buffer.write(lines)
        parts.append(lines if path else b"")
        written += len(batch.ids)
        left_out += len(batch.left_out)
    if path is not None:
        with _writing(path):
            path.write_bytes(b"".join(parts))
    return written, left_out


def _lines(batch: EncodedBatch) -> Iterator[bytes]:
    cells = batch.encoded.cells
    for row, (id_, codes) in enumerate(zip(batch.ids, batch.encoded.texts, strict=True)):
        line: Json = {"id": id_, "codes": codes}
        if cells is not None:
            line["cell"] = int(cells[row])
        yield orjson.dumps(line) + b"\n"


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise InputError(f"{path}: {reason} (--output)") from None


@contextmanager
def _progress_bar() -> Iterator[Callable[[str, float], None]]:
    """Show what is done and how far it is on standard error, where that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Reading", total=1.0)
        yield lambda stage, done: bar.update(task, description=stage, completed=done)
