"""Snapshots of an index in a repository of the engine's, and back, as a new version or under another name."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from itertools import islice
from typing import Final

from kokeshi.engines import Engine, Flow, calls
from kokeshi.errors import EngineError, InputError, SpecError
from kokeshi.lifecycle import flows, requests
from kokeshi.lifecycle.owners import building
from kokeshi.types import Json
from kokeshi.versions import Mark, build_meta

REPOSITORY: Final = "kokeshi"
"""Its name, and where it is below the first folder of `path.repo`, if nothing else is said."""

FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 5.0
PATIENCE: Final = 3
"""Looks in turn, of 20 seconds each, at which nothing of an index is being restored."""

DELETIONS: Final = 8
"""How often a snapshot that is in use is tried to be deleted: for ten seconds in all."""

MARKINGS: Final = 8
"""How often the mapping of an index that begins to be restored is looked for: for ten seconds in all."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.\-]{0,199}")


@dataclass(frozen=True)
class Snapshot:
    """One snapshot. indices: the concrete ones in it. started: UTC. seconds: that it took."""

    name: str
    state: str
    indices: tuple[str, ...]
    started: str
    seconds: float

    @classmethod
    def parse(cls, found: Json) -> Snapshot:
        """Return a snapshot from the engine's account of it."""
        started = found.get("start_time_in_millis", 0) / 1000
        return cls(
            name=found["snapshot"],
            state=found["state"],
            indices=tuple(sorted(found["indices"])),
            started=datetime.fromtimestamp(started, timezone.utc).isoformat(timespec="seconds"),
            seconds=found.get("duration_in_millis", 0) / 1000,
        )

    def to_json(self) -> Json:
        """Return what `--json` prints."""
        return asdict(self)


