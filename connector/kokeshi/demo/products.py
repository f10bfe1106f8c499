"""Generated products: hidden traits first, then a title and a description that tell them in words.

A model is sold in one to six colours, which gives near duplicates. The traits behind the words stay
in `Item.latent`, for grading; only `Item.document` is published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import exp
from typing import Any, TypeVar

import numpy as np

from kokeshi.demo import vocabulary as words
from kokeshi.demo.kinds import KINDS, POPULAR, Kind
from kokeshi.demo.vocabulary import Concept
from kokeshi.errors import InputError

T = TypeVar("T")

MISSING = {"colour": 0.04, "price": 0.03, "rating": 0.06}
"""Share of products that lack a field; the key is then absent, as in real exports."""

_PRINTED_SHELVES = (
    "headwear", "scarves and gloves", "socks", "umbrellas", "backpacks", "handbags", "belts and ties"
)  # fmt: skip
_FIRST_ID = 100_000
_FIRST_DAY = date(2019, 1, 1)
_DAYS = 6 * 365
_TYPO_SHARE = 0.03
_NAMED_SHARE = 0.85
_ASIDE_SHARE = 0.2


@dataclass(frozen=True)
class Latent:
    """What a product truly is: its kind and, per aspect, the keys of the traits that hold."""

    kind: str
    traits: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Item:
    """A product to publish and the hidden truth behind it."""

    document: dict[str, Any]
    latent: Latent


@dataclass(frozen=True)
class _Model:
    """What the colour variants of one model share; `{colour}` is still open in its title."""

    kind: Kind
    brand: str
    gender: str
    price: float
    rating: float
    traits: Mapping[str, tuple[str, ...]]
    title: str
    description: str


def generate_products(n: int = 20_000, *, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """The documents of `n` products.

    Every document has id, title, description, brand, gender, category, type, released (ISO date)
    and in_stock; price (EUR), colour and rating (1 to 5) are absent from a few percent (`MISSING`).

    Raises:
        InputError: if `n` is below 1.
    """
    return (item.document for item in generate_items(n, rng=rng))


def generate_items(n: int = 20_000, *, rng: np.random.Generator) -> Iterator[Item]:
    """The same products with their hidden traits, which `generate_judgments` needs.

    Raises:
        InputError: if `n` is below 1.
    """
    if n < 1:
        raise InputError(f"n={n}: a catalogue has at least 1 product")
    return _draw_items(n, rng)


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of `options`, uniformly; much faster than `rng.choice` for a single draw."""
    return options[int(rng.random() * len(options))]


def pick_word(rng: np.random.Generator, synonyms: Sequence[str]) -> str:
    """One of `synonyms`, the first ones more often (cube law): people share their usual words."""
    return synonyms[int(rng.random() ** 3 * len(synonyms))]


def swap_letters(rng: np.random.Generator, text: str) -> str:
    """`text` with two neighbouring inner letters of one long word swapped, as in a typing error."""
    long = [word for word in text.split() if len(word) > 5 and word.isalpha()]
    if not long:
        return text
    word = pick(rng, long)
    at = 1 + int(rng.random() * (len(word) - 3))
    return text.replace(word, word[:at] + word[at + 1] + word[at] + word[at + 2 :], 1)


def _draw_items(n: int, rng: np.random.Generator) -> Iterator[Item]:
    kinds, made = tuple(KINDS.values()) + tuple(KINDS[key] for key in POPULAR), 0
    while made < n:
        model = _draw_model(rng, pick(rng, kinds))
        variants = min(1 + int(6 * rng.random() ** 2), n - made)
        for i in rng.permutation(len(words.COLOURS))[:variants].tolist():
            yield _draw_variant(rng, model, list(words.COLOURS.values())[i], _FIRST_ID + made)
            made += 1


def _draw_model(rng: np.random.Generator, kind: Kind) -> _Model:
    brand, gender = pick(rng, tuple(words.BRANDS)), _draw_gender(rng, kind)
    traits = _draw_traits(rng, kind, gender)
    name = pick(rng, words.MODEL_NAMES)
    spread = exp(0.35 * rng.standard_normal())
    return _Model(
        kind=kind,
        brand=brand,
        gender=gender,
        price=_shelf_price(rng, kind.price * words.BRANDS[brand] * spread),
        rating=min(5.0, max(1.0, 4.1 + 0.5 * rng.standard_normal())),
        traits=traits,
        title=_draw_title(rng, _draw_slots(rng, kind, brand, name, traits, gender)),
        description=_draw_description(
            rng, kind, traits, _draw_slots(rng, kind, brand, name, traits, gender)
        ),
    )


def _draw_gender(rng: np.random.Generator, kind: Kind) -> str:
    genders = kind.profile.genders
    return pick(rng, genders + tuple(g for g in genders if g in ("women", "men")))


def _draw_traits(rng: np.random.Generator, kind: Kind, gender: str) -> dict[str, tuple[str, ...]]:
    """Keys per aspect; the colour is drawn per variant."""
    profile = kind.profile
    features = (pick(rng, profile.features), pick(rng, profile.features))
    return {
        "material": (pick(rng, profile.materials),),
        "feature": tuple(dict.fromkeys(features[: 1 + (rng.random() < 0.4)])),
        "occasion": (pick(rng, profile.occasions),),
        "pattern": (_draw_pattern(rng, kind),),
        "fit": (_draw_fit(rng, kind),),
        "audience": words.SERVES[gender],
    }


