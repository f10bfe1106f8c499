"""The embedding cache: what was encoded once is not encoded again, and never comes back wrong."""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from kokeshi import Index, IndexSpec, MemoryEngine
from kokeshi.encoders import Record, cache_counts, embed_query, embed_records, load_encoder
from kokeshi.encoders.cache import CachedEncoder, default_path, find_cache, with_cache
from kokeshi.encoders.cache_database import read_info, remove_cache
from kokeshi.encoders.cache_file import CacheFile
from kokeshi.errors import EncoderError, InputError
from kokeshi.schema import VectorSpec, parse_spec

GB = 10**9
DIM = 8


def vector_of(text: str, dim: int = DIM) -> np.ndarray:
    seed = int.from_bytes(sha256(text.encode(errors="surrogatepass")).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=dim).astype(np.float32)


class CountingEncoder:
    """Makes a vector from a text alone and keeps what it was asked."""

    dim = DIM

    def __init__(self, name: str = "counting-1") -> None:
        self.name = name
        self.seen: list[str] = []

    def encode(self, batch: Sequence[str]) -> np.ndarray:
        self.seen += batch
        return np.array([vector_of(text) for text in batch], np.float32).reshape(len(batch), DIM)


class QueryingEncoder(CountingEncoder):
    closed = False

    def encode_queries(self, batch: Sequence[str]) -> np.ndarray:
        return -self.encode(batch)

    def close(self) -> None:
        self.closed = True


class Days:
    """A clock that stands still until it is told."""

    today = 20_000

    def __call__(self) -> int:
        return self.today


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "embeddings.sqlite"


@pytest.fixture
def open_cache(path):
    opened: list[CacheFile] = []

    def open_(limit: int = GB, **options) -> CacheFile:
        opened.append(CacheFile(path, limit, **options))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


@pytest.fixture
def cached(open_cache):
    def make(encoder=None, **options) -> CachedEncoder:
        return CachedEncoder(encoder or CountingEncoder(), open_cache(), **options)

    return make


def key(number: int) -> bytes:
    return sha256(str(number).encode()).digest()


def some(numbers: Sequence[int], dim: int = DIM) -> dict[bytes, np.ndarray]:
    return {key(n): vector_of(str(n), dim) for n in numbers}


