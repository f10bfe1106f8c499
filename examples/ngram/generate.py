"""Generate the catalogue, the queries and the judgments beside this file, the same every time.

    python examples/ngram/generate.py [FOLDER]

Each product is made from hidden traits (what it is, its colour, material, feature, model); its title
tells them in words. Grades look at the traits alone: 3 where all that a query wishes holds, 2 where one
wish is missed, 1 where more are, 0 for another kind of product. Every product whose title shares a
character with a query is graded, so no search by words returns a hit without a grade.
"""

from __future__ import annotations

import csv
import io
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from queries import INTENTS, Intent
from words import BRANDS, COLOURLESS, COLOURS, HAND_WRITTEN, KINDS, SERIES

PER_KIND = 9
JAPANESE, MADE_IN_JAPAN = 0.3, "日本製"


@dataclass(frozen=True)
class Product:
    """A product with the traits that its title tells."""

    id: str
    title: str
    brand: str
    kind: str
    price: int
    colour: str = ""
    material: str = ""
    feature: str = ""
    model: str = ""

    @property
    def document(self) -> dict[str, str | int]:
        """What is ingested: the traits stay hidden."""
        shown = {"id": self.id, "title": self.title, "brand": self.brand}
        return shown | {"category": KINDS[self.kind].category, "price": self.price}


def make_products() -> list[Product]:
    """Return all products in the order of their ids."""
    rng = random.Random(21)  # noqa: S311 (a catalogue, no secret)
    made = [_make(rng, kind) for kind in KINDS for _ in range(PER_KIND)]
    made += [_complete(rng, *row) for row in HAND_WRITTEN]
    rng.shuffle(made)
    return [Product(f"p{number:03}", *rest) for number, rest in enumerate(made, start=1)]


def grade(intent: Intent, product: Product) -> int:
    """Return 0 for another kind of product, else 3 less the wishes that it misses, at least 1."""
    if intent.kinds and product.kind not in intent.kinds:
        return 0
    if intent.model and not product.model.startswith(intent.model):
        return 0
    wishes = ("colour", "material", "feature")
    asked = [name for name in wishes if getattr(intent, name)]
    missed = sum(getattr(intent, name) != getattr(product, name) for name in asked)
    return max(3 - missed, 1)


def make_judgments(products: list[Product]) -> Iterator[tuple[str, str, int]]:
    """Yield query, product and grade of what a search by characters could return, and all that fits."""
    for intent in INTENTS:
        for product in products:
            found = grade(intent, product)
            shared = set(intent.text.upper()) & set(product.title.upper()) - {" "}
            if found or shared:
                yield intent.text, product.id, found


def make_files() -> dict[str, str]:
    """Return the text of each file by its name."""
    products = make_products()
    lines = [json.dumps(product.document, ensure_ascii=False) for product in products]
    return {
        "products.jsonl": "\n".join(lines) + "\n",
        "queries.csv": _csv(("query", "group"), ((i.text, i.group) for i in INTENTS)),
        "judgments.csv": _csv(("query", "doc_id", "grade"), make_judgments(products)),
    }


def _make(rng: random.Random, name: str) -> tuple[str | int, ...]:
    """Return the fields of a product after its id."""
    kind = KINDS[name]
    brand = rng.choice(BRANDS)
    material = rng.choice(kind.materials or ("",))
    feature = rng.choice((*kind.features, ""))
    colour = "" if name in COLOURLESS else rng.choice(list(COLOURS))
    model = _model(rng) if kind.coded else ""
    what = f"{feature}{material}{'の' if material and rng.random() < 0.3 else ''}"
    words = [f"{what}{rng.choice(kind.names)}"]
    words += [rng.choice(COLOURS[colour])] if colour else []
    words += [MADE_IN_JAPAN] if rng.random() < JAPANESE else []
    title = " ".join([brand, *words, *([model] if model else [])])
    return title, brand, name, _price(rng, name), colour, material, feature, model


def _complete(
    rng: random.Random, kind: str, title: str, colour: str, material: str, feature: str
) -> tuple[str | int, ...]:
    """Return the fields of a hand-written product after its id."""
    return title, rng.choice(BRANDS), kind, _price(rng, kind), colour, material, feature, ""


def _model(rng: random.Random) -> str:
    """Return a model with its colour code, such as KX120B; a series has numbers of its own."""
    series = rng.randrange(len(SERIES))
    return f"{SERIES[series]}{series + 1}{rng.choice('0248')}0{rng.choice('BWR')}"


def _price(rng: random.Random, kind: str) -> int:
    low, high = KINDS[kind].prices
    step = 100 if low >= 1000 else 10
    return rng.randrange(low, high + 1, step)


def _csv(header: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def main(folder: Path) -> None:
    """Write the files."""
    for name, text in make_files().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
