"""The generated fashion catalogue of the demo, for whoever has no data at hand.

`write_catalogue` writes two files: products that a search engine can index, and judgments that tell
which of them answer a query. Both are invented, so figures measured on them are figures on
generated data.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson

from kokeshi.demo.judgments import Judgment, generate_judgments
from kokeshi.demo.products import Item, generate_items, generate_products
from kokeshi.errors import InputError

__all__ = [
    "GENERATOR_VERSION",
    "CataloguePaths",
    "generate_items",
    "generate_judgments",
    "generate_products",
    "write_catalogue",
]

GENERATOR_VERSION = 1
"""Rises whenever the same seed gives other files; a folder of another version is written anew."""

_MARKER = "catalogue.json"


@dataclass(frozen=True)
class CataloguePaths:
    """Where a catalogue lies.

    products: gzip-compressed JSON lines, one product each.
    judgments: CSV with the header query,doc_id,grade.
    """

    products: Path
    judgments: Path


def write_catalogue(folder: Path, *, seed: int = 7, n: int = 20_000) -> CataloguePaths:
    """Write the catalogue of `seed` and `n` products into `folder`, unless it lies there already.

    Files are replaced whole and the marker comes last, so an interrupted call leaves nothing that a
    later one would take for complete.

    Raises:
        InputError: if `n` is below 1 or the folder cannot be written.
    """
    paths = CataloguePaths(folder / "products.jsonl.gz", folder / "judgments.csv")
    marker = {"generator": GENERATOR_VERSION, "seed": seed, "n": n}
    if not _is_complete(folder, paths, marker):
        try:
            _replace_files(folder, paths, marker)
        except OSError as error:
            raise InputError(f"{folder}: cannot write the demo catalogue ({error})") from error
    return paths


def _is_complete(folder: Path, paths: CataloguePaths, marker: dict[str, int]) -> bool:
    """Whether both files and the marker of the same generator, seed and size are there."""
    try:
        found = orjson.loads((folder / _MARKER).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return bool(found == marker and paths.products.is_file() and paths.judgments.is_file())


def _replace_files(folder: Path, paths: CataloguePaths, marker: dict[str, int]) -> None:
    """Generate into a temporary folder beside the files, then move each into place."""
    products_rng, judgments_rng = np.random.default_rng(marker["seed"]).spawn(2)
    items = list(generate_items(marker["n"], rng=products_rng))
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".catalogue-") as name:
        draft = Path(name)
        _write_products(draft / "products", items)
        _write_judgments(draft / "judgments", generate_judgments(items, rng=judgments_rng))
        (draft / "marker").write_bytes(orjson.dumps(marker))
        (folder / _MARKER).unlink(missing_ok=True)
        (draft / "products").replace(paths.products)
        (draft / "judgments").replace(paths.judgments)
        (draft / "marker").replace(folder / _MARKER)


def _write_products(path: Path, items: Iterable[Item]) -> None:
    """JSON lines; no file name and no time in the gzip header, so equal items give equal bytes."""
    lines = b"".join(orjson.dumps(item.document) + b"\n" for item in items)
    path.write_bytes(gzip.compress(lines, compresslevel=6, mtime=0))


def _write_judgments(path: Path, judgments: Iterable[Judgment]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("query", "doc_id", "grade"))
        writer.writerows(judgments)
