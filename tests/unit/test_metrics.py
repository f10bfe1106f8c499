"""Metrics of an ingest, as Prometheus reads them, and logs as JSON lines."""

from __future__ import annotations

import io
import json
import logging
import socket
import sys
import threading
import urllib.request

import pytest

from kokeshi.errors import InputError, MissingExtraError
from kokeshi.json_logs import json_logs
from kokeshi.metrics import IngestMetrics, PrometheusMetrics, open_metrics
from tests.servers import closed_port

LOGGER = logging.getLogger("kokeshi.ingest")


@pytest.fixture
def port() -> int:
    return closed_port()


def tell_everything(metrics: IngestMetrics) -> None:
    metrics.count_documents("read", 512)
    metrics.count_documents("indexed", 510)
    metrics.count_documents("failed", 2)
    metrics.count_texts(cached=400, encoded=112)
    metrics.observe_encode(0.3)
    metrics.observe_bulk(0.02, 4096)
    metrics.observe_bulk(7.0, 1024)
    metrics.count_retries("429", 30)
    metrics.set_queue("send", 2)
    metrics.set_queue("send", 1)
    metrics.set_lag(0, 12)
    metrics.set_lag(0, 7)
    metrics.set_lag(1, 30)
    metrics.set_lag(1, None)
    metrics.set_lag(2, None)


EXPECTED = {
    'kokeshi_ingest_documents_total{fate="read"} 512.0',
    'kokeshi_ingest_documents_total{fate="indexed"} 510.0',
    'kokeshi_ingest_documents_total{fate="failed"} 2.0',
    'kokeshi_ingest_texts_total{source="cache"} 400.0',
    'kokeshi_ingest_texts_total{source="encoder"} 112.0',
    "kokeshi_ingest_bulk_bytes_total 5120.0",
    'kokeshi_ingest_bulk_seconds_bucket{le="0.025"} 1.0',
    'kokeshi_ingest_bulk_seconds_bucket{le="10.0"} 2.0',
    "kokeshi_ingest_bulk_seconds_count 2.0",
    'kokeshi_ingest_encode_seconds_bucket{le="0.5"} 1.0',
    "kokeshi_ingest_encode_seconds_sum 0.3",
    'kokeshi_ingest_retries_total{reason="429"} 30.0',
    'kokeshi_ingest_queue_depth{stage="send"} 1.0',
    'kokeshi_ingest_lag_messages{partition="0"} 7.0',
}


def read(port: int) -> set[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return set(answer.read().decode().splitlines())


class TestMetrics:
    def test_prometheus_reads_what_was_told(self, port):
        pytest.importorskip("prometheus_client")
        with open_metrics(port) as metrics:
            tell_everything(metrics)
            shown = read(port)
        assert shown >= EXPECTED
        assert not any('partition="1"' in line for line in shown)
        with pytest.raises(OSError, match="refused"):
            read(port)

    def test_threads_lose_nothing(self, port):
        pytest.importorskip("prometheus_client")
        with open_metrics(port) as metrics:

            def tell() -> None:
                for _ in range(500):
                    metrics.count_documents("read", 2)

            threads = [threading.Thread(target=tell) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert 'kokeshi_ingest_documents_total{fate="read"} 4000.0' in read(port)

    def test_two_ingests_of_one_process_do_not_mix(self):
        pytest.importorskip("prometheus_client")
        one, other = PrometheusMetrics(), PrometheusMetrics()
        one.count_documents("read", 3)
        name, labels = "kokeshi_ingest_documents_total", {"fate": "read"}
        assert one.registry.get_sample_value(name, labels) == 3
        assert other.registry.get_sample_value(name, labels) is None

    def test_without_a_port_nothing_is_kept_or_imported(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "prometheus_client", None)
        with open_metrics(None) as metrics:
            tell_everything(metrics)
        assert type(metrics) is IngestMetrics

    def test_prometheus_overrides_everything_that_can_be_told(self):
        told = {name for name in vars(IngestMetrics) if not name.startswith("_")}
        assert told == {name for name in vars(PrometheusMetrics) if not name.startswith("_")}

    def test_a_port_that_is_taken(self):
        pytest.importorskip("prometheus_client")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            reason = (
                f"--metrics-port {port}: 127.0.0.1 cannot be listened on: address already in use"
            )
            with pytest.raises(InputError, match=reason), open_metrics(port):
                pass

    def test_a_package_that_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "prometheus_client", None)
        with (
            pytest.raises(MissingExtraError, match=r"--metrics-port needs the extra 'metrics'"),
            open_metrics(9),
        ):
            pass


class TestLogs:
    def lines(self, *, level: int = logging.INFO) -> list[dict]:
        stream = io.StringIO()
        with json_logs(stream, level):
            LOGGER.debug("not shown")
            LOGGER.info("indexed %d", 512, extra={"seconds": 0.25, "level": "shard"})
            try:
                raise InputError("line 3: no id\nat all")
            except InputError:
                LOGGER.exception("stopped")
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    def test_a_line_is_a_record_with_its_extras(self):
        indexed, stopped = self.lines()
        assert indexed.pop("time").endswith("+00:00")
        assert indexed == {
            "level": "info",
            "logger": "kokeshi.ingest",
            "message": "indexed 512",
            "seconds": 0.25,
            "level_": "shard",
        }
        assert (stopped["level"], stopped["message"]) == ("error", "stopped")
        assert stopped["error"].endswith("line 3: no id\nat all")

    def test_the_level(self):
        assert [line["level"] for line in self.lines(level=logging.ERROR)] == ["error"]

    def test_what_is_no_json_is_written_as_text(self):
        stream = io.StringIO()
        with json_logs(stream):
            LOGGER.info("x", extra={"path": InputError("why"), "text": "日本"})
        line = json.loads(stream.getvalue())
        assert (line["path"], line["text"]) == ("why", "日本")

    def test_the_logging_of_the_application_comes_back(self, caplog):
        logger = logging.getLogger("kokeshi")
        before = logger.handlers[:], logger.level, logger.propagate
        with json_logs(io.StringIO()):
            LOGGER.warning("meanwhile")
        LOGGER.warning("afterwards")
        assert (logger.handlers[:], logger.level, logger.propagate) == before
        assert [record.getMessage() for record in caplog.records] == ["afterwards"]