class TestEncoding:
    def test_a_text_is_encoded_once(self, cached):
        first, second = CountingEncoder(), CountingEncoder()
        made = cached(first).encode(["a", "b"])
        np.testing.assert_array_equal(cached(second).encode(["b", "c", "a"])[[2, 0]], made)
        assert (first.seen, second.seen) == (["a", "b"], ["c"])

    def test_a_text_that_stands_twice_is_encoded_once(self, cached):
        encoder = cached()
        vectors = encoder.encode(["a", "b", "a"])
        np.testing.assert_array_equal(vectors[0], vectors[2])
        assert (encoder.counts.asked, encoder.counts.encoded) == (3, 2)

    def test_no_texts_are_no_rows(self, cached):
        encoder = cached()
        assert encoder.encode([]).shape == (0, DIM)
        assert encoder.counts.hit_rate == 0

    def test_the_hit_rate(self, cached):
        cached().encode(["a", "b"])
        encoder = cached()
        encoder.encode(["a", "b", "c", "a"])
        assert encoder.counts.hit_rate == 0.75
        assert cache_counts({"v": encoder, "w": CountingEncoder()}) == encoder.counts

    @pytest.mark.parametrize(
        "other",
        [
            {"encoder": CountingEncoder("counting-2")},
            {"options": {"max_tokens": 128}},
        ],
        ids=["name", "options"],
    )
    def test_another_model_finds_nothing(self, cached, other):
        cached().encode(["a"])
        encoder = cached(**other)
        encoder.encode(["a"])
        assert encoder.counts.encoded == 1

    def test_a_name_and_options_do_not_run_into_each_other(self, cached):
        cached(CountingEncoder("a"), options={"b": 1}).encode(["x"])
        encoder = cached(CountingEncoder('a{"b":1}'))
        encoder.encode(["x"])
        assert encoder.counts.encoded == 1

    def test_it_has_the_name_and_the_dimension_of_its_encoder(self, cached):
        encoder = cached()
        assert (encoder.name, encoder.dim) == ("counting-1", DIM)

    def test_queries_are_encoded_each_time_and_not_kept(self, cached, path):
        encoder = CountingEncoder()
        for _ in range(2):
            np.testing.assert_array_equal(cached(encoder).encode_queries(["a"]), [vector_of("a")])
        assert encoder.seen == ["a", "a"]
        assert not path.exists()

    def test_queries_are_encoded_as_the_encoder_wants_them(self, cached):
        spec = VectorSpec(encoder="counting", dimension=DIM)
        encoder = cached(QueryingEncoder())
        encoder.encode(["a"])
        np.testing.assert_array_equal(embed_query(encoder, spec, "a"), -vector_of("a"))

    def test_closing_closes_the_encoder(self, cached):
        inner = QueryingEncoder()
        encoder = cached(inner)
        encoder.encode(["a"])
        encoder.close()
        assert inner.closed
        encoder.encode(["a"])  # and opens again
        assert encoder.counts.encoded == 1

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
    def test_a_vector_that_cannot_be_searched_is_not_kept(self, cached, bad):
        class Faulty(CountingEncoder):
            def encode(self, batch):
                return np.full((len(batch), DIM), bad, np.float32)

        np.testing.assert_array_equal(cached(Faulty()).encode(["a"]), np.full((1, DIM), bad))
        healthy = cached()
        np.testing.assert_array_equal(healthy.encode(["a"]), [vector_of("a")])

    def test_vectors_of_another_shape_are_the_encoders_fault(self, cached):
        class Short(CountingEncoder):
            def encode(self, batch):
                return np.zeros((len(batch), 3), np.float32)

        with pytest.raises(EncoderError, match=r"the shape \(1, 8\) is expected, found \(1, 3\)"):
            cached(Short()).encode(["a"])

    def test_a_text_that_is_no_unicode_has_a_key(self, cached):
        encoder = cached()
        encoder.encode(["\udcff", "\udcff", "x"])
        assert encoder.counts.encoded == 2

    def test_documents_are_embedded_through_it(self, cached):
        spec = VectorSpec(encoder="counting", source="{title}", dimension=DIM)
        records = [Record(n, n + 1, {"title": t}) for n, t in enumerate(["a", "...", "b", "a"])]
        found = embed_records(cached(), spec, records)
        assert found.absent == {1}
        np.testing.assert_array_equal(found.vectors[[0, 2]], [vector_of("a"), vector_of("b")])


class TestFile:
    def test_vectors_of_a_day_before_make_place_oldest_first(self, open_cache):
        days = Days()
        file = open_cache(4_000_000, today=days)
        file.put(some(range(3000), 128))
        days.today += 1
        file.get([key(n) for n in range(1500)], 128)  # used again
        days.today += 1
        for start in range(10_000, 14_500, 500):
            file.put(some(range(start, start + 500), 128))
        gone = {n for n in range(3000) if not file.get([key(n)], 128)}
        assert len(gone) > 500
        assert gone == set(range(1500, 1500 + len(gone)))
        assert read_info(file.path, days).bytes <= 4_100_000

    def test_what_was_used_today_stays_and_it_says_that_it_is_full(self, open_cache, caplog):
        file = open_cache(2_000_000)
        first = some(range(1000), 128)
        file.put(first)
        for start in range(10_000, 14_000, 500):
            file.put(some(range(start, start + 500), 128))
        assert file.get([*first], 128).keys() == first.keys()
        assert len(file.get([key(n) for n in range(10_000, 14_000)], 128)) < 3000
        assert read_info(file.path).bytes <= 2_100_000
        (record,) = caplog.records
        assert "the embedding cache is full with 0.002 GB used today" in record.getMessage()

    @pytest.mark.parametrize("dim", [128, 512])
    def test_a_lower_limit_is_reached_again(self, open_cache, dim):
        days = Days()
        file = open_cache(1_000_000, today=days)
        file.put(some(range(1200), 128))
        for number in range(20):
            days.today += 1
            smaller = open_cache(300_000, today=days)
            smaller.put(some(range(2000 + 100 * number, 2100 + 100 * number), dim))
        assert read_info(file.path).bytes <= 330_000
        assert len(smaller.get([key(n) for n in range(3900, 4000)], dim)) > 50

    def test_reading_again_on_the_same_day_writes_nothing(self, open_cache):
        days = Days()
        file = open_cache(today=days)
        file.put(some(range(10)))
        with closing(sqlite3.connect(file.path)) as other:
            before = other.execute("PRAGMA data_version").fetchone()
            file.get([key(n) for n in range(10)], DIM)
            assert other.execute("PRAGMA data_version").fetchone() == before
            days.today += 1
            file.get([key(n) for n in range(10)], DIM)
            assert other.execute("PRAGMA data_version").fetchone() != before

    def test_more_keys_than_a_query_takes(self, open_cache):
        file = open_cache()
        vectors = some(range(2500))
        file.put(vectors)
        found = file.get([*vectors], DIM)
        assert all(np.array_equal(found[k], vectors[k]) for k in vectors)

    def test_another_dimension_is_not_what_was_kept(self, open_cache, caplog):
        file = open_cache()
        file.put(some([1]))
        assert file.get([key(1)], DIM + 1) == {}

    def test_what_it_holds(self, open_cache, path):
        assert read_info(path).vectors == 0
        days = Days()
        open_cache(today=days).put(some(range(20)))
        days.today += 3
        info = read_info(path, days)
        assert (info.vectors, info.days, info.path) == (20, 3, str(path))
        assert info.bytes > 20 * 4 * DIM

    def test_removing_leaves_nothing(self, open_cache, path):
        file = open_cache()
        file.put(some([1]))
        remove_cache(path)
        assert list(path.parent.iterdir()) == []
        remove_cache(path)
        file.put(some([2]))  # a process that has it open goes on
        assert open_cache().get([key(1), key(2)], DIM) == {}


