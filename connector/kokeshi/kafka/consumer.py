"""A Kafka topic as a stream of messages. The only module that imports confluent_kafka.

Offsets are committed by the caller, after what they stand for is settled: each message comes at least once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from kokeshi.errors import InputError, MissingExtraError
from kokeshi.kafka.messages import Message
from kokeshi.kafka.topics import Batch, Place, TopicLag, TopicSettings

LOGGER: Final = logging.getLogger("kokeshi.ingest")
LIBRARY_LOGGER: Final = logging.getLogger("kokeshi.librdkafka")
LIBRARY_LOGGER.addHandler(
    logging.NullHandler()
)  # each try to reach a broker is a line; ours say it once

BATCH_MESSAGES: Final = 2_000
BATCH_BYTES: Final = 8 * 1024 * 1024

FIRST_S: Final = 0.5
"""How long the first message of a batch is waited for; a signal is seen after it."""

LINGER_S: Final = 0.2
"""How long further ones are: a stream of few messages makes few requests."""

ANSWER_S: Final = 10.0
"""In which a broker answers a question."""

COMMIT_S: Final = 5.0
"""Between two tries to commit what no broker has taken."""

AWAY_S: Final = 300.0
"""Without a broker for so long, it is not waited for any more."""

LOOK_S: Final = 10.0
"""Without a message for so long, it is asked whether a broker is there."""


class KafkaTopic:
    """The messages of a topic for one member of a consumer group.

    on_lost: is told of partitions that another member has now.

    Raises InputError where no broker answers, the topic is not there or an option is not accepted,
    MissingExtraError without confluent-kafka.
    """

    def __init__(
        self,
        settings: TopicSettings,
        *,
        on_lost: Callable[[list[int]], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = settings.topic
        self._on_lost = on_lost
        self._clock = clock
        self._batch = Batch()
        self._assigned: set[int] = set()
        self._settled: dict[int, Place] = {}
        self._committed: dict[int, int] = {}
        self._heard = self._asked = self._sent = clock()
        self._trouble, self._subscribed = "", False
        self._kafka = load_kafka()
        self._consumer = self._connect(settings)
        try:
            self.partitions = self._find_partitions()
        except BaseException:
            self._consumer.close()
            raise

    def __enter__(self) -> KafkaTopic:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the group; what was not committed comes again."""
        self._consumer.close()

    def subscribe(self) -> None:
        """Join the group."""
        self._subscribed = True
        self._consumer.subscribe(
            [self.name],
            on_assign=lambda _, parts: self._take(parts),
            on_revoke=lambda _, parts: self._give_up(parts),
            on_lost=lambda _, parts: self._give_up(parts),
        )

    def _connect(self, settings: TopicSettings) -> Any:  # noqa: ANN401
        config = settings.config() | {
            "on_commit": self._note_commit,
            "error_cb": lambda error: setattr(self, "_trouble", error.str()),
        }
        try:
            return self._kafka.Consumer(config, logger=LIBRARY_LOGGER)
        except self._kafka.KafkaException as error:
            raise InputError(f"Kafka: {settings.hide(error.args[0].str())}") from None

    def _find_partitions(self) -> list[int]:
        found = self._list().topics[self.name]
        if found.error:
            raise InputError(f"topic '{self.name}': {found.error.str()}")
        return sorted(found.partitions)

    def _list(self) -> Any:  # noqa: ANN401
        try:
            return self._consumer.list_topics(self.name, timeout=ANSWER_S)
        except self._kafka.KafkaException as error:
            if not self._subscribed:
                self._consumer.poll(
                    0
                )  # tells why; later it could take a message, which would be lost
            reason = self._trouble or error.args[0].str()
            raise InputError(f"no Kafka broker answers: {reason}") from None

    # --- messages

    def poll(self) -> Batch:
        """Return the next messages: at most BATCH_MESSAGES and about BATCH_BYTES, none after FIRST_S.

        Raises InputError where the topic is gone or closed to this user, or no broker was there for AWAY_S.
        """
        self._batch = batch = Batch()
        size, deadline = 0, self._clock() + FIRST_S
        while len(batch.messages) < BATCH_MESSAGES and size < BATCH_BYTES:
            message = self._consumer.poll(max(0.0, deadline - self._clock()))
            if message is None:
                break
            if message.error():
                if self._is_end(message):
                    break
                continue
            if not batch.messages:
                deadline = self._clock() + LINGER_S
            batch.add(_read(message))
            size += len(message)
        self._watch(heard=bool(batch.ends))
        return batch

    def _is_end(self, message: Any) -> bool:  # noqa: ANN401
        """Note the end of a partition: behind markers of transactions, and what was compacted away."""
        error, codes = message.error(), self._kafka.KafkaError
        if error.code() == codes._PARTITION_EOF:
            self._batch.reach(message.partition(), message.offset())
            return True
        if error.fatal() or error.code() in (
            codes.UNKNOWN_TOPIC_OR_PART,
            codes.TOPIC_AUTHORIZATION_FAILED,
            codes.GROUP_AUTHORIZATION_FAILED,
        ):
            raise InputError(f"topic '{self.name}': {error.str()}")
        LOGGER.warning("topic '%s': %s", self.name, error.str())
        return False

    def _watch(self, *, heard: bool) -> None:
        """See that a broker is there, where no message says so."""
        now = self._clock()
        if heard:
            self._heard = now
        elif min(now - self._heard, now - self._asked) >= LOOK_S:
            try:
                self._list()
                self._heard = self._clock()
            except InputError as error:
                if now - self._heard >= AWAY_S:
                    raise
                LOGGER.warning("%s; it is waited for", error)
            self._asked = self._clock()

    # --- partitions come and go while `poll` waits: nothing is being applied then

    def _take(self, partitions: list[Any]) -> None:
        self._assigned.update(one.partition for one in partitions)
        for partition, place in self.find_committed(one.partition for one in partitions).items():
            self._committed[partition] = place.offset

    def _give_up(self, partitions: list[Any]) -> None:
        gone = [one.partition for one in partitions]
        self._batch.drop(gone)
        self._assigned.difference_update(gone)
        for partition in gone:
            self._committed.pop(partition, None)
            self._settled.pop(partition, None)
        self._on_lost(gone)

    # --- offsets

    def commit(self, batch: Batch) -> None:
        """Say that a batch is settled; the answer comes while `poll` waits.

        What no broker takes now is committed later. A kill before that, or another member that has the
        partitions now, brings messages again.
        """
        fresh = {p: place for p, place in batch.ends.items() if p in self._assigned}
        for partition, place in fresh.items():
            before = self._settled.get(partition)
            latest = place.timestamp or (before.timestamp if before else None)
            self._settled[partition] = replace(place, timestamp=latest)
        if fresh or self._clock() - self._sent >= COMMIT_S:
            self._send()

    def finish(self) -> None:
        """Wait until what is settled is committed; raises InputError where no broker takes it."""
        deadline = self._clock() + ANSWER_S
        self._send()
        while self._open():
            if self._clock() > deadline:
                raise InputError(
                    f"topic '{self.name}': everything is settled, but no broker takes the offsets "
                    f"({self._trouble or 'no answer'}); the last messages will come again"
                )
            self._consumer.poll(0.05)

    def _open(self) -> dict[int, Place]:
        return {p: at for p, at in self._settled.items() if self._committed.get(p) != at.offset}

    def _send(self) -> None:
        self._sent = self._clock()
        part = self._kafka.TopicPartition
        offsets = [part(self.name, p, at.offset, at.note()) for p, at in self._open().items()]
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except self._kafka.KafkaException as error:
            LOGGER.warning("topic '%s': %s", self.name, error.args[0].str())

    def _note_commit(self, error: Any, partitions: list[Any]) -> None:  # noqa: ANN401
        for one in partitions:
            if (problem := one.error or error) is not None:
                LOGGER.warning("topic '%s': no commit: %s", self.name, problem.str())
            elif one.partition in self._assigned:
                self._committed[one.partition] = one.offset

    def find_committed(self, partitions: Iterable[int]) -> dict[int, Place]:
        """Return where the group stands in partitions; those without, or without an answer, are left out."""
        wanted = [self._kafka.TopicPartition(self.name, p) for p in partitions]
        try:
            found = self._consumer.committed(wanted, timeout=ANSWER_S)
        except self._kafka.KafkaException:
            return {}
        return {
            one.partition: Place.parse(one.offset, one.metadata)
            for one in found
            if one.offset >= 0 and not one.error
        }

    def find_ends(self) -> dict[int, int]:
        """Return the offset behind each partition that has messages; asks a broker."""
        found = {}
        for partition in self.partitions:
            low, high = self.find_range(partition)
            if high > low:
                found[partition] = high
        return found

    def has_reached(self, ends: Mapping[int, int], batch: Batch) -> bool:
        """Whether the group has settled everything before offsets; others are asked for in quiet times."""
        left = {
            p for p, end in ends.items() if p not in self._settled or self._settled[p].offset < end
        }
        if not left or batch.messages:
            return not left
        found = self.find_committed(left)
        return all(p in found and found[p].offset >= ends[p] for p in left)

    def lag(self) -> dict[int, int]:
        """Return how many messages each partition of this member is behind, as of the last fetch."""
        found = {}
        for partition in self._assigned:
            low, high = self.find_range(partition, cached=True)
            settled = self._settled.get(partition)
            at = settled.offset if settled else self._committed.get(partition, max(low, 0))
            if high >= 0:
                found[partition] = max(0, high - at)
        return found

    def find_range(self, partition: int, *, cached: bool = False) -> tuple[int, int]:
        """Return the first offset of a partition and the one behind its last. cached: as last fetched."""
        part = self._kafka.TopicPartition(self.name, partition)
        try:
            low, high = self._consumer.get_watermark_offsets(part, timeout=ANSWER_S, cached=cached)
        except self._kafka.KafkaException as error:
            raise InputError(f"topic '{self.name}': {error.args[0].str()}") from None
        return low, high


def _read(message: Any) -> Message:  # noqa: ANN401
    kind, at = message.timestamp()
    return Message(
        message.partition(), message.offset(), message.key(), message.value(), at if kind else None
    )


def load_kafka() -> Any:  # noqa: ANN401
    """Return the library; raises MissingExtraError without it."""
    try:
        import confluent_kafka
    except ImportError:
        raise MissingExtraError("a Kafka topic", "kafka") from None
    return confluent_kafka


def find_lag(settings: TopicSettings) -> TopicLag:
    """Return how far a group is behind in a topic, without joining it; raises as `KafkaTopic`."""
    with KafkaTopic(settings) as topic:
        places = topic.find_committed(topic.partitions)
        partitions = {}
        for partition in topic.partitions:
            low, high = topic.find_range(partition)
            at = places[partition].offset if partition in places else low
            partitions[partition] = high - min(max(at, low), high)
    stamps = [one.timestamp for one in places.values() if one.timestamp is not None]
    return TopicLag(settings.topic, settings.group, partitions, max(stamps, default=None))
