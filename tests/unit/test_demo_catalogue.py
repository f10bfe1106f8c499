"""The generated demo catalogue: same bytes for a seed, plausible fields, grades that follow traits."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from kokeshi.demo import catalogue
from kokeshi.demo.catalogue import (
    generate_items,
    generate_judgments,
    generate_products,
    write_catalogue,
)
from kokeshi.demo.judgments import POOL, Wish, draw_wish, grade_item, phrase_wish
from kokeshi.demo.kinds import CATEGORIES, KINDS
from kokeshi.demo.products import MISSING, Item, Latent, swap_letters
from kokeshi.demo.vocabulary import ASPECTS, BRANDS, COLOURS, SERVES
from kokeshi.errors import InputError

N = 6_000
REQUIRED = {"id", "title", "description", "brand", "gender", "category", "type"}
REQUIRED |= {"released", "in_stock"}
DIGEST_PROGRAM = """
import hashlib, pathlib, sys
from kokeshi.demo.catalogue import write_catalogue
paths = write_catalogue(pathlib.Path(sys.argv[1]), seed=3, n=400)
data = paths.products.read_bytes() + paths.judgments.read_bytes()
sys.stdout.write(hashlib.sha256(data).hexdigest())
"""


@pytest.fixture(scope="module")
def items():
    return list(generate_items(N, rng=np.random.default_rng(5)))


@pytest.fixture(scope="module")
def judgments(items):
    return generate_judgments(items, rng=np.random.default_rng(6))


@pytest.fixture(scope="module")
def by_query(judgments):
    grouped = defaultdict(dict)
    for query, doc_id, grade in judgments:
        grouped[query][doc_id] = grade
    return grouped


def digest(paths):
    return hashlib.sha256(paths.products.read_bytes() + paths.judgments.read_bytes()).hexdigest()


def words_of(text):
    return set(re.findall(r"[a-z0-9]+", text.lower()))


def make_item(kind="jacket", price=80.0, **traits):
    held = {
        "colour": ("black",),
        "material": ("nylon",),
        "feature": ("waterproof", "windproof"),
        "occasion": ("hiking",),
        "pattern": ("plain",),
        "fit": ("slim",),
        "audience": ("women",),
    }
    document = {"id": "1"} if price is None else {"id": "1", "price": price}
    return Item(document, Latent(kind, held | {k: (v,) for k, v in traits.items()}))


def test_same_seed_gives_same_bytes_and_another_seed_does_not(tmp_path):
    first = digest(write_catalogue(tmp_path / "a", seed=3, n=400))
    assert digest(write_catalogue(tmp_path / "b", seed=3, n=400)) == first
    assert digest(write_catalogue(tmp_path / "c", seed=4, n=400)) != first


def test_bytes_do_not_depend_on_the_hash_seed(tmp_path):
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST_PROGRAM, str(tmp_path / hash_seed)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert digests == {digest(write_catalogue(tmp_path / "here", seed=3, n=400))}


def test_gzip_header_holds_no_time(tmp_path):
    header = write_catalogue(tmp_path, n=50).products.read_bytes()[:10]
    assert header[:2] == b"\x1f\x8b"
    assert header[4:8] == b"\0\0\0\0"


def test_files_hold_what_the_generators_give(tmp_path):
    paths = write_catalogue(tmp_path, seed=3, n=400)
    products_rng, judgments_rng = np.random.default_rng(3).spawn(2)
    items = list(generate_items(400, rng=products_rng))
    with gzip.open(paths.products, "rt", encoding="utf-8") as file:
        assert [json.loads(line) for line in file] == [item.document for item in items]
    with paths.judgments.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["query", "doc_id", "grade"]
    expected = generate_judgments(items, rng=judgments_rng)
    assert [(query, doc_id, int(grade)) for query, doc_id, grade in rows] == expected


def test_products_are_the_documents_of_the_items(items):
    products = list(generate_products(50, rng=np.random.default_rng(5)))
    assert products[:40] == [item.document for item in items[:40]]
    assert len(products) == 50


@pytest.mark.parametrize("n", [1, 2, 7, 333])
def test_exactly_n_products(n):
    assert len(list(generate_items(n, rng=np.random.default_rng(0)))) == n


@pytest.mark.parametrize("generate", [generate_items, generate_products])
def test_no_products_is_an_error_at_once(generate):
    with pytest.raises(InputError, match="n=0: a catalogue has at least 1 product"):
        generate(0, rng=np.random.default_rng(0))


def test_documents_follow_the_schema(items):
    for document in (item.document for item in items):
        assert REQUIRED <= set(document) <= {*REQUIRED, *MISSING}
        assert document["brand"] in BRANDS
        assert document["gender"] in SERVES
        assert document["type"] in CATEGORIES[document["category"]]
        assert document.get("colour", "black") in COLOURS
        assert 3 <= document.get("price", 3) < 5_000
        assert document.get("price", 3) == round(document.get("price", 3), 2)
        assert 1 <= document.get("rating", 1) <= 5
        assert date(2019, 1, 1) <= date.fromisoformat(document["released"]) < date(2025, 1, 1)
        assert type(document["in_stock"]) is bool
        assert type(document["id"]) is str


def test_text_is_filled_and_tidy(items):
    for document in (item.document for item in items):
        for text in (document["title"], document["description"]):
            assert text
            assert text == " ".join(text.split())
            assert not re.search(r"[{}]|None", text)


def test_ids_are_distinct_and_all_categories_occur(items):
    assert len({item.document["id"] for item in items}) == N
    assert {item.document["category"] for item in items} == set(CATEGORIES)
    assert {item.latent.kind for item in items} == set(KINDS)


@pytest.mark.parametrize("field", ["colour", "price", "rating"])
def test_a_few_percent_lack_a_field(items, field):
    assert 0.02 < sum(field not in item.document for item in items) / N < 0.08


def test_price_depends_on_the_kind(items):
    prices = defaultdict(list)
    for item in items:
        prices[item.latent.kind].append(item.document.get("price", np.nan))
    assert np.nanmedian(prices["suit"]) > 4 * np.nanmedian(prices["tshirt"])
    assert np.nanstd(np.log(prices["jacket"])) > 0.2


def test_many_products_are_one_model_in_another_colour(items):
    models = Counter(item.document["description"][:60] for item in items)
    assert 0.5 < sum(size for size in models.values() if size > 1) / N < 0.95


def test_hidden_traits_are_not_published(items):
    hidden = {"kind", "latent", "traits", "feature", "material", "occasion", "pattern", "fit"}
    assert not hidden & {field for item in items for field in item.document}
    shelves = {item.document["type"] for item in items}
    assert len(shelves) < len(KINDS) / 1.5
    assert not {"jacket", "waterproof", "jumper"} & shelves


def test_colour_field_is_the_true_colour(items):
    published = [item for item in items if "colour" in item.document]
    assert all(i.latent.traits["colour"] == (i.document["colour"],) for i in published)


def test_a_true_colour_is_always_written_somewhere(items):
    for item in items:
        text = f"{item.document['title']} {item.document['description']}".lower()
        assert any(shade in text for shade in COLOURS[item.latent.traits["colour"][0]].listed)


def test_some_titles_are_misspelt(items):
    known = words_of(" ".join(w for kind in KINDS.values() for w in kind.listed))
    known |= words_of(" ".join(w for a in ASPECTS.values() for c in a.values() for w in c.listed))
    strange = [w for item in items for w in words_of(item.document["title"]) - known if len(w) > 5]
    swapped = {word for word in strange if any(sorted(word) == sorted(k) for k in known)}
    assert len(swapped) > 20


@pytest.mark.parametrize("seed", range(20))
def test_swapped_letters_keep_the_length_and_the_letters(seed):
    swapped = swap_letters(np.random.default_rng(seed), "waterproof red jacket")
    assert sorted(swapped) == sorted("waterproof red jacket")
    assert [w[0] + w[-1] for w in swapped.split()] == ["wf", "rd", "jt"]


def test_short_words_are_not_misspelt():
    assert swap_letters(np.random.default_rng(0), "red hat") == "red hat"


def test_judgments_name_existing_products_once(items, judgments):
    ids = {item.document["id"] for item in items}
    assert {doc_id for _, doc_id, _ in judgments} <= ids
    assert len({(query, doc_id) for query, doc_id, _ in judgments}) == len(judgments)


def test_every_query_has_a_perfect_product_and_a_pool(by_query):
    assert len(by_query) == 120
    for grades in by_query.values():
        counts = Counter(grades.values())
        assert counts[3] >= 1
        assert counts[0] >= 1
        assert all(counts[grade] <= limit for grade, limit in POOL.items())
        assert 10 <= len(grades) <= 60


def test_every_grade_is_common(judgments):
    counts = Counter(grade for *_, grade in judgments)
    assert set(counts) == {0, 1, 2, 3}
    assert min(counts.values()) > 0.08 * len(judgments)


def test_words_alone_cannot_find_the_perfect_products(items, by_query):
    titles = {item.document["id"]: words_of(item.document["title"]) for item in items}
    perfect = [(q, d) for q, grades in by_query.items() for d, g in grades.items() if g == 3]
    full = sum(words_of(query) <= titles[doc] for query, doc in perfect) / len(perfect)
    none = sum(not words_of(query) & titles[doc] for query, doc in perfect) / len(perfect)
    assert full < 0.4
    assert none > 0.02


def test_bad_products_share_words_with_the_query(items, by_query):
    texts = {i.document["id"]: words_of(" ".join(map(str, i.document.values()))) for i in items}
    bad = [(q, d) for q, grades in by_query.items() for d, g in grades.items() if g == 0]
    assert sum(bool(words_of(query) & texts[doc]) for query, doc in bad) > 0.5 * len(bad)


@pytest.mark.parametrize(
    ("item", "grade"),
    [
        (make_item(), 3),
        (make_item(colour="red"), 2),
        (make_item(feature="windproof"), 2),
        (make_item(colour="red", feature="warm"), 1),
        (make_item(kind="coat"), 2),
        (make_item(kind="coat", colour="red"), 0),
        (make_item(kind="jumper"), 0),
    ],
)
def test_grades_count_the_misses(item, grade):
    wish = Wish("jacket", (("colour", "black"), ("feature", "waterproof")))
    assert grade_item(item, wish) == grade


def test_wrong_audience_is_never_better_than_one():
    wish = Wish("jacket", (("colour", "black"), ("audience", "men")))
    assert grade_item(make_item(), wish) == 1
    assert grade_item(make_item(audience="men"), wish) == 3
    assert grade_item(make_item(kind="coat"), wish) == 0


def test_missing_the_only_trait_gives_one():
    assert grade_item(make_item(colour="red"), Wish("jacket", (("colour", "black"),))) == 1


@pytest.mark.parametrize(("price", "grade"), [(50.0, 3), (50.01, 2), (None, 2)])
def test_a_budget_is_a_trait(price, grade):
    wish = Wish("jacket", (("colour", "black"),), budget=50)
    assert grade_item(make_item(price=price), wish) == grade


def test_a_wish_is_fulfilled_by_its_product(items):
    rng = np.random.default_rng(1)
    wishes = [(item, draw_wish(rng, item)) for item in items[:500]]
    assert {grade_item(item, wish) for item, wish in wishes} == {3}
    assert sum(wish.budget is not None for _, wish in wishes) > 15
    assert sum("audience" in dict(wish.traits) for _, wish in wishes) > 30


def test_one_wish_is_phrased_in_many_ways():
    rng = np.random.default_rng(1)
    wish = Wish("jumper", (("feature", "warm"), ("audience", "men")))
    texts = {phrase_wish(rng, wish) for _ in range(200)}
    assert {"warm jumper men", "warm men sweater"} <= texts
    assert any("under 40" in phrase_wish(rng, replace(wish, budget=40)) for _ in range(20))


@pytest.mark.parametrize(("copies", "judged"), [(POOL[3], True), (POOL[3] + 1, False)])
def test_a_query_with_more_perfect_products_than_the_pool_is_too_vague(copies, judged):
    text = {"title": "Nylon jacket", "description": "Keeps dry."}
    items = [replace(make_item(), document={"id": str(i), **text}) for i in range(copies)]
    rng = np.random.default_rng(0)
    assert bool(generate_judgments(items, rng=rng, queries=1)) is judged


def test_a_tiny_catalogue_gives_fewer_queries():
    items = list(generate_items(3, rng=np.random.default_rng(0)))
    judgments = generate_judgments(items, rng=np.random.default_rng(0), queries=10_000)
    assert 0 < len({query for query, *_ in judgments}) < 10_000


def test_a_complete_catalogue_is_left_alone(tmp_path):
    paths = write_catalogue(tmp_path, n=50)
    before = [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]
    assert write_catalogue(tmp_path, n=50) == paths
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())] == before


@pytest.mark.parametrize("change", [{"seed": 8}, {"n": 51}])
def test_another_catalogue_replaces_the_old_one(tmp_path, change):
    before = digest(write_catalogue(tmp_path, seed=7, n=50))
    after = digest(write_catalogue(tmp_path, **{"seed": 7, "n": 50, **change}))
    assert after != before


def test_another_generator_version_replaces_the_old_one(tmp_path, monkeypatch):
    paths = write_catalogue(tmp_path, n=50)
    monkeypatch.setattr(catalogue, "GENERATOR_VERSION", catalogue.GENERATOR_VERSION + 1)
    paths.judgments.write_text("stale")
    write_catalogue(tmp_path, n=50)
    assert paths.judgments.read_text() != "stale"


@pytest.mark.parametrize("name", ["products.jsonl.gz", "judgments.csv", "catalogue.json"])
def test_a_lost_file_is_written_again(tmp_path, name):
    expected = digest(write_catalogue(tmp_path, n=50))
    (tmp_path / name).unlink()
    assert digest(write_catalogue(tmp_path, n=50)) == expected
    assert (tmp_path / name).is_file()


def test_an_interrupted_replacement_is_not_taken_for_complete(tmp_path, monkeypatch):
    write_catalogue(tmp_path, seed=7, n=50)

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "_write_judgments", fail)
        with pytest.raises(KeyboardInterrupt):
            write_catalogue(tmp_path, seed=8, n=50)
    (tmp_path / "catalogue.json").write_text('{"generator": 1, "se')
    fresh = digest(write_catalogue(tmp_path / "fresh", seed=8, n=50))
    assert digest(write_catalogue(tmp_path, seed=8, n=50)) == fresh
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"products.jsonl.gz", "judgments.csv", "catalogue.json", "fresh"}


@pytest.mark.parametrize("survivors", [0, 1, 2])
def test_dying_between_two_files_leaves_no_mixture(tmp_path, monkeypatch, survivors):
    write_catalogue(tmp_path, seed=7, n=50)
    moved, move = [], Path.replace

    def die(self, target):
        if len(moved) == survivors:
            raise KeyboardInterrupt
        moved.append(target)
        return move(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            write_catalogue(tmp_path, seed=8, n=50)
    old, new = (write_catalogue(tmp_path / str(seed), seed=seed, n=50) for seed in (7, 8))
    assert digest(write_catalogue(tmp_path, seed=7, n=50)) == digest(old)
    assert digest(write_catalogue(tmp_path, seed=8, n=50)) == digest(new)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write the demo catalogue"):
        write_catalogue(tmp_path / "file", n=50)