class TestDamage:
    def test_a_damaged_row_is_encoded_again(self, cached, path, caplog):
        cached().encode(["a", "b"])
        with closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE vectors SET vector = zeroblob(length(vector)) WHERE rowid = 1")
            database.commit()
        for encoded in (1, 0):
            encoder = cached()
            found = encoder.encode(["a", "b"])
            np.testing.assert_array_equal(found, [vector_of("a"), vector_of("b")])
            assert encoder.counts.encoded == encoded
        (record,) = caplog.records
        assert "damaged vectors are passed over" in record.getMessage()

    def test_rows_that_changed_places_are_missing(self, open_cache):
        file = open_cache()
        file.put(some([1, 2]))
        with closing(sqlite3.connect(file.path)) as database:
            (first,) = database.execute("SELECT vector FROM vectors WHERE rowid = 1").fetchone()
            database.execute("UPDATE vectors SET vector = ? WHERE rowid = 2", (first,))
            database.commit()
        assert [*file.get([key(1), key(2)], DIM)] == [key(1)]

    @pytest.mark.parametrize("places", [(100, 16_384), (16_384, 60_000), (16_384, None)])
    def test_a_damaged_file_is_made_anew_with_one_warning(self, cached, path, caplog, places):
        texts = [f"text {n}" for n in range(2000)]
        first = cached()
        expected = first.encode(texts)
        first.close()
        content = bytearray(path.read_bytes())
        start, end = places
        content[start:end] = b"" if end is None else b"\xa5" * (end - start)
        path.write_bytes(content)
        encoder = cached()
        np.testing.assert_array_equal(encoder.encode(texts), expected)
        np.testing.assert_array_equal(encoder.encode(texts), expected)
        (record,) = caplog.records
        assert "damaged" in record.getMessage()
        again = cached()
        np.testing.assert_array_equal(again.encode(texts), expected)

    def test_a_file_that_is_something_else_is_left_as_it_is(self, cached, path):
        path.parent.mkdir()
        path.write_text("id,title\n1,jacket\n" * 100)
        with pytest.raises(InputError, match=r"is no embedding cache; name another file, or write"):
            cached().encode(["a"])
        with pytest.raises(InputError, match="is no embedding cache; name another file"):
            read_info(path)
        with pytest.raises(InputError, match="is no embedding cache, so it stays"):
            remove_cache(path)
        assert path.read_text() == "id,title\n1,jacket\n" * 100

    def test_another_database_is_left_as_it_is(self, cached, path):
        path.parent.mkdir()
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE orders (id INTEGER)")
        before = path.read_bytes()
        with pytest.raises(InputError, match="is no embedding cache"):
            cached().encode(["a"])
        assert path.read_bytes() == before

    def test_a_folder_that_cannot_be_written(self, tmp_path, unprivileged):
        tmp_path.chmod(0o755)
        tmp_path.parent.chmod(0o755)
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o555)

        def check() -> None:
            encoder = CachedEncoder(CountingEncoder(), CacheFile(closed / "c.sqlite", GB))
            with pytest.raises(
                InputError, match=r"c\.sqlite: the embedding cache cannot be used: "
            ):
                encoder.encode(["a"])

        unprivileged(check)

    def test_the_default_cache_is_only_left_out_then(self, open_cache, path, caplog):
        path.parent.write_text("a file where the folder should be")
        encoder = CachedEncoder(CountingEncoder(), open_cache(required=False))
        for _ in range(2):
            np.testing.assert_array_equal(encoder.encode(["a"]), [vector_of("a")])
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("kokeshi.cache", logging.WARNING)
        assert "every text is encoded (name another file, or write" in record.getMessage()

    def test_what_cannot_be_written_can_still_be_read(self, open_cache, caplog):
        days = Days()
        file = open_cache(today=days)
        vectors = some(range(5))
        file.put(vectors)
        file._connection.execute("PRAGMA query_only = 1")
        for _ in range(3):
            days.today += 1
            assert file.get([*vectors], DIM).keys() == vectors.keys()
        file.put(some([7]))
        (record,) = caplog.records
        assert "is only read from here on: attempt to write a readonly" in record.getMessage()

    def test_a_full_disk_ends_the_keeping_not_the_encoding(self, open_cache, caplog):
        file = open_cache()
        encoder = CachedEncoder(CountingEncoder(), file)
        encoder.encode(["a"])
        pages = file._connection.execute("PRAGMA page_count").fetchone()[0]
        file._connection.execute(f"PRAGMA max_page_count = {pages}")
        texts = [f"text {n}" for n in range(3000)]
        np.testing.assert_array_equal(encoder.encode(texts)[7], vector_of("text 7"))
        encoder.encode(texts)
        assert encoder.counts.encoded == 6001
        encoder.encode(["a"])
        assert encoder.counts.encoded == 6001
        (record,) = caplog.records
        assert "is left alone from here on: database or disk is full" in record.getMessage()


