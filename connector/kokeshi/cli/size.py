"""`kokeshi size`: disk, memory, shards and hours of an index that is not there yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, get_args

import typer
from rich.markup import escape
from rich.table import Table

from kokeshi.cli.common import DEFAULT_SPEC, JsonOption, SpecOption, out, print_json
from kokeshi.errors import InputError
from kokeshi.schema import IndexSpec, load_spec
from kokeshi.sizing import (
    Coefficients,
    DocumentSize,
    Estimate,
    encode_hours,
    estimate,
    guess_document,
    load_coefficients,
    measure_documents,
)
from kokeshi.sizing.coefficients import SizedEngine

_COUNT: Final = re.compile(r"(\d[\d_,]*(?:\.\d+)?)\s*([kMG]?)")
_POWERS: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_UNITS: Final = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))

EXTRAPOLATED: Final = (
    "Measured: up to 100,000 documents, one merged segment, one node. All else is extrapolated from bytes "
    "and time a document; hours most of all, which depend on the machine. Deleted documents add up to "
    "{deleted:.0%} until they are merged away."
)
"""What every estimate has to say of itself."""


def size(
    documents: Annotated[
        str, typer.Option("--documents", "-n", help="How many: 300000, 300k, 1.5M, 2G.")
    ],
    spec: SpecOption = DEFAULT_SPEC,
    sample: Annotated[
        Path | None,
        typer.Option(
            "--sample", help="Your documents, JSONL, CSV or TSV: the first 10,000 are read."
        ),
    ] = None,
    engine: Annotated[
        str | None, typer.Option("--engine", help="opensearch or elasticsearch; both if not given.")
    ] = None,
    replicas: Annotated[
        int | None, typer.Option("--replicas", min=0, max=100, help="In place of the spec's.")
    ] = None,
    cores: Annotated[
        int, typer.Option("--cores", min=1, help="Of all nodes together, for the hours.")
    ] = 16,
    encode_rate: Annotated[
        float | None,
        typer.Option("--encode-rate", min=0.001, help="Texts that your encoder makes a second."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Estimate disk, memory, shards and hours from what was measured; no engine is needed."""
    count, found = parse_count(documents), load_spec(spec)
    if replicas is not None:
        found = found.model_copy(update={"replicas": replicas})
    measured = load_coefficients()
    bytes_ = measure_documents(sample, found) if sample else guess_document(found, measured)
    tried = [try_estimate(found, count, bytes_, name, measured) for name in parse_engines(engine)]
    estimates = [one for one in tried if isinstance(one, Estimate)]
    left_out = [one for one in tried if isinstance(one, str)]
    if not estimates:
        raise InputError("; ".join(left_out))
    hours = find_encode_hours(found, count, encode_rate)
    if json:
        print_json(
            {
                "document": vars(bytes_),
                "engines": [one.to_json() for one in estimates],
                "left_out": left_out,
                "encode_core_hours": hours,
                "rules": measured.rules.model_dump(),
                "provenance": measured.provenance,
            }
        )
        return
    for one in estimates:
        print_estimate(one, cores)
    for line in left_out:
        out.print(f"Left out, {line}.", markup=False, soft_wrap=True)
    for line in find_notes(bytes_, hours):
        out.print(line, soft_wrap=True)


def try_estimate(
    spec: IndexSpec, count: int, size: DocumentSize, engine: SizedEngine, measured: Coefficients
) -> Estimate | str:
    """Return the estimate for an engine, or why there is none: what only the other one can do."""
    try:
        return estimate(spec, count, size, engine, measured.engines[engine], measured.rules)
    except InputError as error:
        return f"{engine}: {error}"


def parse_count(text: str) -> int:
    """Return a number of documents such as `300M`; raises InputError for anything else.

    >>> parse_count("1.5M")
    1500000
    """
    found = _COUNT.fullmatch(text.strip())
    count = float(re.sub("[_,]", "", found[1])) * _POWERS[found[2]] if found else 0
    if not 1 <= count <= 1e15:
        raise InputError(
            f"--documents '{text}' is no number of documents; write 300000, 300k or 1.5M"
        )
    return round(count)


def parse_engines(name: str | None) -> tuple[SizedEngine, ...]:
    """Return the engines to estimate; raises InputError for one that was not measured."""
    known: tuple[SizedEngine, ...] = get_args(SizedEngine)
    if name is None:
        return known
    chosen = tuple(one for one in known if one == name)
    if not chosen:
        raise InputError(f"--engine '{name}' was not measured; choose one of {', '.join(known)}")
    return chosen


def find_encode_hours(spec: IndexSpec, count: int, rate: float | None) -> dict[str, float | None]:
    """Return vector -> hours of encoding, by the user's own rate or one core's that was measured."""
    rates = load_coefficients().encoders
    if rate is not None:
        rates = {vector.encoder.name: rate for vector in spec.vectors.values()}
    return encode_hours(spec, count, rates)


def print_estimate(found: Estimate, cores: int) -> None:
    """Print a table of what a document consists of, and lines of what all of them take."""
    title = f"{found.documents:,} documents on {found.engine} {found.version}"
    out.print(f"{title}, {found.copies} {'copy' if found.copies == 1 else 'copies'}")
    table = Table(box=None, pad_edge=False)
    for name in ("", "bytes a document", "disk", "hot"):
        table.add_column(name, justify="right" if name else "left")
    total = found.documents * found.copies
    for part in found.parts:
        hot = bytes_text(part.hot * total) if part.hot else ""
        table.add_row(escape(part.name), f"{part.disk:,.0f}", bytes_text(part.disk * total), hot)
    out.print(table)
    for line in _lines(found, cores):
        out.print(line, soft_wrap=True)
    out.print()


def _lines(found: Estimate, cores: int) -> Iterator[str]:
    yield f"disk    {bytes_text(found.disk_bytes)} ± {bytes_text(found.disk_error)}"
    yield f"memory  {bytes_text(found.hot_bytes)} ± {bytes_text(found.hot_error)} hot, outside the heap"
    if found.heap_bytes:
        yield f"heap    {bytes_text(found.heap_bytes)} while the graphs of one shard are merged into one"
    yield f"shards  {found.shards:,} of {bytes_text(found.shard_bytes)}, times {found.copies}"
    off = found.core_hours_error / found.core_hours
    hours = found.core_hours / cores
    yield (
        f"ingest  {hours:,.1f} hours on {cores} cores, {found.core_hours:,.0f} core hours "
        f"± {off:.0%} as measured, without encoding"
    )


def find_notes(size: DocumentSize, hours: dict[str, float | None]) -> Iterator[str]:
    """Yield what stands under the estimates: encoding, whose documents, what is not measured."""
    for name, each in hours.items():
        taken = "not known; give --encode-rate" if each is None else f"{each:,.0f} core hours"
        yield f"Encoding {escape(name)}: {taken}."
    if size.sampled:
        yield f"Documents of {size.document:,.0f} bytes, the mean of {size.sampled:,} of yours."
    else:
        yield (
            f"Documents of {size.document:,.0f} bytes are assumed, as a catalogue of electronics has; "
            "give yours with --sample."
        )
    yield EXTRAPOLATED.format(deleted=load_coefficients().rules.deleted)


def bytes_text(count: float) -> str:
    """Return bytes in powers of 1000.

    >>> bytes_text(2.5e12)
    '2.5 TB'
    """
    for unit, name in _UNITS:
        if count >= unit:
            value = count / unit
            return f"{value:,.0f} {name}" if value >= 100 else f"{value:.2g} {name}"
    return f"{count:.0f} bytes"
