"""Which concrete index answers a search by a name that is an alias, and whether that changed meanwhile.

An alias can be put on another index between two searches, or while one is under way. A search looks at the
index first, so it must not be answered by another: its vectors would be compared with those of another
encoder, or two rankings of different indices would be fused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kokeshi.engines import Flow, calls
from kokeshi.errors import EngineError, SpecError
from kokeshi.mapping import META, check_same_vectors
from kokeshi.plans import Known
from kokeshi.types import Json
from kokeshi.versions import find_fitting


@dataclass(frozen=True)
class Served:
    """What a spec's index was when somebody looked.

    name: what searches are sent to, the spec's own or that of a version. indices: the concrete ones.
    """

    name: str
    indices: frozenset[str]

    def answered(self, answers: Sequence[Json]) -> bool:
        """Whether every hit is of an index that was looked at."""
        hits = (hit for answer in answers for hit in answer["hits"]["hits"])
        return all(hit["_index"] in self.indices for hit in hits)

    def has_changed(self, error: EngineError) -> Flow[bool]:
        """Whether a search was refused because the name stands for other indices by now, or for none."""
        if error.status not in (400, 404):
            return False
        mappings: dict[str, Json] = (yield calls.get_mapping(self.name)) or {}
        return frozenset(mappings) != self.indices


def find_served(index: str, wanted: Json, mappings: Mapping[str, Json]) -> Flow[Served]:
    """Return what holds vectors that were made as the mapping `wanted` says.

    mappings: by concrete index, of what the name stands for. Where one was made in another way, it is the
    newest whole version that was made so: who still has the spec of before goes on being served by the
    index of before. Raises SpecError where there is none.
    """
    try:
        for mapping in mappings.values():
            if META in mapping.get("_meta", {}):
                check_same_vectors(index, wanted, mapping)
    except SpecError:
        versions: dict[str, Json] = (yield calls.get_mapping(f"{index}-v*")) or {}
        version = find_fitting(index, wanted, versions)
        if version is None:
            raise
        return Served(version, frozenset([version]))
    return Served(index, frozenset(mappings))


def is_outdated(known: Known, answers: Sequence[Json], *, coded: bool) -> bool:
    """Whether an answer shows that the name stands for another index, or that it has grown since.

    coded: only documents with codes of the codebook are found.
    """
    shards = {answer["_shards"]["total"] for answer in answers}
    most = max(answer["hits"]["total"]["value"] for answer in answers)
    nothing = coded and known.kept > 0 and most == 0
    return nothing or shards != {known.shards} or most > known.kept
