"""Logs as JSON lines, through the standard module: one object a line, for whatever collects them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import IO, Final

import orjson

from kokeshi.types import Json

_STANDARD: Final = {*vars(logging.makeLogRecord({})), "message", "asctime"}
"""What every record has; anything else came with `extra`."""


class JsonFormatter(logging.Formatter):
    """Makes a line of time (UTC), level, logger, message, and what was given as `extra`.

    >>> record = logging.makeLogRecord({"msg": "indexed %d", "args": (512,), "seconds": 0.2})
    >>> orjson.loads(JsonFormatter().format(record))["seconds"]
    0.2
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: Json = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(
                "T", "milliseconds"
            ),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        extra = {
            key: value
            for key, value in vars(record).items()
            if key not in _STANDARD and not key.startswith("_")  # a library's own, such as Ray's
        }
        if record.exc_info:
            extra["error"] = self.formatException(record.exc_info)
        # what a caller names like one of ours keeps its value under another name
        line |= {f"{key}_" if key in line else key: value for key, value in extra.items()}
        return orjson.dumps(line, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()


@contextmanager
def json_logs(stream: IO[str], level: int = logging.INFO) -> Iterator[None]:
    """Write what Kokeshi logs to `stream` meanwhile, as JSON lines and nowhere else."""
    logger = logging.getLogger("kokeshi")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
