"""Query sets: read, written, and drawn from a log so that their means are those of the traffic."""

import numpy as np
import pytest

from kokeshi.errors import InputError
from kokeshi_eval.queries import EvalQuery
from kokeshi_eval.query_sets import (
    Logged,
    load_log,
    load_queries,
    sample_queries,
    write_queries,
)

QUERIES = (
    EvalQuery("q1", "red hat", "price < 50", 2.5, {"band": "head", "category": "hats"}),
    EvalQuery("靴, 白", "靴, 白"),
)


@pytest.mark.parametrize("name", ["q.csv", "q.jsonl", "q.tsv"])
def test_what_is_written_is_read_again(tmp_path, name):
    write_queries(QUERIES, tmp_path / name)
    assert load_queries(tmp_path / name) == QUERIES
    with pytest.raises(InputError, match="exists already"):
        write_queries(QUERIES, tmp_path / name)


def test_only_the_text_is_needed(tmp_path):
    (tmp_path / "q.csv").write_text("query\nred hat\nshoe\n")
    assert load_queries(tmp_path / "q.csv") == (
        EvalQuery("red hat", "red hat"),
        EvalQuery("shoe", "shoe"),
    )


def test_other_columns_are_attributes_but_a_count_is_none(tmp_path):
    (tmp_path / "q.jsonl").write_text(
        '{"query": "hat", "id": 7, "weight": 2, "sale": true, "words": 3, "brand": null, "count": 9}\n'
    )
    (query,) = load_queries(tmp_path / "q.jsonl")
    assert query == EvalQuery("7", "hat", None, 2.0, {"sale": "true", "words": "3"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,text2\n1,hat\n", "line 1: the header lacks query"),
        ("query\n", "no queries; give rows with a column query"),
        ("query,weight\nhat,0\n", "line 2: weight '0' is not a number above 0"),
        ("query,weight\nhat,inf\n", "weight 'inf'"),
        ("query,weight\nhat,x\n", "weight 'x'"),
        ("query,brand\n,a\n", "line 2: the query is empty"),
        ("query\nhat\nhat\n", "line 3: the id 'hat' comes twice; give a column id"),
    ],
)
def test_rows_that_are_no_queries(tmp_path, text, message):
    (tmp_path / "q.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        load_queries(tmp_path / "q.csv")


def test_nested_attributes_and_other_files_are_refused(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"query": "hat", "brand": ["a"]}\n')
    with pytest.raises(
        InputError, match="line 1: the attribute 'brand' must be a text or a number"
    ):
        load_queries(tmp_path / "q.jsonl")
    with pytest.raises(InputError, match=r"q\.txt: accepted are \.csv, \.tsv, \.jsonl, \.ndjson"):
        load_queries(tmp_path / "q.txt")


def test_a_log_is_summed_and_sorted(tmp_path):
    (tmp_path / "log.csv").write_text(
        "query,count,filter,user\nshoe,2,,a\nhat,1,,b\nhat,3,,c\nhat,4,brand == 'x',d\nbag,,,e\n"
    )
    assert load_log(tmp_path / "log.csv") == (
        Logged("hat", None, 4),
        Logged("hat", "brand == 'x'", 4),
        Logged("shoe", None, 2),
        Logged("bag", None, 1),
    )
    (tmp_path / "log.csv").write_text("query,count\nhat,0\n")
    with pytest.raises(InputError, match="line 2: count '0' is not a whole number from 1"):
        load_log(tmp_path / "log.csv")


LOG = tuple(Logged(f"q{n:04}", count=max(1, 4000 // (n + 1))) for n in range(2000))
TRAFFIC = sum(one.count for one in LOG)


def test_bands_are_parted_by_traffic():
    log = [Logged("a", count=5), Logged("b", count=2), Logged("c", count=1), Logged("d", count=1)]
    log += [Logged("e")]
    drawn = sample_queries(log, 9, np.random.default_rng(0))
    assert [(one.band, one.queries, one.traffic, one.sampled) for one in drawn.bands] == [
        ("head", 1, 0.5, 1),
        ("torso", 2, pytest.approx(0.3), 2),
        ("tail", 2, 0.2, 2),
    ]
    assert [query.attributes["band"] for query in drawn.queries] == [
        "head",
        "torso",
        "torso",
        "tail",
        "tail",
    ]
    # all were drawn: each weighs what it is asked
    assert [query.weight for query in drawn.queries] == pytest.approx([2.5, 1, 0.5, 0.5, 0.5])


def test_each_band_has_as_many_queries_as_it_can_fill():
    drawn = sample_queries(LOG, 300, np.random.default_rng(0))
    sampled = {one.band: one.sampled for one in drawn.bands}
    queries = {one.band: one.queries for one in drawn.bands}
    assert sampled["head"] == queries["head"] < 100
    assert sum(sampled.values()) == len({query.id for query in drawn.queries}) == 300
    assert abs(sampled["torso"] - sampled["tail"]) <= 1
    for one in drawn.bands:
        weights = [q.weight for q in drawn.queries if q.attributes["band"] == one.band]
        assert sum(weights) / 300 == pytest.approx(one.traffic)


def test_weighted_means_estimate_the_traffic():
    """A measure that rare queries have less of: the mean over all searches, from samples of 60."""
    value = {one.id: 1 / (1 + place / 50) for place, one in enumerate(LOG)}
    truth = sum(value[one.id] * one.count for one in LOG) / TRAFFIC
    weighted, plain = [], []
    for seed in range(200):
        queries = sample_queries(LOG, 60, np.random.default_rng(seed)).queries
        found = [value[query.id] for query in queries]
        weighted.append(np.average(found, weights=[query.weight for query in queries]))
        plain.append(np.mean(found))
    assert np.mean(weighted) == pytest.approx(truth, rel=0.01)
    assert abs(np.mean(plain) - truth) > 0.1 * truth


def test_the_seed_decides():
    one, again, other = (
        sample_queries(LOG, 30, np.random.default_rng(seed)).queries for seed in (1, 1, 2)
    )
    assert one == again != other


def test_a_query_with_a_filter_is_another_query():
    log = [Logged("hat", count=3), Logged("hat", "price < 9", 3)]
    drawn = sample_queries(log, 3, np.random.default_rng(0))
    assert [(query.id, query.filter) for query in drawn.queries] == [
        ("hat", None),
        ("hat [price < 9]", "price < 9"),
    ]


@pytest.mark.parametrize(
    ("size", "bands", "message"),
    [
        (2, {}, "size 2: at least 3, one for each band"),
        (9, {"head": 0}, "head 0 and torso 0.3: give shares"),
        (9, {"head": 0.6, "torso": 0.5}, "together at most 1"),
    ],
)
def test_samples_that_cannot_be(size, bands, message):
    with pytest.raises(InputError, match=message):
        sample_queries(LOG, size, np.random.default_rng(0), **bands)
