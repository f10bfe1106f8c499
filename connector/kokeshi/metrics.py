"""What an ingest tells of itself while it runs: counts, depths of queues, latencies.

A pipeline is given an `IngestMetrics` and calls it without asking whether anybody listens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal

from kokeshi.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

Fate = Literal["read", "indexed", "updated", "deleted", "stale", "missing", "failed"]
"""What happened to a document; see `kokeshi.changes.model.ChangeReport`."""

Stage = Literal["encode", "serialise", "send"]
"""What a batch waits for."""

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the classes of a latency."""


class IngestMetrics:
    """Keeps nothing. Every method may be called from any thread."""

    def count_documents(self, fate: Fate, count: int) -> None:
        """Add documents that were read from the source, or had a fate."""

    def count_texts(self, cached: int, encoded: int) -> None:
        """Add texts whose vector came out of the cache, and those that were encoded."""

    def observe_encode(self, seconds: float) -> None:
        """Note how long a batch of documents was encoded."""

    def observe_bulk(self, seconds: float, size: int) -> None:
        """Note how long a bulk request of so many bytes took until its answer, also a refusal."""

    def count_retries(self, reason: str, count: int) -> None:
        """Add documents that are sent again. reason: a status such as `429`, or `connection`."""

    def set_queue(self, stage: Stage, depth: int) -> None:
        """Say how many batches wait for a stage."""

    def set_lag(self, partition: int, messages: int | None) -> None:
        """Say how many messages a partition of a topic is behind; None: it is another process's now."""


class PrometheusMetrics(IngestMetrics):
    """Keeps counters, gauges and histograms in a registry of its own.

    Raises MissingExtraError where prometheus-client is not installed.
    """

    def __init__(self) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
        except ModuleNotFoundError as error:
            raise MissingExtraError("--metrics-port", "metrics") from error
        self.registry: CollectorRegistry = CollectorRegistry()
        of = self.registry
        self._documents = Counter(_named("documents"), "By their fate.", ["fate"], registry=of)
        self._texts = Counter(_named("texts"), "By their vector's source.", ["source"], registry=of)
        self._bytes = Counter(_named("bulk_bytes"), "Sent, before compression.", registry=of)
        self._retries = Counter(
            _named("retries"), "Sent again, by reason.", ["reason"], registry=of
        )
        self._queue = Gauge(_named("queue_depth"), "Batches that wait.", ["stage"], registry=of)
        self._lag = Gauge(
            _named("lag_messages"), "Not applied yet, by partition.", ["partition"], registry=of
        )
        self._encode = Histogram(
            _named("encode_seconds"), "To encode a batch.", buckets=SECONDS, registry=of
        )
        self._bulk = Histogram(
            _named("bulk_seconds"), "To the answer of a bulk.", buckets=SECONDS, registry=of
        )

    def count_documents(self, fate: Fate, count: int) -> None:
        """Add to `kokeshi_ingest_documents_total{fate=…}`."""
        self._documents.labels(fate).inc(count)

    def count_texts(self, cached: int, encoded: int) -> None:
        """Add to `kokeshi_ingest_texts_total{source="cache"}` and `{source="encoder"}`."""
        self._texts.labels("cache").inc(cached)
        self._texts.labels("encoder").inc(encoded)

    def observe_encode(self, seconds: float) -> None:
        """Add to the histogram `kokeshi_ingest_encode_seconds`."""
        self._encode.observe(seconds)

    def observe_bulk(self, seconds: float, size: int) -> None:
        """Add to the histogram `kokeshi_ingest_bulk_seconds` and to `…_bulk_bytes_total`."""
        self._bulk.observe(seconds)
        self._bytes.inc(size)

    def count_retries(self, reason: str, count: int) -> None:
        """Add to `kokeshi_ingest_retries_total{reason=…}`."""
        self._retries.labels(reason).inc(count)

    def set_queue(self, stage: Stage, depth: int) -> None:
        """Set `kokeshi_ingest_queue_depth{stage=…}`."""
        self._queue.labels(stage).set(depth)

    def set_lag(self, partition: int, messages: int | None) -> None:
        """Set `kokeshi_ingest_lag_messages{partition=…}`, or take it away."""
        if messages is None:
            with suppress(KeyError):  # older libraries miss what was never set
                self._lag.remove(str(partition))
        else:
            self._lag.labels(str(partition)).set(messages)


@contextmanager
def open_metrics(port: int | None, host: str = "127.0.0.1") -> Iterator[IngestMetrics]:
    """Yield metrics that `http://host:port/metrics` shows meanwhile; with no port, ones that keep nothing.

    Raises InputError where nobody can listen there, MissingExtraError without prometheus-client.
    """
    if port is None:
        yield IngestMetrics()
        return
    metrics = PrometheusMetrics()
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, host, metrics.registry)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(
            f"--metrics-port {port}: {host} cannot be listened on: {reason}; take another port"
        ) from None
    try:
        yield metrics
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _named(what: str) -> str:
    return f"kokeshi_ingest_{what}"
