"""The tables of docs/rank-eval-benchmark.md, from the rows kept.

python -m benchmarks.rank_eval_report     # writes the document again
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.rows import find_runs, read_rows, rows_of
from kokeshi.types import Json

RESULTS = Path(__file__).parent / "results" / "rank_eval.jsonl"
DOCUMENT = Path(__file__).parents[1] / "docs" / "rank-eval-benchmark.md"
TEXT = Path(__file__).with_name("rank_eval.md")
"""What stands around the tables, with a line `{tables}`."""

NOTHING = "Not measured yet."


def build_document(rows: Sequence[Json]) -> str:
    """Return docs/rank-eval-benchmark.md."""
    lines = [line for run in find_runs(rows) for line in _section(rows, run)] or [NOTHING]
    return TEXT.read_text("utf-8").replace("{tables}\n", "\n".join(lines) + "\n")


def _section(rows: Sequence[Json], run: tuple[str, ...]) -> Iterator[str]:
    (ways,) = rows_of(rows, run, "ways")
    yield f"### {', '.join(run)}"
    yield ""
    note = f" {ways['note']}" if ways["note"] else ""
    yield f"{ways['date']}, {ways['machine']}.{note}"
    yield ""
    yield from _ways(ways)
    yield ""
    yield from _growth(rows_of(rows, run, "growth"))
    yield ""
    yield from _batches(rows_of(rows, run, "batches"))
    yield ""


def _ways(row: Json) -> Iterator[str]:
    rankings = f"{row['queries']:,} queries, rankings {' and '.join(row['rankings'])}"
    yield f"| {rankings}, fastest of {row['passes']} | seconds | share |"
    yield "|---|---|---|"
    for name, seconds in row["seconds"].items():
        share = seconds / row["seconds"]["one _rank_eval each"]
        yield f"| {name} | {seconds:.2f} | {share:.2f} |"


def _growth(rows: Sequence[Json]) -> Iterator[str]:
    heads = " | ".join(f"{row['queries']:,}" for row in rows)
    seconds = " | ".join(f"{row['seconds']:.2f}" for row in rows)
    each = " | ".join(f"{row['seconds'] * 1000 / row['queries']:.2f}" for row in rows)
    yield f"| queries, both rankings, batched | {heads} |"
    yield "|---" * (len(rows) + 1) + "|"
    yield f"| seconds | {seconds} |"
    yield f"| ms for each query | {each} |"


def _batches(rows: Sequence[Json]) -> Iterator[str]:
    columns = list(dict.fromkeys(row["concurrent"] for row in rows))
    heads = " | ".join(f"{number} at once" for number in columns)
    yield f"| seconds of {rows[0]['queries']:,} queries, both rankings, by queries in a call | {heads} |"
    yield "|---" * (len(columns) + 1) + "|"
    for size in dict.fromkeys(row["batch"] for row in rows):
        cells = (f"{row['seconds']:.2f}" for row in rows if row["batch"] == size)
        yield f"| {size} | {' | '.join(cells)} |"


def main() -> None:
    """Write the document again from the rows that are kept."""
    DOCUMENT.write_text(build_document(read_rows(RESULTS)), "utf-8")


if __name__ == "__main__":
    main()
