"""Which Kafka topic, with which options, and how far a group has come in it. Nothing here asks a broker."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from kokeshi.errors import InputError
from kokeshi.kafka.messages import Message

POLL_INTERVAL_MS: Final = 1_800_000
"""A batch may take so long: an engine that is away is waited for, and the partitions stay meanwhile."""

FIXED: Final[Mapping[str, Any]] = MappingProxyType(
    {"enable.auto.commit": False, "enable.auto.offset.store": False, "enable.partition.eof": True}
)
"""What nothing being lost depends on."""

DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "auto.offset.reset": "earliest",
        "client.id": "kokeshi",
        "max.poll.interval.ms": POLL_INTERVAL_MS,
        "queued.max.messages.kbytes": 32 * 1024,
    }
)

_SECRET = re.compile(r"password|secret|token|jaas|key\.pem")
_SHORT = 4
"""Texts so short are words of many messages."""


@dataclass(frozen=True)
class TopicSettings:
    """Which topic, by whom. bootstrap: host:port, several parted by commas; group: whose offsets count.

    options: of librdkafka, beside these; they are never shown.
    """

    topic: str
    bootstrap: str | None
    group: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def config(self) -> dict[str, Any]:
        """Return the configuration of a consumer; raises InputError where an option cannot be given."""
        if taken := sorted(set(self.options) & {*FIXED, "group.id"}):
            raise InputError(
                f"the option '{taken[0]}' cannot be given: "
                + (
                    "take --group"
                    if taken[0] == "group.id"
                    else "what is settled says what to commit"
                )
            )
        given = {"bootstrap.servers": self.bootstrap} if self.bootstrap else {}
        config = {**DEFAULTS, **self.options, **given, "group.id": self.group, **FIXED}
        if "bootstrap.servers" not in config:
            raise InputError("no Kafka broker is known: give --bootstrap HOST:PORT")
        return config

    def hide(self, text: str) -> str:
        """Return a text without the values of options, which can be secrets."""
        for value in self.options.values():
            if len(value) >= _SHORT:
                text = text.replace(value, "…")
        return text


def read_options(path: Path) -> dict[str, str]:
    """Return the options of a properties file: lines of key=value, empty ones, and comments after #.

    Raises InputError where it cannot be read, a line is none, or others can read a secret in it; no
    message shows a value.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8") from None
    options = dict(_parse_lines(path, lines))
    secrets = sorted(filter(_SECRET.search, options))
    if secrets and mode & 0o077:
        raise InputError(
            f"{path} has '{secrets[0]}' and can be used by others (mode {mode:04o}); "
            f"run: chmod 600 {path}"
        )
    return options


def _parse_lines(path: Path, lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key, equals, value = (part.strip() for part in text.partition("="))
        if not (key and equals):
            raise InputError(f"{path}: line {number} is not key=value")
        yield key, value


@dataclass(frozen=True)
class Place:
    """How far a partition is settled. offset: of the next message; timestamp: the latest, ms since 1970."""

    offset: int
    timestamp: int | None = None

    def note(self) -> str:
        """Return what is kept beside the offset."""
        return "" if self.timestamp is None else str(self.timestamp)

    @classmethod
    def parse(cls, offset: int, note: str | None) -> Place:
        """Return the place of an offset and its note, should that be one of ours.

        >>> Place.parse(17, Place(17, 1_700_000_000_000).note()).timestamp
        1700000000000
        """
        return cls(offset, int(note) if note and note.isdecimal() else None)


@dataclass
class Batch:
    """Messages that were read together. ends: partition -> the place behind them."""

    messages: list[Message] = field(default_factory=list)
    ends: dict[int, Place] = field(default_factory=dict)

    def add(self, message: Message) -> None:
        """Add the next message of its partition."""
        before = self.ends.get(message.partition)
        stamps = [message.timestamp, before.timestamp if before else None]
        newest = max((one for one in stamps if one is not None), default=None)
        self.messages.append(message)
        self.ends[message.partition] = Place(message.offset + 1, newest)

    def reach(self, partition: int, offset: int) -> None:
        """A partition has nothing more before an offset."""
        before = self.ends.get(partition)
        self.ends[partition] = Place(offset, before.timestamp if before else None)

    def drop(self, partitions: Iterable[int]) -> None:
        """Leave out what belongs to partitions that another consumer has now."""
        gone = set(partitions)
        self.messages[:] = [one for one in self.messages if one.partition not in gone]
        for partition in gone:
            self.ends.pop(partition, None)


@dataclass(frozen=True)
class TopicLag:
    """How far a group is behind in a topic. partitions: partition -> messages.

    timestamp: of the latest message that was applied, ms since 1970; None where that is not known.
    """

    topic: str
    group: str
    partitions: Mapping[int, int]
    timestamp: int | None

    @property
    def messages(self) -> int:
        """How many messages it is behind."""
        return sum(self.partitions.values())
