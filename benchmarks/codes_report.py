"""Tables of what codes cost and keep: printed after a run, docs/codes-benchmarks.md from all rows kept.

python -m benchmarks.codes_report     # writes the document again
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.measuring import TARGET
from benchmarks.rows import find_runs, read_rows, rows_of
from kokeshi.types import Json

RESULTS = Path(__file__).parent / "results" / "codes.jsonl"
DOCUMENT = Path(__file__).parents[1] / "docs" / "codes-benchmarks.md"
TEXT = Path(__file__).with_name("codes.md")
"""What stands around the tables, with a line `{tables}`."""

NOTHING = "Not measured yet at this size."

_VARIANTS = {
    "plain": "full vector alone",
    "codes": "codes beside it",
    "kokeshi": "graph of a prefix of 128, int8, beside it",
    "float": "graph of the full vector, float32",
    "int8": "graph of the full vector, int8",
    "bbq": "graph of the full vector, bbq",
}


def print_rows(rows: Sequence[Json], console: Console) -> None:
    """Print a run as the document has it."""
    for run in find_runs(rows):
        console.print("\n".join(_section(rows, run)), markup=False)


def build_document(rows: Sequence[Json]) -> str:
    """Return docs/codes-benchmarks.md."""
    lines = [line for run in find_runs(rows) for line in _section(rows, run)] or [NOTHING]
    return TEXT.read_text("utf-8").replace("{tables}\n", "\n".join(lines) + "\n")


def _section(rows: Sequence[Json], run: tuple[str, ...]) -> Iterator[str]:
    searches, weights = rows_of(rows, run, "search"), rows_of(rows, run, "index")
    yield f"### {', '.join(run)}"
    yield ""
    yield from _about(weights[0])
    yield ""
    yield from _searches(searches)
    yield ""
    yield from _sizes(weights)
    yield ""


def _about(row: Json) -> Iterator[str]:
    book = row["codebook"]
    yield (
        f"{row['date']}, {row['machine']}. Codes: {book['subvectors']} subvectors of "
        f"{book['codebook_size']} codewords, {book['code_bytes']} bytes, {book['loss']}, "
        f"{book['cells']} cells."
    )


def _searches(rows: Sequence[Json]) -> Iterator[str]:
    shares = list(dict.fromkeys(row["share"] for row in rows))
    yield f"| recall@10, p50 and p95 in ms | {' | '.join(f'{100 * s:g}%' for s in shares)} |"
    yield "|---" * (len(shares) + 1) + "|"
    for name in dict.fromkeys(row["contender"] for row in rows):
        of = {row["share"]: row for row in rows if row["contender"] == name}
        yield f"| {name} | {' | '.join(_cell(of.get(share)) for share in shares)} |"


def _cell(row: Json | None) -> str:
    if row is None or row["setting"] is None:
        return f"none keeps {TARGET}" + (f" (best {row['reached']:.3f})" if row else "")
    recall = f"{row['recall_at_10']:.3f}"
    recall = f"**{recall}**" if row["recall_at_10"] < TARGET else recall
    return f"{recall}, {row['p50_ms']:.1f}, {row['p95_ms']:.1f}"


def _sizes(rows: Sequence[Json]) -> Iterator[str]:
    yield "| bytes a document, one segment | in all | more than the full vector alone | hot |"
    yield "|---|---|---|---|"
    for row in rows:
        hot = "" if row["hot_bytes"] is None else f"{row['hot_bytes']:,.0f}"
        added = "" if row["variant"] == "plain" else f"{row['added_bytes']:+,.0f}"
        yield f"| {_VARIANTS[row['variant']]} | {row['total_bytes']:,.0f} | {added} | {hot} |"


def main() -> None:
    """Write the document again from the rows that are kept."""
    DOCUMENT.write_text(build_document(read_rows(RESULTS)), "utf-8")


if __name__ == "__main__":
    main()
