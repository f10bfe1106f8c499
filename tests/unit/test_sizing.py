"""Estimates of size: within their stated errors of everything that was measured, and plain about the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.sizes_fit import TARGET, fit
from benchmarks.sizes_rows import Measured, read_measured
from kokeshi.cli.main import app
from kokeshi.cli.size import bytes_text, parse_count
from kokeshi.errors import InputError
from kokeshi.schema import IndexSpec
from kokeshi.sizing import (
    DocumentSize,
    encode_hours,
    estimate,
    load_coefficients,
    measure_documents,
)
from kokeshi.sizing.coefficients import Coefficients
from kokeshi.sizing.documents import mean_size
from kokeshi.sizing.estimate import find_shards

COEFFICIENTS = load_coefficients()
ROWS = [row for row in read_measured() if row.dataset != "generated" or row.spec.vectors]


def spec(**vector) -> IndexSpec:
    options = {"encoder": "onnx-text", "source": "{title}", "dimension": 768, **vector}
    return IndexSpec(index="i", text=["title"], metadata={"price": "float"}, vectors={"v": options})


def size_of(spec: IndexSpec, documents: int = 10**6, engine="elasticsearch", size=None):
    size = size or DocumentSize(300, 100)
    return estimate(spec, documents, size, engine, COEFFICIENTS.engines[engine], COEFFICIENTS.rules)


def name_of(row: Measured) -> str:
    return f"{row.engine}-{row.dataset}-{row.variant}"


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_a_measured_index_is_within_the_stated_error(row):
    engine = row.engine.split()[0].lower()
    found = size_of(row.spec, row.documents, engine, row.size)
    assert abs(found.disk_bytes / row.documents - row.total) <= found.disk_error / row.documents
    if row.hot:
        assert abs(found.hot_bytes / row.documents - row.hot) <= found.hot_error / row.documents
    if row.cpu and row.spec.vectors and row.documents >= 18_000:
        hours = row.documents * row.cpu / 3.6e9
        assert abs(found.core_hours - hours) <= found.core_hours_error


def test_measured_are_both_engines_and_sizes():
    assert {row.engine.split()[0] for row in ROWS} == {"Elasticsearch", "OpenSearch"}
    assert {row.documents for row in ROWS} == {7_128, 19_406, 20_000, 100_000}
    assert len(ROWS) > 80


def test_the_stated_errors_of_vectors_are_small():
    for engine in COEFFICIENTS.engines.values():
        assert engine.errors.vectors < 0.1
        assert engine.errors.hot < 0.4


def test_the_published_coefficients_are_those_of_the_rows():
    published = json.loads(TARGET.read_bytes())
    again = fit(read_measured()).model_dump()

    def compare(one, other):
        if isinstance(one, dict):
            assert one.keys() == other.keys()
            for key in one:
                compare(one[key], other[key])
        else:
            assert one == (pytest.approx(other, abs=6e-4) if isinstance(one, float) else other)

    compare(published, again)


class TestEstimate:
    def test_everything_scales_with_documents_and_copies(self):
        one = size_of(spec(prefixes=[64]))
        many = size_of(spec(prefixes=[64]).model_copy(update={"replicas": 1}), 10**7)
        for name in ("disk_bytes", "disk_error", "hot_bytes", "hot_error"):
            assert getattr(many, name) == pytest.approx(20 * getattr(one, name))
        assert many.core_hours > 20 * one.core_hours  # graphs cost more the more they hold

    def test_the_parts_add_up(self):
        found = size_of(spec(prefixes=[64, 128], codes={"subvectors": 96, "cells": 256}), 1000)
        assert sum(part.disk for part in found.parts) * 1000 == pytest.approx(found.disk_bytes)
        assert [part.name for part in found.parts] == [
            "document, text and metadata",
            "v: float32, 768",
            "v: graph of 64, int8",
            "v: graph of 128, int8",
            "v: codes of 48 bytes",
        ]

    def test_a_vector_without_a_graph_is_not_hot(self):
        assert size_of(spec()).hot_bytes == size_of(spec()).heap_bytes == 0

    def test_quantisation_decides_what_is_hot(self):
        hot = {
            kind: size_of(spec(graph=True, quantization=kind)).hot_bytes / 1e6
            for kind in ("none", "int8", "int4", "binary")
        }
        assert 3072 < hot["none"] < 3200
        assert 768 < hot["int8"] < 900
        assert 384 < hot["int4"] < 500
        assert 96 < hot["binary"] < 220

    def test_a_whole_vector_is_kept_once(self):
        plain, graph = (size_of(spec(graph=g, quantization="none")) for g in (False, True))
        assert (graph.disk_bytes - plain.disk_bytes) / 1e6 < 100

    def test_what_was_not_measured_is_refused(self):
        reason = "vectors.v.quantization: binary was not measured on this engine, only"
        with pytest.raises(InputError, match=reason):
            size_of(spec(graph=True, quantization="binary"), engine="opensearch")

    @pytest.mark.parametrize(
        ("documents", "size", "shards"),
        [(1, 1.0, 1), (10**6, 50e9, 1), (10**6, 50e9 + 1, 2), (200_000_001, 1e9, 2)],
    )
    def test_shards_stay_within_both_limits(self, documents, size, shards):
        assert find_shards(documents, size, COEFFICIENTS.rules) == shards

    def test_encoding(self):
        known, unknown = spec(), spec(encoder="other")
        given = spec(encoder={"name": "precomputed", "column": "v"})
        rates = {"onnx-text": 100.0}
        assert encode_hours(known, 360_000, rates) == {"v": 1.0}
        assert encode_hours(unknown, 360_000, rates) == {"v": None}
        assert encode_hours(given, 360_000, rates) == {}


class TestDocuments:
    def test_the_mean_leaves_vectors_out(self):
        documents = [{"id": "1", "title": "né", "v": [0.5] * 768}, {"id": "22"}]
        found = mean_size(documents, spec())
        assert (found.document, found.text, found.sampled) == ((24 + 11) / 2, 1.5, 2)

    def test_what_is_no_document_text_is_left_out(self):
        given = spec(encoder={"name": "precomputed", "column": "vec"})
        assert mean_size([{"id": "1", "vec": [0.5] * 768}], given).document == len('{"id":"1"}')

    def test_a_file_without_documents(self, tmp_path):
        path = tmp_path / "bad.jsonl"
        path.write_text("not json\n")
        with pytest.raises(InputError, match=r"bad\.jsonl: no document to measure \(--sample\)"):
            measure_documents(path, spec())


class TestCommand:
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path, monkeypatch) -> None:
        monkeypatch.chdir(tmp_path)
        text = "index: i\ntext: [title]\nvectors:\n  v: {encoder: onnx-text, source: '{title}', "
        Path("kokeshi.yaml").write_text(text + "dimension: 384, prefixes: [64]}\n")
        Path("products.jsonl").write_text('{"id": "1", "title": "jacket"}\n' * 3)

    def run(self, *arguments: str) -> str:
        ran = CliRunner().invoke(app, ["size", *arguments])
        if ran.exception:
            raise ran.exception
        return ran.stdout

    def test_both_engines_with_their_errors_and_what_is_extrapolated(self):
        text = self.run("--documents", "300M", "--sample", "products.jsonl")
        for expected in (
            "300,000,000 documents on elasticsearch 9.",
            "300,000,000 documents on opensearch 3.",
            "v: graph of 64, int8",
            " ± ",
            "hot, outside the heap",
            "Documents of 27 bytes, the mean of 3 of yours.",
            "extrapolated",
        ):
            assert expected in text

    def test_json(self):
        found = json.loads(self.run("-n", "2k", "--engine", "opensearch", "--json"))
        (engine,) = found["engines"]
        assert (engine["documents"], engine["copies"]) == (2000, 1)
        assert found["encode_core_hours"]["v"] > 0
        assert found["document"]["sampled"] == 0

    def test_replicas_cores_and_rate(self):
        text = self.run("-n", "1M", "--replicas", "2", "--cores", "4", "--encode-rate", "1000")
        assert "3 copies" in text
        assert "on 4 cores" in text
        assert "Encoding v: 0 core hours." in text

    @pytest.mark.parametrize("text", ["", "many", "-3", "0", "3T", "1e9"])
    def test_a_number_that_is_none(self, text):
        with pytest.raises(InputError, match="is no number of documents; write 300000, 300k or"):
            parse_count(text)

    def test_what_one_engine_cannot_do_leaves_the_other(self):
        path = Path("kokeshi.yaml")
        path.write_text(path.read_text().replace("prefixes", "quantization: binary, prefixes"))
        text = self.run("-n", "1M")
        assert "1,000,000 documents on elasticsearch" in text
        assert "Left out, opensearch: vectors.v.quantization: binary was not measured" in text
        found = json.loads(self.run("-n", "1M", "--json"))
        assert [len(found["engines"]), len(found["left_out"])] == [1, 1]
        with pytest.raises(InputError, match=r"opensearch: vectors.v.quantization: binary was"):
            self.run("-n", "1M", "--engine", "opensearch")

    def test_an_engine_that_was_not_measured(self):
        with pytest.raises(InputError, match="--engine 'solr' was not measured; choose one of"):
            self.run("-n", "1k", "--engine", "solr")

    @pytest.mark.parametrize(
        ("count", "text"),
        [(12, "12 bytes"), (1500, "1.5 kB"), (2.34e9, "2.3 GB"), (4.5e14, "450 TB")],
    )
    def test_bytes(self, count, text):
        assert bytes_text(count) == text


def test_a_file_of_coefficients_is_checked():
    with pytest.raises(ValueError, match="engines"):
        Coefficients.model_validate({})