class Snapshots:
    """The snapshots in one repository.

    repository: its name; one that the engine does not know yet is made, of files. location: of that: a
    folder which every node reaches at the same path, and which `path.repo` of every node names or holds.
    A relative one is below the first folder of `path.repo`.
    """

    def __init__(
        self, engine: Engine, repository: str = REPOSITORY, location: str | None = None
    ) -> None:
        self._engine = engine
        self._repository = _checked("repository", repository)
        self._location = location

    def create(self, index: str, name: str | None = None) -> Snapshot:
        """Write what an alias or an index stands for, and wait for its end; searches go on.

        name: of the snapshot; None makes one of index and time. Raises SpecError without such an index,
        InputError where the snapshot exists, EngineError where a part of the index could not be written.
        """
        self._make_repository()
        indices = sorted(self._engine.get_mapping(index) or {})
        if not indices:
            raise SpecError(f"index '{index}' does not exist: there is nothing to keep")
        name = _checked("snapshot", name or f"{index}-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}")
        if self._find(name):
            raise InputError(
                f"snapshot '{name}' exists in '{self._repository}'; choose another name"
            )
        body = {"indices": ",".join(indices), "include_global_state": False}
        self._engine.perform(requests.start_snapshot(self._repository, name, body))
        return self._wait(name)

    def list(self) -> list[Snapshot]:
        """Return the snapshots, the oldest first; none where there is no such repository."""
        found = self._engine.perform(requests.get_snapshots(self._repository))
        return sorted(map(Snapshot.parse, found), key=lambda one: (one.started, one.name))

    def delete(self, name: str) -> None:
        """Delete a snapshot. Raises InputError where there is none."""
        self._require(name)
        for _ in islice(_waits(), DELETIONS):
            if self._is_deleted(name):
                return
        self._engine.delete_snapshot(self._repository, name)

    def _is_deleted(self, name: str) -> bool:
        """Delete a snapshot unless it is in use: a restore counts as under way for a moment after its end."""
        try:
            self._engine.delete_snapshot(self._repository, name)
        except EngineError as error:
            if "concurrent_snapshot" in str(error):
                return False
            raise
        return True

    def restore(self, name: str, alias: str, index: str | None = None) -> str:
        """Restore the one index of a snapshot, and wait until it answers; returns its name.

        index: a name for it that is free, which no alias takes. None makes it the next version of
        `alias` and lets the alias stand for it, all at once; what was served stays for a rollback. Until it
        is whole it counts as being built: no search takes it, and the next rebuild deletes it after a kill.
        Raises InputError where the snapshot is missing, incomplete, or of several indices.
        """
        (source,) = self._restorable(name).indices
        if index is None:
            return self._restore_version(name, source, alias)
        if self._engine.get_mapping(index):
            raise InputError(f"index '{index}' exists; choose another name")
        self._start_restore(name, source, index)
        self._wait_for_index(index)
        return index

    def _restore_version(self, name: str, source: str, alias: str) -> str:
        family = self._engine.run(flows.find_family(alias))
        version = family.next_name
        mark = Mark.new(f"snapshot {self._repository}/{name}", family.live)
        with building(version):
            self._start_restore(name, source, version)
            self._mark(version, mark)  # the one in the snapshot says that it is whole
            self._wait_for_index(version)
            self._engine.run(flows.set_state(version, "complete"))
            self._engine.run(flows.swap(family, version))
        return version

    def _mark(self, version: str, mark: Mark) -> None:
        """Mark a version that is being restored, as soon as its mapping is there."""
        for _ in islice(_waits(), MARKINGS):
            if self._engine.run(_set_mark(version, mark)):
                return
        raise EngineError(f"index '{version}': it is not restored, or was deleted; try again")

    def _start_restore(self, name: str, source: str, target: str) -> None:
        body = {
            "indices": source,
            "include_global_state": False,
            "include_aliases": False,
            "rename_pattern": "^.+$",
            "rename_replacement": target,
        }
        self._engine.perform(requests.start_restore(self._repository, name, body))

    def _wait_for_index(self, index: str) -> None:
        broken = 0
        for _ in _waits():
            health = self._engine.perform(requests.wait_for_index(index))
            if health == "whole":
                return
            broken = broken + 1 if health == "broken" else 0
            if broken == PATIENCE:
                raise EngineError(
                    f"index '{index}': a part of it is not restored; look at the nodes "
                    f"(GET /_cluster/allocation/explain), then delete it and try again"
                )

    def _make_repository(self) -> None:
        found = self._engine.perform(requests.get_repository(self._repository))
        if found is not None:
            self._check_location(found)
            return
        settings = {"location": self._location or self._repository}
        with _explained(settings["location"]):
            body = {"type": "fs", "settings": settings}
            self._engine.create_repository(self._repository, body)

    def _check_location(self, found: Json) -> None:
        there = found.get("settings", {}).get("location")
        if self._location and self._location != there:
            raise InputError(
                f"location {self._location}: the repository '{self._repository}' is at {there}; "
                "leave it out, or choose another repository"
            )

    def _restorable(self, name: str) -> Snapshot:
        found = self._require(name)
        if found.state != "SUCCESS":
            raise InputError(f"snapshot '{name}' is {found.state}, so it is not restored")
        if len(found.indices) != 1:
            raise InputError(
                f"snapshot '{name}' has {len(found.indices)} indices; only one of a single index, as "
                "'kokeshi snapshot create' makes it, is restored"
            )
        return found

    def _require(self, name: str) -> Snapshot:
        found = self._find(name)
        if found is None:
            raise InputError(f"snapshot '{name}': there is none in '{self._repository}'")
        return found

    def _find(self, name: str) -> Snapshot | None:
        found = self._engine.perform(requests.get_snapshots(self._repository, name))
        return Snapshot.parse(found[0]) if found else None

    def _wait(self, name: str) -> Snapshot:
        for _ in _waits():
            found = self._require(name)
            if found.state not in ("IN_PROGRESS", "STARTED"):
                break
        if found.state != "SUCCESS":
            raise EngineError(
                f"snapshot '{name}' ended as {found.state}: a part of the index was not written; "
                "look at the engine's log, delete it, and try again"
            )
        return found


def _set_mark(name: str, mark: Mark) -> Flow[bool]:
    """Mark an index; returns whether it was there."""
    mappings: dict[str, Json] = (yield calls.get_mapping(name)) or {}
    if name not in mappings:
        return False
    yield requests.put_meta(name, build_meta(mappings[name].get("_meta", {}), mark))
    return True


def _waits() -> Iterator[None]:
    """Yield at once, then after longer and longer waits, for ever: the engine goes on by itself."""
    wait = FIRST_WAIT_S
    while True:
        yield
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_S)


@contextmanager
def _explained(location: str) -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        if "path.repo" not in str(error):
            raise
        raise EngineError(
            f"location {location}: a node may only write snapshots below its path.repo; set that in its "
            "configuration to a folder that all nodes share, and restart it, or register a repository of "
            f"another type and name it with --repository ({error})",
            status=error.status,
        ) from None


def _checked(what: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{what} '{name}': lower-case letters, digits, '-', '_' and '.' are accepted, and it begins "
            "with a letter or digit"
        )
    return name
