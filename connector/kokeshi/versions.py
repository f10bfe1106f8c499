"""The versions of an index, and what each remembers of itself. Pure.

A version is a concrete index, `<alias>-v000001`; the alias stands for the one that is served. Numbers, not
times: they need no clock, and of two that build at once the engine refuses the second, since it
would create the same index. Under its mapping's `_meta` a version keeps a mark: whether it is whole, who
builds it, and which one it took the place of. The alias alone says what is served.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Final, Literal

from kokeshi.embedded.process import is_alive, process_identity
from kokeshi.errors import SpecError
from kokeshi.mapping import META, check_same_vectors
from kokeshi.schema import IndexSpec
from kokeshi.types import Json

State = Literal["building", "complete", "failed"]
"""`failed`: whole, but refused by a check, and kept to be looked at."""

_KEY: Final = "version"
"""Of the mark, in what Kokeshi keeps under `_meta`."""


@dataclass(frozen=True)
class Owner:
    """The process that builds a version. process: its identity, which no other ever has on this host."""

    host: str
    pid: int
    process: str | None

    @classmethod
    def here(cls) -> Owner:
        """Return this process."""
        return cls(socket.gethostname(), os.getpid(), process_identity(os.getpid()))

    @property
    def state(self) -> Literal["alive", "dead", "unknown"]:
        """Whether it still runs; unknown on another host."""
        if self.host != socket.gethostname() or self.process is None:
            return "unknown"
        return "alive" if is_alive(self.pid, self.process) else "dead"

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True)
class Mark:
    """What a version remembers.

    created: UTC, ISO 8601. source: of its documents. replaces: the index that it took the place of, None
    for the first.
    """

    state: State
    created: str
    source: str
    replaces: str | None
    owner: Owner

    @classmethod
    def new(cls, source: str, replaces: str | None) -> Mark:
        """Return the mark of a version that this process begins to build."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return cls("building", now, source, replaces, Owner.here())

    @classmethod
    def parse(cls, found: Json) -> Mark:
        """Return the mark that `build_meta` wrote."""
        return cls(**{**found, "owner": Owner(**found["owner"])})


@dataclass(frozen=True)
class Version:
    """One concrete index of an alias. meta: its whole `_meta`."""

    name: str
    number: int
    meta: Json

    @property
    def mark(self) -> Mark | None:
        """What it remembers of itself; None where Kokeshi set no mark."""
        return find_mark(self.meta)

    @property
    def state(self) -> State | None:
        """The state of its mark."""
        return self.mark.state if self.mark else None


@dataclass(frozen=True)
class Family:
    """An alias and its versions, the oldest first. live: what it stands for, None where there is no such.

    aliases: index -> alias -> its filter and routing, of every version and of the live index.
    """

    alias: str
    live: str | None
    versions: tuple[Version, ...]
    aliases: Mapping[str, Mapping[str, Json]]

    @property
    def next_name(self) -> str:
        """The name of the version to be built."""
        newest = max((version.number for version in self.versions), default=0)
        return f"{self.alias}-v{newest + 1:06d}"

    def find(self, name: str) -> Version | None:
        """Return a version by its name."""
        return next((version for version in self.versions if version.name == name), None)

    def chain(self, keep: int) -> list[str]:
        """Return the `keep` indices that were served before the live one, the last first."""
        found: list[str] = []
        name = self.live
        while name and len(found) < keep:
            version = self.find(name)
            name = version.mark.replaces if version and version.mark else None
            if name in found or name == self.live:
                break
            found += [name] if name else []
        return found


def parse_versions(alias: str, mappings: Mapping[str, Json]) -> tuple[Version, ...]:
    """Return the versions among indices: those whose name is the alias, `-v` and at least six digits."""
    pattern = re.compile(re.escape(alias) + r"-v(\d{6,})")
    found = ((pattern.fullmatch(name), mapping) for name, mapping in mappings.items())
    versions = (Version(m[0], int(m[1]), mapping.get("_meta", {})) for m, mapping in found if m)
    return tuple(sorted(versions, key=lambda version: version.number))


def find_mark(meta: Json) -> Mark | None:
    """Return the mark in an index's `_meta`; None where there is none."""
    found = meta.get(META, {}).get(_KEY)
    return Mark.parse(found) if found else None


def build_meta(meta: Json, mark: Mark) -> Json:
    """Return an index's `_meta` with a mark; the engines replace all of it at once."""
    return {**meta, META: {**meta.get(META, {}), _KEY: asdict(mark)}}


def find_fitting(alias: str, wanted: Json, mappings: Mapping[str, Json]) -> str | None:
    """Return the newest whole version whose vectors were made as the mapping `wanted` says."""
    for version in reversed(parse_versions(alias, mappings)):
        if version.state != "complete":
            continue
        with suppress(SpecError):  # made in another way
            check_same_vectors(alias, wanted, mappings[version.name])
            return version.name
    return None


def find_unfinished(family: Family) -> list[Version]:
    """Return the versions that a run left behind: never finished, or refused; never one of any alias."""
    return [
        version
        for version in family.versions
        if version.state in ("building", "failed") and not family.aliases.get(version.name)
    ]


def find_old(family: Family, keep: int) -> list[Version]:
    """Return the versions to delete: whole, of no alias, and none of the last `keep` that were served."""
    kept = {family.live, *family.chain(keep)}
    return [
        version
        for version in family.versions
        if version.state == "complete"
        and version.name not in kept
        and not family.aliases.get(version.name)
    ]


def build_swap(family: Family, name: str) -> list[Json]:
    """Return the actions that put an index in place of the live one, under all of its aliases.

    Filter and routing of an alias stay. The engine does all of it or nothing: nothing where another
    took the place of the live one meanwhile.
    """
    if family.live is None:
        return [{"add": {"index": name, "alias": family.alias}}]
    moved = family.aliases[family.live]
    gone = (
        {"remove": {"index": family.live, "alias": alias, "must_exist": True}} for alias in moved
    )
    come = ({"add": {**options, "index": name, "alias": alias}} for alias, options in moved.items())
    return [*gone, *come]


def build_adoption(alias: str, name: str, aliases: Iterable[tuple[str, Json]]) -> list[Json]:
    """Return the actions that put an alias, and its copy, in place of the index of that name."""
    others = ({"add": {**options, "index": name, "alias": other}} for other, options in aliases)
    return [
        {"add": {"index": name, "alias": alias}},
        *others,
        {"remove_index": {"index": alias}},
    ]


def spec_of(spec: IndexSpec, name: str) -> IndexSpec:
    """Return the spec of a concrete index; its codebooks stay those of the spec's own name."""
    vectors = {
        vector: found.model_copy(
            update={
                "codes": found.codes
                and found.codes.model_copy(update={"codebook": spec.codebook_path(vector)})
            }
        )
        for vector, found in spec.vectors.items()
    }
    return spec.model_copy(update={"index": name, "vectors": vectors})
