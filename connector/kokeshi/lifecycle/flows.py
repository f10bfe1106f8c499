"""What is asked and changed of the versions of an index, as flows: see `kokeshi.engines.Flow`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kokeshi.engines import Flow, calls
from kokeshi.errors import CapabilityError, EngineError, SpecError
from kokeshi.lifecycle import requests
from kokeshi.lifecycle.owners import building, check_dead
from kokeshi.mapping import META
from kokeshi.types import Json
from kokeshi.versions import (
    Family,
    Mark,
    State,
    Version,
    build_adoption,
    build_meta,
    build_swap,
    find_mark,
    find_old,
    find_unfinished,
    parse_versions,
)


def find_family(alias: str) -> Flow[Family]:
    """Return an alias with its versions.

    Raises SpecError where the name is an index itself, CapabilityError where the alias stands for several.
    """
    served: dict[str, Json] = (yield calls.get_mapping(alias)) or {}
    if alias in served:
        raise SpecError(
            f"index '{alias}' is an index itself, but versions need an alias of that name; "
            f"make it version 1 behind one with: kokeshi reindex FILE --adopt"
        )
    if len(served) > 1:
        raise CapabilityError(
            f"'{alias}' stands for several indices: {', '.join(sorted(served))}; give it one"
        )
    live = next(iter(served), None)
    mappings: dict[str, Json] = (yield calls.get_mapping(f"{alias}-v*")) or {}
    versions = parse_versions(alias, mappings)
    aliases: dict[str, dict[str, Json]] = yield requests.index_aliases(f"{alias}-v*")
    if live and live not in aliases:  # an index that had the alias before there were versions
        aliases |= yield requests.index_aliases(live)
    return Family(alias, live, versions, aliases)


def begin(name: str, body: Json, mark: Mark) -> Flow[None]:
    """Create a version, marked from its first moment; raises EngineError where another run was faster."""
    mappings = body["mappings"]
    marked = {**mappings, "_meta": build_meta(mappings["_meta"], mark)}
    yield calls.create_index(name, {**body, "mappings": marked})


def set_state(name: str, state: State, **changes: str | None) -> Flow[None]:
    """Change the mark of a version; raises EngineError where it is gone."""
    mappings: dict[str, Json] = (yield calls.get_mapping(name)) or {}
    version = Version(name, 0, mappings.get(name, {}).get("_meta", {}))
    if version.mark is None:
        raise EngineError(f"index '{name}': it is gone, or no version of Kokeshi's; start again")
    mark = replace(version.mark, state=state, **changes)  # type: ignore[arg-type]
    yield requests.put_meta(name, build_meta(version.meta, mark))


def clear_unfinished(family: Family, *, take_over: bool) -> Flow[list[str]]:
    """Delete what runs left behind that were killed or refused; returns the names.

    take_over: also what a process on another machine builds, or built. Raises SpecError where one is
    under way, or may be, or where one was finished since the family was looked at.
    """
    left = find_unfinished(family)
    for version in left:
        if version.state == "building":
            check_dead(version, take_over=take_over)
    deleted = []
    for version in left:
        if (yield from _is_left(version)):
            yield calls.delete_index(version.name)
            deleted.append(version.name)
    return deleted


def _is_left(version: Version) -> Flow[bool]:
    """Return whether an unfinished version is there as it was; raises SpecError where it is another's now.

    Its run can have served it, and ended, between the look at its mark and that at its process.
    """
    found: Json | None = (yield requests.get_index(version.name)).get(version.name)
    if found is None:
        return False
    if found["aliases"] or find_mark(found["mappings"].get("_meta", {})) != version.mark:
        raise SpecError(
            f"index '{version.name}' was finished or served by another run just now; start again"
        )
    return True


def swap(family: Family, name: str) -> Flow[None]:
    """Let the alias, and every other alias of the live index, stand for another, all at once.

    Raises EngineError where that index has a shard that does not answer, or where the alias stands for
    something else by now; nothing is changed then.
    """
    yield from check_whole(name)
    if family.live is None:
        yield from _check_free(family.alias, name)
    served = family.find(family.live) if family.live else None
    if served and served.mark and served.state != "complete":  # of a run killed after its swap
        yield from set_state(served.name, "complete")
    yield calls.update_aliases(build_swap(family, name))


def _check_free(alias: str, name: str) -> Flow[None]:
    """Raise EngineError where an alias stands for something: the engine would add a second index to it."""
    found: dict[str, Json] | None = yield calls.get_mapping(alias)
    if found:
        raise EngineError(
            f"'{alias}' stands for {', '.join(sorted(found))} since this run began, so nothing was changed; "
            f"to serve '{name}' all the same: kokeshi rollback --to {name}"
        )


def check_whole(name: str) -> Flow[None]:
    """Raise EngineError where a shard of an index does not answer."""
    health: requests.Health = yield requests.wait_for_index(name)
    if health != "whole":
        raise EngineError(
            f"index '{name}': a part of it does not answer, so it is not served; look at the nodes "
            f"(GET /_cluster/allocation/explain), then try again"
        )


def prune(alias: str, keep: int) -> Flow[list[str]]:
    """Delete the versions that were served before the last `keep`; returns their names."""
    family = yield from find_family(alias)
    old = find_old(family, keep)
    for version in old:
        yield calls.delete_index(version.name)
    return [version.name for version in old]


def adopt_index(alias: str, *, take_over: bool = False) -> Flow[str]:
    """Make an index the first version behind an alias of its name; returns the name of the version.

    Searches go on throughout; writes are refused for the seconds of the copy. Killed at any point, it
    can be run again. Raises SpecError where there is no such index, or not one of Kokeshi's.
    """
    meta = yield from _find_adoptable(alias)
    mappings: dict[str, Json] = (yield calls.get_mapping(f"{alias}-v*")) or {}
    aliases: dict[str, dict[str, Json]] = yield requests.index_aliases(f"{alias}-v*")
    left = Family(alias, None, parse_versions(alias, mappings), aliases)
    yield from clear_unfinished(left, take_over=take_over)
    name = left.next_name
    with building(name):
        yield from _adopt(alias, name, meta)
    return name


def _adopt(alias: str, name: str, meta: Json) -> Flow[None]:
    # the copy takes the mark along, so that one of a run that is killed here is known as such
    yield requests.put_meta(alias, build_meta(meta, Mark.new(f"index {alias}", None)))
    yield requests.put_settings(alias, {"index.blocks.write": True})
    try:
        yield from _copy(alias, name)
        own: dict[str, dict[str, Json]] = yield requests.index_aliases(alias)
        yield calls.update_aliases(build_adoption(alias, name, own.get(alias, {}).items()))
    except EngineError:
        yield requests.put_settings(alias, {"index.blocks.write": None})
        raise
    yield from set_state(name, "complete")


def _copy(index: str, name: str) -> Flow[None]:
    settings: dict[str, Json] = yield requests.get_settings(index)
    yield requests.clone_index(index, name, _copied(settings[index]))
    yield from check_whole(name)


def _find_adoptable(alias: str) -> Flow[Json]:
    mappings: dict[str, Json] = (yield calls.get_mapping(alias)) or {}
    if alias not in mappings:
        what = "is an alias already" if mappings else "does not exist"
        raise SpecError(f"index '{alias}' {what}: there is nothing to adopt; leave --adopt out")
    meta: Json = mappings[alias].get("_meta", {})
    if META not in meta:
        raise SpecError(
            f"index '{alias}' was not made by Kokeshi, so it is not adopted; choose another index name"
        )
    return meta


def _copied(settings: Mapping[str, Any]) -> Json:
    """Return the settings that a copy does not take from its source by itself."""
    names = ("index.number_of_replicas", "index.auto_expand_replicas")
    return {"index.blocks.write": None, **{n: settings[n] for n in names if n in settings}}
