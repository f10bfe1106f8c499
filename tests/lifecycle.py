"""An index behind an alias, for the tests of versions: files of its generations, searches all the time."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from kokeshi import Index
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.engines import Engine
from kokeshi.lifecycle import (
    ReindexOptions,
    ReindexReport,
    reindex,
)
from kokeshi.schema import SearchPlan, parse_spec

COUNT = 200
SPEC = """
index: {name}
text: [title]
metadata: {{generation: integer, price: float}}
vectors:
  embedding:
    encoder: {{name: precomputed, column: vec}}
    dimension: 8
    prefixes: [4]
"""
VECTORS = np.random.default_rng(7).normal(size=(COUNT, 8)).round(4)


def build_options(**options: Any) -> ReindexOptions:
    """Return options that measure recall by few documents, as most tests are about something else."""
    return ReindexOptions(**{"sample": 2, **options})


SCAN = SearchPlan.model_validate({"scan": {"k": 20, "exact_below": 0}})
CODES = "    codes: {{codebook: {path}, subvectors: 4, codebook_size: 16, loss: plain}}\n"


def make_codebook(index: Index, seed: int) -> Codebook:
    """Random codewords: what codes stand for does not matter here."""
    words = np.random.default_rng(seed).normal(size=(4, 16, 2)).astype(np.float32)
    encoder = index.encoders["embedding"].name
    return Codebook(ProductQuantizer(4, 16).restore(words, 8), None, False, "cosine", encoder)


class Shop:
    """An alias with a name of its own, and the files of its generations."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.name = f"t-lifecycle-{uuid.uuid4().hex[:10]}"
        self.index = Index(parse_spec(SPEC.format(name=self.name)), engine)

    def of_dimension(self, dimension: int) -> Index:
        """The same alias by a spec of shorter vectors."""
        text = SPEC.format(name=self.name).replace("dimension: 8", f"dimension: {dimension}")
        return Index(parse_spec(text), self.engine)

    def with_codes(self, codebook: str) -> Index:
        """The same alias by a spec with codes; codebook: the name of its file, which need not exist."""
        text = SPEC.format(name=self.name) + CODES.format(path=self.folder / codebook)
        return Index(parse_spec(text), self.engine)

    def file(self, generation: int, count: int = COUNT, dimension: int = 8) -> Path:
        rows = (
            {"id": f"p{n}", "title": f"shoe {n}", "generation": generation, "price": n, "vec": v}
            for n, v in enumerate(VECTORS[:count, :dimension].tolist())
        )
        path = self.folder / f"g{generation}-{dimension}-{count}.jsonl"
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return path

    def served(self) -> tuple[str, int, set[int]]:
        """What the alias stands for, its count, and the generations in it."""
        hits = self.index.search(vector=VECTORS[0], plan="exact", size=COUNT).hits
        (live,) = self.engine.get_aliases(self.name)
        return live, self.index.count(), {hit.source["generation"] for hit in hits}

    def build(self, generation: int, **options: Any) -> ReindexReport:
        """Reindex from the file of a generation; options: of `ReindexOptions`."""
        return reindex(self.index, self.file(generation), options=build_options(**options))

    def versions(self) -> list[str]:
        """The versions there are, by the end of their names."""
        found = self.engine.get_mapping(f"{self.name}-v*") or {}
        return sorted(name.removeprefix(self.name) for name in found)

    def delete(self) -> None:
        for name in [*(self.engine.get_mapping(f"{self.name}*") or {})]:
            self.engine.delete_index(name)


@contextmanager
def a_shop(engine: Engine, folder: Path) -> Iterator[Shop]:
    """A shop in the working directory, whose indices are deleted afterwards."""
    shop = Shop(engine, folder)
    try:
        yield shop
    finally:
        shop.delete()


@contextmanager
def searching(
    shop: Shop,
    threads: int = 3,
    plans: Sequence[str | SearchPlan] = ("exact", "two-stage"),
    index: Index | None = None,
) -> Iterator[list[object]]:
    """Search all the time; yields what each search saw, or raised."""
    seen: list[object] = []
    stop = threading.Event()

    searched = index or shop.index

    def search(plan: str | SearchPlan) -> None:
        while not stop.is_set():
            try:
                hits = searched.search(
                    vector=VECTORS[0], plan=plan, size=COUNT, fields=("generation",)
                ).hits
                seen.append((len(hits), frozenset(hit.source["generation"] for hit in hits)))
            except Exception as error:  # noqa: BLE001 (the test counts every kind)
                seen.append(error)
            stop.wait(0.002)  # leaves the engine some time of two cores for the rebuild

    workers = [
        threading.Thread(target=search, args=(plans[n % len(plans)],)) for n in range(threads)
    ]
    for worker in workers:
        worker.start()
    try:
        yield seen
    finally:
        stop.set()
        for worker in workers:
            worker.join()
