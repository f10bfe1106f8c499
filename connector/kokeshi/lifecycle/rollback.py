"""Serve another version: the one before, or one by its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from kokeshi.engines import Engine, Flow, calls
from kokeshi.errors import SpecError
from kokeshi.lifecycle import flows
from kokeshi.mapping import META
from kokeshi.types import Json
from kokeshi.versions import Family


@dataclass(frozen=True)
class RollbackReport:
    """What is served now, and what was: None where the alias stood for nothing.

    other_vectors: the two were made by other encoders or shapes.
    """

    index: str
    version: str
    replaced: str | None
    other_vectors: bool

    def to_json(self) -> Json:
        """Return what `--json` prints."""
        return asdict(self)


def rollback(engine: Engine, alias: str, to: str | None = None) -> RollbackReport:
    """Let the alias stand for the index that was served before, or for another version, all at once.

    Nothing is deleted: `to` brings back what was rolled back, also where the alias stands for nothing, as
    its index was deleted. Raises SpecError where there is no such index, or it is not finished.
    """
    return engine.run(_rollback(alias, to))


def _rollback(alias: str, to: str | None) -> Flow[RollbackReport]:
    family = yield from flows.find_family(alias)
    name = _target(family, to)
    now = yield from _mapping(name)
    before = (yield from _mapping(family.live)) if family.live else now
    version = family.find(name)
    if version and version.state == "failed":
        yield from flows.set_state(name, "complete", replaces=family.live)
    yield from flows.swap(family, name)
    return RollbackReport(alias, name, family.live, _vectors(before) != _vectors(now))


def _target(family: Family, to: str | None) -> str:
    """Return the index to serve; raises SpecError where it cannot be."""
    names = {version.name for version in family.versions}
    before = next(iter(family.chain(1)), None)
    name = before if to is None else to
    if name is None:
        raise _no_target(family, names)
    if name == family.live:
        raise SpecError(f"'{name}' is what '{family.alias}' stands for already")
    if name not in {*names, before}:
        raise SpecError(f"'{name}' is no version of '{family.alias}'; there are: {_list(names)}")
    version = family.find(name)
    if version and version.state == "building":
        raise SpecError(f"'{name}' is not finished, so it cannot be served")
    return name


def _no_target(family: Family, names: Iterable[str]) -> SpecError:
    if family.live:
        return SpecError(
            f"'{family.live}' took no index's place; name another with --to, of: {_list(names)}"
        )
    return SpecError(
        f"'{family.alias}' stands for nothing; build a version with: kokeshi reindex FILE; or name one "
        f"with --to, of: {_list(names)}"
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _mapping(name: str) -> Flow[Json]:
    """Return the mapping of an index; raises SpecError where it is gone: pruned, or deleted by hand."""
    mappings: dict[str, Json] = (yield calls.get_mapping(name)) or {}
    if name not in mappings:
        raise SpecError(
            f"'{name}' is gone, so there is no way back; build it with: kokeshi reindex FILE"
        )
    return mappings[name]


def _vectors(mapping: Json) -> Json:
    vectors: Json = mapping.get("_meta", {}).get(META, {}).get("vectors", {})
    return vectors
