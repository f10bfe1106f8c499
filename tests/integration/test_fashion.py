"""The fashion catalogue: filtered plans against a NumPy oracle that shares no code with the engine."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pytest

from kokeshi import Index, parse_filter
from kokeshi.demo.specs import SPECS
from kokeshi.encoders import load_encoder
from kokeshi.filters import F, Filter, check_filter, matches
from kokeshi.plans.build import filter_types
from kokeshi.schema import load_spec

pytestmark = [pytest.mark.engine, pytest.mark.data]

PAIRS = 240
SIZE = 10
TIE = 2e-6
"""float32 dot products of 256 terms differ by this between engine and NumPy."""


@dataclass(frozen=True)
class Catalogue:
    """The documents with their unit vectors, and the index that holds them."""

    documents: list[dict]
    vectors: np.ndarray  # (N, 256) float64, of length 1
    index: Index

    def columns(self) -> dict[str, list]:
        return {
            name: [document.get(name) for document in self.documents]
            for name in ("price", "gender", "category", "colour", "brand")
        }

    def passing(self, wanted: Filter) -> np.ndarray:
        checked = check_filter(wanted, filter_types(self.index.spec))
        return matches(checked, self.columns(), len(self.documents))

    def scores(self, text: str) -> np.ndarray:
        query = unit(self.index.encoders["embedding"].encode([text]).astype(np.float64))[0]
        return (1 + self.vectors @ query) / 2


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def catalogue(engine, data_folder: Path, tmp_path_factory) -> Iterator[Catalogue]:
    spec = load_spec(SPECS / "fashion.yaml").model_copy(update={"index": "test-fashion"})
    source = data_folder / "fashion" / "products.jsonl.gz"
    with gzip.open(source) as file:
        documents = [orjson.loads(line) for line in file]
    texts = [" ".join(str(d.get(n) or "") for n in ("title", "colour", "brand")) for d in documents]
    vectors = load_encoder(spec.vectors["embedding"]).encode([t.strip() for t in texts])
    index = Index(spec, engine)
    report = index.ingest(source, recreate=True)
    assert (report.indexed, report.failed) == (len(documents), 0)
    yield Catalogue(documents, unit(vectors.astype(np.float64)), index)
    engine.delete_index(spec.index)


def random_filter(documents: list[dict], rng: np.random.Generator) -> Filter:
    """A filter over one to three of price, gender, category and colour, with values that occur."""
    some, other = (documents[row] for row in rng.integers(len(documents), size=2))
    low, high = sorted(
        float(documents[row]["price"]) for row in rng.integers(len(documents), size=2)
    )
    choices = [
        F.price < high,
        F.price.between(low, high),
        F.gender == some.get("gender", "women"),
        F.gender != some.get("gender", "women"),
        F.category.in_([some.get("category", "shoes"), other.get("category", "clothing")]),
        F.colour == some.get("colour", "black"),
        ~(F.colour == some.get("colour", "black")) & (F.price >= low),
        (F.colour == some.get("colour", "black")) | (F.category == some.get("category", "shoes")),
    ]
    picked = rng.choice(len(choices), size=rng.integers(1, 4), replace=False)
    wanted = choices[picked[0]]
    for number in picked[1:]:
        wanted = wanted & choices[number]
    return wanted


@pytest.fixture(scope="module")
def pairs(catalogue: Catalogue) -> list[tuple[str, Filter]]:
    """Queries of one to four words of the catalogue, each with a filter that leaves something."""
    rng = np.random.default_rng(3)
    words = sorted(
        {w for d in catalogue.documents for w in f"{d['title']} {d.get('colour', '')}".split()}
    )
    found = []
    while len(found) < PAIRS:
        text = " ".join(rng.choice(words, size=rng.integers(1, 5)))
        wanted = random_filter(catalogue.documents, rng)
        if catalogue.passing(wanted).any():
            found.append((text, parse_filter(str(wanted))))
    return found


def test_the_pairs_cover_every_selectivity(catalogue, pairs):
    left = np.array([catalogue.passing(wanted).mean() for _, wanted in pairs])
    assert left.min() < 0.002
    assert left.max() > 0.5
    assert (left * len(catalogue.documents) < SIZE).any(), "some leave fewer than asked for"


def test_every_document_is_counted(catalogue, pairs):
    assert catalogue.index.count() == len(catalogue.documents)
    for _, wanted in pairs[:50]:
        assert catalogue.index.count(wanted) == catalogue.passing(wanted).sum()


def test_the_exact_plan_equals_the_oracle(catalogue, pairs):
    ids = np.array([str(document["id"]) for document in catalogue.documents])
    for text, wanted in pairs:
        scores = np.where(catalogue.passing(wanted), catalogue.scores(text), -1)
        best = np.sort(scores)[::-1][:SIZE]
        best = best[best >= 0]
        hits = catalogue.index.search(text, filter=wanted, plan="exact", size=SIZE, fields=()).hits
        np.testing.assert_allclose([hit.score for hit in hits], best, atol=TIE, err_msg=text)
        found = {hit.id for hit in hits}
        surely = set(ids[scores > best[-1] + TIE])
        possibly = set(ids[scores >= best[-1] - TIE])
        assert surely <= found <= possibly, f"{text!r} where {wanted}"


def test_two_stage_hits_pass_the_filter_and_are_as_many_as_can_be(catalogue, pairs):
    ids = np.array([str(document["id"]) for document in catalogue.documents])
    for text, wanted in pairs:
        passing = catalogue.passing(wanted)
        hits = catalogue.index.search(text, filter=wanted, size=SIZE, fields=()).hits
        assert {hit.id for hit in hits} <= set(ids[passing])
        assert len(hits) == min(SIZE, passing.sum()), f"{text!r} where {wanted}"


def test_two_stage_keeps_the_true_scores(catalogue, pairs):
    recalls = []
    for text, wanted in pairs:
        best = np.sort(catalogue.scores(text)[catalogue.passing(wanted)])[::-1][:SIZE]
        hits = catalogue.index.search(text, filter=wanted, size=SIZE, fields=()).hits
        recalls.append(sum(hit.score >= best[-1] - TIE for hit in hits) / len(best))
    assert np.mean(recalls) >= 0.99
