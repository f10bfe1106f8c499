"""Settings and config files that a caller adds to Kokeshi's own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from kokeshi.embedded.kinds import Kind
from kokeshi.errors import EmbeddedError

# What finding, reaching and stopping the engine rests on; a name that ends in a dot is a group.
_RESERVED = (
    "cluster.name",
    "cluster.routing.allocation.disk.watermark.",
    "discovery.",
    "http.bind_host",
    "http.host",
    "http.port",
    "http.publish_host",
    "network.",
    "node.name",
    "path.",
    "transport.",
)
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_OWN_FILES = ("log4j2.properties", "jvm.options", "java.policy")


def flatten(settings: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Return {"a.b": 1} for {"a": {"b": 1}}, so that no spelling gets round a check."""
    flat: dict[str, object] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def check_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """Return the settings with dotted names.

    Raises:
        EmbeddedError: one of them is Kokeshi's own.
    """
    flat = flatten(settings)
    for name in flat:
        if any(name == own or (own[-1] == "." and name.startswith(own)) for own in _RESERVED):
            raise EmbeddedError(
                f"Setting {name!r} is Kokeshi's own: leave it out (home and port are arguments)"
            )
    return flat


def check_files(files: Mapping[str, bytes], kind: Kind) -> dict[str, bytes]:
    """Return the files.

    Raises:
        EmbeddedError: a name is no plain file name, or that of a file of Kokeshi's own.
    """
    for name in files:
        if not _FILE_NAME.fullmatch(name):
            raise EmbeddedError(f"Config file {name!r} is not a plain file name")
        if name in (kind.settings_file, *_OWN_FILES):
            raise EmbeddedError(f"Config file {name!r} is Kokeshi's own: use settings instead")
    return dict(files)


def fingerprint(settings: Mapping[str, object], files: Mapping[str, bytes]) -> str:
    """Return a digest that tells two configurations apart; "" where there is none."""
    if not settings and not files:
        return ""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    text = json.dumps([settings, digests], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def is_on(settings: Mapping[str, object], name: str | None) -> bool:
    """Whether a switch is on, as the engine reads it."""
    return name is not None and str(settings.get(name, False)).lower() == "true"
