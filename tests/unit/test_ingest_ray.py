"""What of a Ray ingest can be seen without Ray: what reaches a worker, and what comes back."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pytest

from kokeshi import Connection, Index, MemoryEngine
from kokeshi.engines.http import HttpEngine
from kokeshi.errors import EncoderError, EngineError, InputError, KokeshiError, MissingExtraError
from kokeshi.ingest.ray import Address, EncodeBatch, SendBatch, Settled
from kokeshi.schema import parse_spec
from tests.servers import closed_port

pyarrow = pytest.importorskip("pyarrow")

SPEC = parse_spec("""
index: products
metadata: {price: float}
vectors:
  v: {encoder: {name: precomputed, column: vec}, dimension: 2}
""")


def unpickle(data: bytes) -> Any:
    return pickle.loads(data)  # noqa: S301 (pickled here)


def make(rows: list[dict], spec=SPEC, *, base64=None) -> Settled:
    (row,) = EncodeBatch(spec, {}, base64)(pyarrow.Table.from_pylist(rows))["made"]
    return unpickle(row)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "USER", "PASSWORD", "API_KEY", "BEARER", "CREDENTIALS"):
        monkeypatch.delenv(f"KOKESHI_{name}", raising=False)


class TestEncoding:
    def test_a_batch_is_made_as_any_ingest_makes_it(self):
        made = make([{"id": "a", "price": "12.5", "vec": [3.0, 4.0], "brand": None}])
        assert (made.read, made.failures, made.error) == (1, [], None)
        assert (
            made.actions[0].body
            == b'{"index":{"_id":"a"}}\n{"id":"a","price":12.5,"v":[0.6,0.8]}\n'
        )

    def test_what_cannot_be_sent_comes_back_with_its_reason(self):
        made = make(
            [{"id": "a", "vec": [1.0, 2.0]}, {"id": "b", "vec": [1.0]}, {"id": None, "vec": []}]
        )
        assert [action.id for action in made.actions] == ["a"]
        assert {one.id: one.reason for one in made.failures} == {
            "b": "vector 'v' needs 2 numbers in column 'vec', found 1",
            None: "field 'id' (the id) must be a text or an integer, found None",
        }
        assert {one.row for one in made.failures} == {None}

    def test_the_error_of_an_encoder_comes_back_as_it_is(self):
        spec = parse_spec("""
        index: products
        vectors: {v: {encoder: no-such, source: "{title}", dimension: 2}}
        """)
        error = make([{"id": "a", "title": "shoe"}], spec).error
        assert isinstance(error, EncoderError)
        assert "no-such" in str(error)

    def test_an_extra_that_a_worker_lacks_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "wordllama", None)
        spec = parse_spec("""
        index: products
        vectors: {v: {encoder: wordllama, source: "{title}", dimension: 256}}
        """)
        error = make([{"id": "a", "title": "shoe"}], spec).error
        assert isinstance(error, KokeshiError)
        assert str(error).startswith("a worker of Ray: ")
        assert "kokeshi[text]" in str(error)


class TestSending:
    def test_an_engine_that_is_away_is_an_error_of_the_engine(self):
        away = Connection(f"http://127.0.0.1:{closed_port()}", retries=0, timeout=1)
        sender = SendBatch(Address(away, private=True), "products", 1_000)
        table = pyarrow.table({"made": [pickle.dumps(make([{"id": "a", "vec": [1.0, 2.0]}]))]})
        (row,) = sender(table)["settled"]
        settled = unpickle(row)
        assert isinstance(settled.error, EngineError)
        assert "a worker of Ray has no credentials" in str(settled.error)


class TestAddress:
    @pytest.mark.parametrize(
        "given",
        [
            {"user": "me", "password": "s3cret-one"},
            {"api_key": "s3cret-one"},
            {"bearer": "s3cret-one"},
        ],
    )
    def test_no_secret_goes_to_a_worker(self, given: dict[str, str], monkeypatch):
        with HttpEngine(Connection("https://localhost:9200", timeout=7, **given)) as engine:
            sent = pickle.dumps(Address.of(engine))
        assert b"s3cret" not in sent
        with pytest.raises(EngineError, match="worker of Ray has no credentials.*KOKESHI_API_KEY"):
            unpickle(sent).connect()
        monkeypatch.setenv("KOKESHI_API_KEY", "of-the-worker")
        with unpickle(sent).connect() as found:
            assert found.connection.api_key == "of-the-worker"
            assert (found.connection.timeout, found.connection.url) == (7, "https://localhost:9200")

    def test_an_address_without_credentials_is_used_as_it_is(self, monkeypatch):
        monkeypatch.setenv("KOKESHI_API_KEY", "another")
        with HttpEngine(Connection("http://localhost:9200")) as engine:
            sent = pickle.dumps(Address.of(engine))
        with unpickle(sent).connect() as found:
            assert found.connection == engine.connection


class TestRefusals:
    def test_what_is_no_dataset_is_refused(self):
        pytest.importorskip("ray.data")
        with pytest.raises(InputError, match=r"ray\.data\.Dataset is expected, not list"):
            Index(SPEC, MemoryEngine()).ingest_dataset([{"id": "a"}])

    def test_ray_is_an_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(MissingExtraError, match=r"kokeshi\[ray\]"):
            Index(SPEC, MemoryEngine()).ingest_dataset([])

    def test_vectors_of_a_file_have_no_rows_in_a_dataset(self, tmp_path, a_dataset):
        np.save(tmp_path / "v.npy", np.ones((1, 2), np.float32))
        encoder = SPEC.vectors["v"].encoder.model_copy(
            update={"column": None, "file": str(tmp_path / "v.npy")}
        )
        vector = SPEC.vectors["v"].model_copy(update={"encoder": encoder})
        index = Index(SPEC.model_copy(update={"vectors": {"v": vector}}), MemoryEngine())
        with pytest.raises(InputError, match=r"vectors\.v\.encoder\.file: .* as a column"):
            index.ingest_dataset(a_dataset)
        assert not index.exists()

    def test_an_engine_in_memory_is_out_of_reach(self, a_dataset):
        index = Index(SPEC, MemoryEngine())
        with pytest.raises(InputError, match="only an engine with an address"):
            index.ingest_dataset(a_dataset)
        assert not index.exists()


@pytest.fixture
def a_dataset(monkeypatch):
    """Something that passes for a dataset, and would fail if anything were asked of it."""
    data = pytest.importorskip("ray.data")
    monkeypatch.setattr(data, "Dataset", str)
    return "a dataset"
