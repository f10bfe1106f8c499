"""Generated judgments: queries as people type them, graded by what the products truly are.

Grades compare hidden traits, never words. A product of the asked kind with every asked trait gets 3,
one miss gives 2, more misses (or the wrong audience) give 1. A kind from the same shelf counts as one
miss. Everything else is 0. Which products are judged is decided as where several engines
are pooled: a third by the words of the query, the rest by every synonym of what it means.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from kokeshi.demo import vocabulary as words
from kokeshi.demo.kinds import KINDS
from kokeshi.demo.products import Item, pick, pick_word, swap_letters

Judgment = tuple[str, str, int]
"""(query, id of the product, grade 0 to 3)."""

POOL = {3: 30, 2: 18, 1: 6, 0: 6}
"""At most so many judged products per grade and query; a query with more perfect ones is too vague."""

_ASKED = ("colour", "material", "feature", "occasion", "pattern", "fit")
_UNASKABLE = ("plain", "regular", "everyday", "unisex")
_TRAIT_COUNTS = (1, 1, 1, 1, 2, 2, 2, 2, 2, 3)
_AUDIENCE_SHARE, _PRICE_SHARE, _TYPO_SHARE = 0.2, 0.08, 0.05
_BUDGETS = (10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300)
_ATTEMPTS_PER_QUERY = 40
_RANK_DEPTH = 400
_FEWEST_PERFECT = 6
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Wish:
    """What a shopper truly wants: a kind, one key per asked aspect, and perhaps a budget in EUR."""

    kind: str
    traits: tuple[tuple[str, str], ...]
    budget: int | None = None


def generate_judgments(
    items: Iterable[Item], *, rng: np.random.Generator, queries: int = 120
) -> list[Judgment]:
    """Graded products for about `queries` distinct queries.

    Every query starts from the traits of a product that exists, so each has at least one grade 3. A
    small catalogue may not carry as many distinct queries as asked for; the list is then shorter.

    Args:
        items: the products with their hidden traits, as `generate_items` yields them.
        rng: the source of every choice.
        queries: how many queries to make.
    """
    pool = _Pool(tuple(items))
    fewest = min(_FEWEST_PERFECT, 1 + len(pool.items) // 2_000)
    judged: dict[str, list[Judgment]] = {}
    for _ in range(queries * _ATTEMPTS_PER_QUERY):
        if len(judged) == queries:
            break
        wish = draw_wish(rng, pick(rng, pool.items))
        text = phrase_wish(rng, wish)
        grades = pool.grades(wish)
        if text not in judged and fewest <= list(grades.values()).count(3) <= POOL[3]:
            judged[text] = _judge(rng, pool, wish, text, grades)
    return [judgment for judgments in judged.values() for judgment in judgments]


def grade_item(item: Item, wish: Wish) -> int:
    """The grade 0 to 3 of one product, from its hidden traits and, for a budget, its price field."""
    same_kind = item.latent.kind == wish.kind
    if not same_kind and KINDS[item.latent.kind].shelf != KINDS[wish.kind].shelf:
        return 0
    unmet = _unmet_aspects(item, wish)
    misses = len(unmet) + (not same_kind)
    if "audience" in unmet or misses > 1:
        return int(same_kind)
    asked = len(wish.traits) + (wish.budget is not None)
    return 3 if misses == 0 else 2 if len(unmet) < asked else 1


def _unmet_aspects(item: Item, wish: Wish) -> list[str]:
    """The asked aspects that do not hold; an unknown price never fits a budget."""
    unmet = [aspect for aspect, key in wish.traits if key not in item.latent.traits[aspect]]
    if wish.budget is not None and item.document.get("price", np.inf) > wish.budget:
        unmet.append("price")
    return unmet


def draw_wish(rng: np.random.Generator, item: Item) -> Wish:
    """A wish that `item` fulfils."""
    held = [(a, pick(rng, item.latent.traits[a])) for a in _ASKED]
    askable = [(aspect, key) for aspect, key in held if key not in _UNASKABLE]
    order = rng.permutation(len(askable))[: pick(rng, _TRAIT_COUNTS)]
    traits = [askable[i] for i in order.tolist()]
    if rng.random() < _AUDIENCE_SHARE:
        traits.append(("audience", pick(rng, item.latent.traits["audience"])))
    traits = [trait for trait in traits if trait[1] not in _UNASKABLE]
    budget = _fitting_budget(item) if rng.random() < _PRICE_SHARE else None
    return Wish(item.latent.kind, tuple(traits), budget)


def _fitting_budget(item: Item) -> int | None:
    """The smallest round budget that pays for the product; None when its price is unknown or huge."""
    price = item.document.get("price", np.inf)
    return next((budget for budget in _BUDGETS if price <= budget), None)


def phrase_wish(rng: np.random.Generator, wish: Wish) -> str:
    """The query text, with synonyms, in one of the orders in which people type, at times misspelt."""
    before: list[str] = []
    after: list[str] = []
    for aspect, key in wish.traits:
        phrase = pick_word(rng, words.ASPECTS[aspect][key].asked)
        trails = phrase.startswith(("for ", "with ")) or rng.random() < 0.25
        (after if trails else before).append(phrase)
    if wish.budget is not None:
        after.append(pick(rng, ("under {}", "below {} euro", "max {}")).format(wish.budget))
    text = " ".join(
        [*before, pick_word(rng, KINDS[wish.kind].asked), *sorted(after, key=_is_clause)]
    )
    return swap_letters(rng, text) if rng.random() < _TYPO_SHARE else text


def _is_clause(phrase: str) -> bool:
    return " " in phrase


def _judge(
    rng: np.random.Generator, pool: _Pool, wish: Wish, text: str, grades: Mapping[int, int]
) -> list[Judgment]:
    """The judged products of one query: all perfect ones, then the most plausible of each grade."""
    meant = _synonyms(wish)
    engines = (
        pool.texts.rank(rng, text),
        pool.titles.rank(rng, meant),
        pool.texts.rank(rng, meant),
    )
    plausible = dict.fromkeys(row for rank in zip(*engines, strict=True) for row in rank)
    left, chosen = dict(POOL), []
    for row in plausible | dict.fromkeys(grades):
        grade = grades.get(row, 0)
        if left[grade] > 0:
            left[grade] -= 1
            chosen.append((text, str(pool.items[row].document["id"]), grade))
    return chosen


def _synonyms(wish: Wish) -> str:
    """Every word that anyone uses for what is asked."""
    asked = [words.ASPECTS[aspect][key] for aspect, key in wish.traits]
    kind = KINDS[wish.kind]
    spoken = [concept.listed + concept.asked for concept in asked]
    return " ".join(word for group in (kind.listed, kind.asked, *spoken) for word in group)


class _Pool:
    """The items with indexes: rows by shelf, by word of the whole text, and by word of the title."""

    def __init__(self, items: tuple[Item, ...]) -> None:
        self.items = items
        self._by_shelf: defaultdict[str, list[int]] = defaultdict(list)
        for row, item in enumerate(items):
            self._by_shelf[KINDS[item.latent.kind].shelf].append(row)
        titles = [item.document["title"] for item in items]
        self.titles = _WordIndex(titles)
        self.texts = _WordIndex(
            f"{t} {i.document['description']}" for t, i in zip(titles, items, strict=True)
        )

    def grades(self, wish: Wish) -> dict[int, int]:
        """Grades by row for the whole shelf of the asked kind; every other row has grade 0."""
        rows = self._by_shelf[KINDS[wish.kind].shelf]
        return {row: grade_item(self.items[row], wish) for row in rows}


class _WordIndex:
    """Rows of texts by word, and a plain ranking by shared words."""

    def __init__(self, texts: Iterable[str]) -> None:
        by_word: defaultdict[str, list[int]] = defaultdict(list)
        lengths = []
        for row, text in enumerate(texts):
            found = _words(text)
            lengths.append(len(found))
            for word in found:
                by_word[word].append(row)
        self._by_word = {word: np.array(rows) for word, rows in by_word.items()}
        self._norm = np.sqrt(np.array(lengths))

    def rank(self, rng: np.random.Generator, text: str) -> list[int]:
        """The first rows by the summed rarity, log(N / df), of the words they share with `text`.

        Sums are divided by the root of the length; equal ones come in random order.
        """
        n = len(self._norm)
        shared = rng.random(n) * 1e-6
        for rows in (self._by_word[word] for word in _words(text) if word in self._by_word):
            shared[rows] += np.log(n / len(rows))
        return [int(row) for row in np.argsort(-shared / self._norm)[:_RANK_DEPTH]]


def _words(text: str) -> list[str]:
    """The distinct words of a text, in order of appearance."""
    return list(dict.fromkeys(_WORD.findall(text.lower())))
