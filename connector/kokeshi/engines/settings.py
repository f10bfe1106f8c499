"""Where the settings of a connection come from: arguments, environment, credential file, `kokeshi.yaml`.

Each source is a `Settings`; `resolve` merges them, the first first. A credential file comes right after the
source that names it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Final

from kokeshi.engines.addresses import split_credentials, split_urls
from kokeshi.engines.connection import Connection
from kokeshi.engines.credential_file import read_credentials
from kokeshi.errors import EngineError

PREFIX: Final = "KOKESHI_"
_FIELDS: Final = tuple(field.name for field in fields(Connection) if field.init)
NAMES: Final = (*_FIELDS, "credentials")
"""The settings: the fields of Connection, and `credentials`, the path of a credential file."""

_ADDRESS: Final = ("url", "cloud_id")
_CREDENTIALS: Final = ("user", "password", "api_key", "bearer", "aws_region", "aws_service")
_TOGETHER: Final = (
    _ADDRESS,
    _CREDENTIALS,
    ("ca_file", "fingerprint"),
    ("client_cert", "client_key"),
)
"""Settings that the first source with one of them gives alone, so that nothing is mixed from two."""
_ALONE: Final = tuple((name,) for name in _FIELDS if not any(name in one for one in _TOGETHER))


class Settings(dict[str, Any]):
    """The settings of one source by name. Its text form shows no value, and it is not pickled."""

    def __repr__(self) -> str:
        return f"Settings({', '.join(self)})"

    def __reduce_ex__(self, _: object) -> tuple[Any, ...]:
        """Refuse to be pickled: there can be secrets among them."""
        raise TypeError(
            "settings of a connection are not pickled; resolve them where they are used"
        )


def give(**values: object) -> Settings:
    """Return the settings that are given, not None; credentials in an address are settings of their own."""
    found = Settings({name: value for name, value in values.items() if value is not None})
    if "url" in found and not any(name in found for name in _CREDENTIALS):
        parted = [split_credentials(url) for url in split_urls(found["url"])]
        held = [credentials for _, credentials in parted if credentials]
        if held and all(credentials == held[0] for credentials in held):
            found.update(held[0], url=[url for url, _ in parted])
    return found


def read_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of KOKESHI_URL, KOKESHI_API_KEY and so on; an empty variable counts as none.

    Raises EngineError where one is not of its type.
    """
    found = {name: environment.get(PREFIX + name.upper()) or None for name in NAMES}
    read = {name: _READ.get(name, str)(value) for name, value in found.items() if value}
    return give(**read)


def resolve(*sources: Settings) -> Connection | None:
    """Return the connection that the sources make, the first first; None where none has an address.

    Raises EngineError where settings are unusable or contradict each other.
    """
    layers = list(_with_credential_files(sources))
    merged: dict[str, Any] = {}
    for together in (*_TOGETHER, *_ALONE):
        having = (one for one in layers if any(name in one for name in together))
        source = next(having, Settings())
        merged.update({name: source[name] for name in together if name in source})
    if any(name in merged for name in _ADDRESS):
        return Connection(**merged)
    if sources and (idle := [name for name in sources[0] if name != "timeout"]):
        raise EngineError(f"{idle[0]} is given without an address; give --url or KOKESHI_URL")
    return None


def _with_credential_files(sources: Iterable[Settings]) -> Iterable[Settings]:
    """Yield the sources, after each its credential file; no file is read that would not be used."""
    settled = False
    for source in sources:
        yield source
        settled = settled or any(name in source for name in _CREDENTIALS)
        if "credentials" in source and not settled:
            yield Settings(read_credentials(source["credentials"]))
            settled = True


def _number(name: str, read: Callable[[str], float]) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            return read(text)
        except ValueError:
            raise EngineError(f"{PREFIX}{name} '{text}' is no number") from None

    return convert


def _switch(text: str) -> bool:
    if text.lower() not in ("0", "1", "false", "true", "no", "yes"):
        raise EngineError(f"{PREFIX}COMPRESS '{text}': give 1 or 0")
    return text.lower() in ("1", "true", "yes")


_READ: Final[Mapping[str, Callable[[str], object]]] = {
    "timeout": _number("TIMEOUT", float),
    "retries": _number("RETRIES", int),
    "compress": _switch,
}
