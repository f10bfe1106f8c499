"""What prefixes keep: as they come, after a PCA rotation, and of an encoder trained for them.

python -m benchmarks.prefixes --data ../shared/data     # measures, and writes docs/prefixes.md
python -m benchmarks.prefixes                           # writes the page again
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from benchmarks.labelled import LABELS, SEED, Products, embed, kept_jar, load_products
from benchmarks.rows import describe_machine, read_rows, today
from kokeshi.codes import prefix
from kokeshi.codes.rotation import PcaRotation
from kokeshi.types import Float32, Floats, Json

RESULTS = Path(__file__).parent / "results" / "prefixes.jsonl"
DOCUMENT = Path(__file__).parents[1] / "docs" / "prefixes.md"
TEXT = Path(__file__).with_name("prefixes.md")
"""What stands around the tables, with lines `{about}`, `{table}` and `{gain}`."""

ENCODERS = ("MiniLM", "wordllama")
DIMENSIONS = (16, 32, 48, 64, 96, 128, 192, 256, 320, 384)
HELD_OUT = 500
"""Products that are asked for: they are neither searched nor seen by the PCA."""

TOP = 10
_TIE = 1e-6

_VARIANTS = {
    ("MiniLM", "none"): "MiniLM",
    ("MiniLM", "pca"): "MiniLM, PCA",
    ("wordllama", "none"): "wordllama (trained)",
    ("wordllama", "pca"): "wordllama (trained), PCA",
}
_MEASURES = {
    "recall_of_products": "recall@10, products",
    "recall_of_queries": "recall@10, people's queries",
    "nearest_accuracy": "1-NN accuracy",
    "map_at_10": "mAP@10",
}


@dataclass(frozen=True)
class Vectors:
    """Of one catalogue by one encoder, or a prefix of them: all (·, D) of length 1.

    labelled: those of `base` whose label is not empty; labels: theirs.
    """

    base: Float32
    held_out: Float32
    queries: Float32
    labelled: Float32
    labels: npt.NDArray[np.str_]

    def prefixed(self, matrix: Float32, dims: int) -> Vectors:
        """Return the first dimensions of x times a matrix (D, D)."""

        def cut(part: Float32) -> Float32:
            return prefix(part @ matrix, dims, space="cosine")

        return Vectors(
            cut(self.base), cut(self.held_out), cut(self.queries), cut(self.labelled), self.labels
        )


def measure_catalogue(products: Products, encoder: str, jar: Path) -> Iterator[Json]:
    """Yield a row for each prefix, plain and after a PCA fitted to what is searched."""
    vectors = _split(products, embed([*products.texts, *products.queries], encoder, jar))
    dimension = vectors.base.shape[1]
    fitted = PcaRotation().fit(vectors.base, rng=np.random.default_rng(SEED))
    for name, matrix in (("none", np.eye(dimension, dtype=np.float32)), ("pca", fitted.matrix)):
        if matrix is None:
            raise TypeError("a fitted rotation has a matrix")
        for dims in DIMENSIONS:
            if dims <= dimension:
                yield {
                    "catalogue": products.name,
                    "encoder": encoder,
                    "rotation": name,
                    "dims": dims,
                    "products": len(vectors.base),
                    "held_out": len(vectors.held_out),
                    "queries": len(vectors.queries),
                    "labelled": len(vectors.labelled),
                    "labels": len(set(vectors.labels)),
                    **measure(vectors, vectors.prefixed(matrix, dims)),
                    "date": today(),
                    "machine": describe_machine(),
                }


def _split(products: Products, found: Float32) -> Vectors:
    count = len(products.texts)
    labels = np.array(products.labels[HELD_OUT:])
    base = found[HELD_OUT:count]
    return Vectors(base, found[:HELD_OUT], found[count:], base[labels != ""], labels[labels != ""])


def measure(full: Vectors, part: Vectors) -> Json:
    """Return what a part of the vectors keeps. Labels: each product is asked for, among the others."""
    relevant = _labels_of_nearest(part)
    others = np.unique(part.labels, return_inverse=True, return_counts=True)
    counts = others[2][others[1]] - 1
    found = {
        "recall_of_products": recall(full.base, full.held_out, part.base, part.held_out),
        "nearest_accuracy": float(relevant[:, 0].mean()),
        "map_at_10": average_precision(relevant, counts),
    }
    if len(full.queries):
        found["recall_of_queries"] = recall(full.base, full.queries, part.base, part.queries)
    return {name: round(value, 4) for name, value in found.items()}


def recall(base: Float32, queries: Float32, short: Float32, asked: Float32) -> float:
    """Return the share of the best ten of `base` that the best ten of `short` are.

    base, short: (N, D), (N, d); queries, asked: (Q, D), (Q, d). Equal similarities stand for each
    other.
    """
    exact = queries @ base.T
    cutoffs = np.partition(exact, -TOP, axis=1)[:, -TOP]
    found = np.take_along_axis(exact, _best(asked @ short.T), axis=1)
    return float((found >= cutoffs[:, None] - _TIE).mean())


def _labels_of_nearest(part: Vectors) -> npt.NDArray[np.bool_]:
    """Return for each labelled product whether its ten nearest, the first first, have its label."""
    similarities = part.labelled @ part.labelled.T
    np.fill_diagonal(similarities, -np.inf)
    same: npt.NDArray[np.bool_] = part.labels[_best(similarities)] == part.labels[:, None]
    return same


def average_precision(relevant: npt.NDArray[np.bool_], counts: npt.NDArray[np.int64]) -> float:
    """Return the mean over queries of the average precision of their first K hits.

    relevant: (Q, K), the first hit first. counts: (Q,) how many relevant ones there are; a query
    cannot find more than K of them.
    """
    ranks = np.arange(1, relevant.shape[1] + 1)
    precisions: Floats = relevant.cumsum(axis=1) / ranks
    sums = (precisions * relevant).sum(axis=1)
    return float((sums / np.clip(counts, 1, relevant.shape[1])).mean())


def _best(similarities: Float32) -> npt.NDArray[np.int64]:
    """Return the columns (Q, TOP) of the highest similarities, in order."""
    return np.argsort(-similarities, axis=1, kind="stable")[:, :TOP]


def build_document(rows: Sequence[Json]) -> str:
    """Return docs/prefixes.md."""
    text = TEXT.read_text("utf-8")
    for name, lines in (("about", _about(rows)), ("table", _table(rows)), ("gain", _gains(rows))):
        text = text.replace(f"{{{name}}}\n", "".join(f"{line}\n" for line in lines))
    return text


def _about(rows: Sequence[Json]) -> Iterator[str]:
    for name in LABELS:
        row = _pick(rows, catalogue=name)[0]
        asked = f", {row['queries']} queries of people" if row["queries"] else ""
        yield (
            f"- {name}: {row['products']:,} products are searched for {row['held_out']} others"
            f"{asked}; {row['labelled']:,} of them have one of {row['labels']} labels "
            f"(`{LABELS[name]}`)."
        )
    yield f"- Measured {rows[0]['date']}."


def _table(rows: Sequence[Json]) -> Iterator[str]:
    yield f"| | | {' | '.join(map(str, DIMENSIONS))} |"
    yield "|---|---|" + "--:|" * len(DIMENSIONS)
    for catalogue, measure_, title in _measured(rows):
        for at, (key, variant) in enumerate(_VARIANTS.items()):
            kept = _by_dims(rows, catalogue, key, measure_)
            cells = [f"{kept[dims]:.3f}" if dims in kept else "" for dims in DIMENSIONS]
            yield f"| {'' if at else f'{catalogue}: {title}'} | {variant} | {' | '.join(cells)} |"


def _measured(rows: Sequence[Json]) -> Iterator[tuple[str, str, str]]:
    for catalogue in LABELS:
        for name, title in _MEASURES.items():
            if name in _pick(rows, catalogue=catalogue)[0]:
                yield catalogue, name, title


def _gains(rows: Sequence[Json]) -> Iterator[str]:
    """Yield how many plain dimensions keep as much as 64 after the PCA."""
    for encoder in ENCODERS:
        for catalogue, name, title in _measured(rows):
            if name.startswith("recall"):
                plain = _by_dims(rows, catalogue, (encoder, "none"), name)
                turned = _by_dims(rows, catalogue, (encoder, "pca"), name)
                needed = min(dims for dims, kept in plain.items() if kept >= turned[64])
                yield (
                    f"- {encoder}, {catalogue}, {title.partition(', ')[2]}: {plain[64]:.3f} becomes "
                    f"{turned[64]:.3f}; without the rotation {needed} dimensions keep so much "
                    f"({plain[needed]:.3f})."
                )


def _by_dims(
    rows: Sequence[Json], catalogue: str, variant: tuple[str, str], measure_: str
) -> dict[int, float]:
    found = _pick(rows, catalogue=catalogue, encoder=variant[0], rotation=variant[1])
    return {row["dims"]: row[measure_] for row in found}


def _pick(rows: Sequence[Json], **wanted: str) -> list[Json]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def main() -> None:
    """Measure where data is given; write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the real catalogues; without, no run")
    parser.add_argument(
        "--minilm",
        type=Path,
        default=kept_jar(),
        help="the artifact that tests/integration/test_encoders.py fetches and keeps",
    )
    given = parser.parse_args()
    if given.data is not None:
        rows = [
            row
            for name in LABELS
            for encoder in ENCODERS
            for row in measure_catalogue(load_products(name, given.data), encoder, given.minilm)
        ]
        RESULTS.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    DOCUMENT.write_text(build_document(read_rows(RESULTS)), "utf-8")


if __name__ == "__main__":
    main()
