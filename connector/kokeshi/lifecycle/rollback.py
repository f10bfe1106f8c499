"""Serve another version: the one before, or one by its name."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from kokeshi.engines import Engine, Flow, calls
from kokeshi.errors import SpecError
from kokeshi.lifecycle import flows
from kokeshi.mapping import META
from kokeshi.types import Json
from kokeshi.versions import Family


@dataclass(frozen=True)
class RollbackReport:
    """What is served now, and what was. other_vectors: the two were made by other encoders or shapes."""

    index: str
    version: str
    replaced: str
    other_vectors: bool

    def to_json(self) -> Json:
        """Return what `--json` prints."""
        return asdict(self)


def rollback(engine: Engine, alias: str, to: str | None = None) -> RollbackReport:
    """Let the alias stand for the index that was served before, or for another version, all at once.

    Nothing is deleted: `to` brings back what was rolled back. Raises SpecError where there is no such
    index, or it is not finished.
    """
    return engine.run(_rollback(alias, to))


def _rollback(alias: str, to: str | None) -> Flow[RollbackReport]:
    family = yield from flows.find_family(alias)
    if family.live is None:
        raise SpecError(f"'{alias}' stands for nothing; build a version with: kokeshi reindex FILE")
    name = _target(family, to)
    mappings: dict[str, Json] = (yield calls.get_mapping(f"{name},{family.live}")) or {}
    version = family.find(name)
    if version and version.state == "failed":
        yield from flows.set_state(name, "complete", replaces=family.live)
    yield from flows.swap(family, name)
    before, now = (_vectors(mappings[one]) for one in (family.live, name))
    return RollbackReport(alias, name, family.live, before != now)


def _target(family: Family, to: str | None) -> str:
    """Return the index to serve; raises SpecError where it cannot be."""
    names = {version.name for version in family.versions}
    before = next(iter(family.chain(1)), None)
    if to is None and before is None:
        raise SpecError(
            f"'{family.live}' took no index's place; name another with --to, of: "
            f"{', '.join(sorted(names)) or 'none'}"
        )
    name = to or str(before)
    if name == family.live:
        raise SpecError(f"'{name}' is what '{family.alias}' stands for already")
    if to is not None and to not in {*names, before}:
        raise SpecError(
            f"'{to}' is no version of '{family.alias}'; there are: {', '.join(sorted(names))}"
        )
    version = family.find(name)
    if version is None and name != before:
        raise SpecError(f"'{name}' is gone, so there is no way back; build it with kokeshi reindex")
    if version and version.state == "building":
        raise SpecError(f"'{name}' is not finished, so it cannot be served")
    return name


def _vectors(mapping: Json) -> Json:
    vectors: Json = mapping.get("_meta", {}).get(META, {}).get("vectors", {})
    return vectors