def _draw_pattern(rng: np.random.Generator, kind: Kind) -> str:
    printed = kind.category == "clothing" or kind.shelf in _PRINTED_SHELVES
    return pick(rng, tuple(words.PATTERNS)) if printed and rng.random() < 0.5 else "plain"


def _draw_fit(rng: np.random.Generator, kind: Kind) -> str:
    return pick(rng, tuple(words.FITS)) if kind.category == "clothing" else "regular"


def _shelf_price(rng: np.random.Generator, price: float) -> float:
    """A price as shops round it: most end in .95, .99 or .00, the rest on any cent."""
    ending = pick(rng, (0.95, 0.99, 0.0, price % 1))
    return round(max(3.0, float(int(price))) + ending, 2)


def _listed(rng: np.random.Generator, concept: Concept) -> str:
    return pick_word(rng, concept.listed) if concept.listed else ""


def _draw_slots(
    rng: np.random.Generator,
    kind: Kind,
    brand: str,
    name: str,
    traits: Mapping[str, tuple[str, ...]],
    gender: str,
) -> dict[str, str]:
    """Words for the slots of a template; drawn anew for title and description, so they may differ."""
    slots = {
        aspect: _listed(rng, words.ASPECTS[aspect][keys[0]])
        for aspect, keys in traits.items()
        if aspect != "audience"
    }
    audience = _listed(rng, words.AUDIENCES[gender])
    return slots | {
        "kind": pick_word(rng, kind.listed),
        "brand": brand,
        "name": name,
        "audience": audience,
        "colour": "{colour}",
    }


def _draw_title(rng: np.random.Generator, slots: Mapping[str, str]) -> str:
    title = " ".join(pick(rng, words.TITLES).format_map(slots).split())
    return swap_letters(rng, title) if rng.random() < _TYPO_SHARE else title


def _draw_description(
    rng: np.random.Generator,
    kind: Kind,
    traits: Mapping[str, tuple[str, ...]],
    slots: Mapping[str, str],
) -> str:
    """Sentences that tell each trait, with or without its name, and one about another product."""
    lines = [pick(rng, words.OPENINGS), pick(rng, words.MATERIAL_LINES)]
    for aspect in ("feature", "occasion", "pattern", "fit"):
        lines += [_tell(rng, words.ASPECTS[aspect][key]) for key in traits[aspect]]
    filled = [_capitalised(line.format_map(slots)) for line in lines if line]
    return " ".join([*filled, _draw_aside(rng, kind, traits)]).strip()


def _tell(rng: np.random.Generator, concept: Concept) -> str:
    """A sentence for a trait, more often than not headed by a name of it; nothing for a plain one."""
    if not concept.told:
        return ""
    sentence = pick(rng, concept.told)
    if rng.random() > _NAMED_SHARE:
        return sentence
    return f"{_listed(rng, concept)}: {sentence[0].lower()}{sentence[1:]}"


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def _draw_aside(rng: np.random.Generator, kind: Kind, traits: Mapping[str, tuple[str, ...]]) -> str:
    """A sentence that misleads a search by words: it names traits that this product lacks."""
    if rng.random() > _ASIDE_SHARE:
        return pick(rng, words.CARE_LINES)
    lacking = [key for key in kind.profile.features if key not in traits["feature"]]
    return pick(rng, words.PAIRING_LINES).format(
        colour=pick(rng, pick(rng, tuple(words.COLOURS.values())).listed),
        kind=pick(rng, pick(rng, tuple(KINDS.values())).listed),
        feature=pick(rng, words.FEATURES[pick(rng, lacking)].listed),
        pattern=pick(rng, words.PATTERNS[pick(rng, tuple(words.PATTERNS)[1:])].listed),
    )


def _draw_variant(rng: np.random.Generator, model: _Model, colour: Concept, number: int) -> Item:
    """One colour of a model; fields in the order in which they are published."""
    shade = pick_word(rng, colour.listed)
    document: dict[str, Any] = {
        "id": str(number),
        "title": _capitalised(model.title.replace("{colour}", shade)),
        "description": _draw_colour_line(rng, model, shade),
        "brand": model.brand,
        "gender": model.gender,
        "category": model.kind.category,
        "type": model.kind.shelf,
        "price": _variant_price(rng, model.price),
        "colour": colour.key,
        "rating": round(min(5.0, max(1.0, model.rating + 0.2 * rng.standard_normal())), 1),
        "released": (_FIRST_DAY + timedelta(days=int(rng.random() * _DAYS))).isoformat(),
        "in_stock": bool(rng.random() < 0.87),
    }
    latent = Latent(model.kind.key, {**model.traits, "colour": (colour.key,)})
    return Item(_drop_some(rng, document), latent)


def _draw_colour_line(rng: np.random.Generator, model: _Model, shade: str) -> str:
    """The description; it names the shade wherever the title does not, so that no colour is lost."""
    if "{colour}" in model.title and rng.random() < 0.5:
        return model.description
    line = pick(rng, words.COLOUR_LINES).format(
        colour=shade, kind=pick_word(rng, model.kind.listed)
    )
    return f"{model.description} {_capitalised(line)}"


def _variant_price(rng: np.random.Generator, price: float) -> float:
    """The price of the model, or a sale price for one variant in six."""
    return _shelf_price(rng, price * 0.7) if rng.random() < 1 / 6 else price


def _drop_some(rng: np.random.Generator, document: dict[str, Any]) -> dict[str, Any]:
    dropped = [field for field, share in MISSING.items() if rng.random() < share]
    return {field: value for field, value in document.items() if field not in dropped}