WRITER = """
import sys
from pathlib import Path
from tests.unit.test_embedding_cache import GB, some
from kokeshi.encoders.cache_file import CacheFile
file = CacheFile(Path(sys.argv[1]), GB)
number = int(sys.argv[2])
print("ready", flush=True)
while True:
    file.put(some(range(number, number + 100)))
    number += 100
    print(number, flush=True)
    if len(sys.argv) > 3 and number >= int(sys.argv[3]):
        break
"""


def writer(path: Path, *numbers: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), *map(str, numbers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_fill_one_file(open_cache, path):
    with writer(path, 0, 1000) as one, writer(path, 500, 1500) as other:
        one.communicate()
        other.communicate()
    assert (one.returncode, other.returncode) == (0, 0)
    vectors = some(range(1500))
    found = open_cache().get([*vectors], DIM)
    assert all(np.array_equal(found[k], vectors[k]) for k in vectors)
    assert read_info(path).vectors == 1500


def test_a_process_that_is_killed_leaves_whole_batches(open_cache, path):
    done = 0
    for _ in range(2):
        with writer(path, done) as process:
            lines = iter(process.stdout)
            for line in lines:
                if line.strip() != "ready" and int(line) >= done + 500:
                    break
            process.kill()
            done = max([done, int(line), *(int(rest) for rest in lines)])
        vectors = some(range(done))
        found = open_cache().get([*vectors], DIM)
        assert all(np.array_equal(found[k], vectors[k]) for k in vectors)
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


class TestChoice:
    def test_slow_encoders_have_one_by_default(self):
        file = find_cache(VectorSpec(encoder="http", dimension=8), {"KOKESHI_CACHE": "/caches"})
        assert file is not None
        assert file.path == Path("/caches/embeddings.sqlite")

    def test_fast_ones_have_none(self):
        assert find_cache(VectorSpec(encoder="wordllama", dimension=256), {}) is None

    @pytest.mark.parametrize(
        ("cache", "variable", "expected"),
        [
            (True, "", "/c/embeddings.sqlite"),
            ("/mine", "", "/mine"),
            ({"path": "/mine", "limit_gb": 2}, "", "/mine"),
            ({"limit_gb": 2}, "", "/c/embeddings.sqlite"),
            (False, "", None),
            (False, "on", "/c/embeddings.sqlite"),
            ("/mine", "on", "/mine"),
            ("/mine", "off", None),
            ("/mine", "/theirs", "/theirs"),
            (None, "on", "/c/embeddings.sqlite"),
        ],
    )
    def test_the_environment_comes_before_the_spec(self, cache, variable, expected):
        spec = VectorSpec(encoder="wordllama", dimension=256, cache=cache)
        file = find_cache(spec, {"KOKESHI_CACHE": "/c", "KOKESHI_EMBEDDING_CACHE": variable})
        assert (str(file.path) if file else None) == expected

    def test_without_a_variable_it_is_the_users_cache_folder(self):
        assert default_path({}).parts[-2:] == ("kokeshi", "embeddings.sqlite")

    def test_an_encoder_of_records_is_left_alone(self, monkeypatch):
        monkeypatch.setenv("KOKESHI_EMBEDDING_CACHE", "on")
        spec = VectorSpec(encoder={"name": "precomputed", "column": "v"}, dimension=8)
        encoder = load_encoder(spec)
        assert with_cache(encoder, spec) is encoder

    def test_options_that_change_no_vector_do_not_count(self, path, monkeypatch):
        monkeypatch.delenv("KOKESHI_EMBEDDING_CACHE")
        for batch, url, encoded in ((1, "a", 1), (9, "a", 0), (9, "b", 1)):
            options = {"name": "http", "model": "m", "batch": batch, "url": url}
            spec = VectorSpec(encoder=options, dimension=DIM, cache=str(path))
            encoder = with_cache(CountingEncoder(), spec)
            assert isinstance(encoder, CachedEncoder)
            encoder.encode(["a"])
            encoder.close()
            assert encoder.counts.encoded == encoded

    def test_a_spec_loads_an_encoder_with_its_cache(self, tmp_path, monkeypatch):
        monkeypatch.delenv("KOKESHI_EMBEDDING_CACHE")
        spec = VectorSpec(
            encoder="wordllama", source="{t}", dimension=256, cache=str(tmp_path / "c")
        )
        plain = load_encoder(spec.model_copy(update={"cache": None}))
        texts = ["black jacket", "red dress", "black jacket"]
        for encoded in (2, 0):
            encoder = load_encoder(spec)
            np.testing.assert_array_equal(encoder.encode(texts), plain.encode(texts))
            assert encoder.counts.encoded == encoded
            encoder.close()

    def test_the_same_catalogue_again_encodes_only_what_changed(self, tmp_path, monkeypatch):
        monkeypatch.delenv("KOKESHI_EMBEDDING_CACHE")
        monkeypatch.chdir(tmp_path)
        spec = IndexSpec(
            index="shop",
            metadata={"price": "float"},
            vectors={
                "v": {
                    "encoder": "wordllama",
                    "source": "{t}",
                    "dimension": 256,
                    "cache": "c.sqlite",
                }
            },
        )
        products = [{"id": str(n), "t": f"jacket {n}", "price": n} for n in range(50)]
        encoded, vectors = [], []
        for changed in ({}, {"price": 99}, {"t": "red dress"}):
            products[7] |= changed
            Path("p.jsonl").write_text("\n".join(map(json.dumps, products)))
            with Index(spec, MemoryEngine()) as index:
                assert index.ingest("p.jsonl").indexed == 50
                encoded.append(cache_counts(index.encoders).encoded)
                vectors.append([hit.score for hit in index.search("a jacket", size=50).hits])
        assert encoded == [50, 0, 1]
        assert vectors[0] == vectors[1] != vectors[2]

    def test_a_limit_must_be_positive(self):
        text = "index: i\nvectors:\n  v: {encoder: http, dimension: 8, cache: {limit_gb: 0}}"
        with pytest.raises(Exception, match=r"vectors\.v\.cache.*limit_gb"):
            parse_spec(text)
