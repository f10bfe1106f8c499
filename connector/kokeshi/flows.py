"""What `Index` and `AsyncIndex` do, written once: flows that yield calls and are sent their results."""

from __future__ import annotations

from functools import cached_property

import numpy.typing as npt

from kokeshi.encoders import Encoder, check_query, close_encoders, embed_query, load_encoder
from kokeshi.engines import Capabilities, Flow, calls
from kokeshi.errors import CapabilityError, SpecError
from kokeshi.filters import Filter
from kokeshi.knowledge import Knowledge
from kokeshi.mapping import META, build_index, check_same, check_same_vectors
from kokeshi.plans import Query, SearchRequest, all_filters, build_count, build_filter, build_search
from kokeshi.plans.stages import find_vector, vector_names
from kokeshi.results import SearchResult, fuse_ranks, parse_search
from kokeshi.schema import IndexSpec, SearchPlan
from kokeshi.types import Float32, Json


class IndexFlows:
    """One spec, and what is remembered of its index."""

    def __init__(self, spec: IndexSpec) -> None:
        self.spec = spec
        self._knowledge = Knowledge()
        self._vectors_checked = False

    @cached_property
    def encoders(self) -> dict[str, Encoder]:
        """The encoder of each vector, loaded at first use."""
        return {name: load_encoder(vector) for name, vector in self.spec.vectors.items()}

    def close(self) -> None:
        """Close the connections of the encoders that were loaded."""
        if "encoders" in vars(self):  # a cached property: not loaded, nothing to close
            close_encoders(self.encoders.values())

    def build_body(self, capabilities: Capabilities) -> Json:
        """Return the body that `create` would PUT."""
        names = {name: encoder.name for name, encoder in self.encoders.items()}
        return build_index(self.spec, capabilities, names)

    def embed(
        self, plan: SearchPlan, text: str | None, vector: npt.ArrayLike | None
    ) -> dict[str, Float32]:
        """Return the vectors (D,) that the plan compares, from a query's text or its own vector."""
        vectors = {}
        for name in vector_names(self.spec, plan):
            _, spec = find_vector(self.spec, name)
            if vector is not None:
                vectors[name] = check_query(vector, spec)
            elif text:
                vectors[name] = embed_query(self.encoders[name], spec, text)
        return vectors

    def exists(self) -> Flow[bool]:
        """Return whether there is an index of that name."""
        mappings: dict[str, Json] | None = yield calls.get_mapping(self.spec.index)
        return mappings is not None

    def create(self, capabilities: Capabilities, *, recreate: bool) -> Flow[bool]:
        """Create the index where it is missing; returns whether it did."""
        body = self.build_body(capabilities)
        name = self.spec.index
        found = yield from self.find(body, other_spec=recreate)
        if not found:
            yield calls.create_index(name, body)
        elif recreate:
            trial = f"{name}-kokeshi-trial"
            yield calls.delete_index(trial)  # of a run that was killed here
            yield calls.create_index(trial, body)
            yield calls.delete_index(trial)
            yield calls.delete_index(name)
            yield calls.create_index(name, body)
        else:
            return False
        return True

    def find(self, body: Json, *, other_spec: bool) -> Flow[bool]:
        """Return whether the index exists; raises SpecError where it is not one that may be written."""
        mappings: dict[str, Json] | None = yield calls.get_mapping(self.spec.index)
        for mapping in (mappings or {}).values():
            if META not in mapping.get("_meta", {}):
                raise SpecError(
                    f"index '{self.spec.index}' exists and was not made by Kokeshi; "
                    "choose another index name"
                )
            if not other_spec:
                check_same(self.spec.index, body["mappings"], mapping)
        return mappings is not None

    def mappings(self) -> Flow[dict[str, Json]]:
        """Return the mappings by concrete index; raises SpecError where there is no index."""
        found: dict[str, Json] | None = yield calls.get_mapping(self.spec.index)
        if not found:
            raise SpecError(
                f"index '{self.spec.index}' does not exist; create it with: kokeshi ingest FILE"
            )
        return found

    def concrete_name(self) -> Flow[str]:
        """Return the name of the index itself where the spec names an alias."""
        names = sorted((yield from self.mappings()))
        if len(names) > 1:
            raise CapabilityError(
                f"'{self.spec.index}' stands for several indices: {', '.join(names)}"
            )
        return names[0]

    def check_vectors(self, capabilities: Capabilities) -> Flow[None]:
        """Raise SpecError where Kokeshi filled the index with vectors of another encoder or shape."""
        if not self._vectors_checked:
            wanted = self.build_body(capabilities)["mappings"]
            mappings = yield from self.mappings()
            for mapping in mappings.values():
                if META in mapping.get("_meta", {}):
                    check_same_vectors(self.spec.index, wanted, mapping)
        self._vectors_checked = True

    def count(self, capabilities: Capabilities, filter_: Filter | None) -> Flow[int]:
        """Count the documents that pass a filter."""
        query = None if filter_ is None else build_filter(filter_, capabilities.dialect)
        found: int = yield calls.count(self.spec.index, query)
        return found

    def search(
        self, capabilities: Capabilities, plan: SearchPlan, query: Query
    ) -> Flow[SearchResult]:
        """Search. What the filter leaves is counted in the same request where it is not known."""
        if vector_names(self.spec, plan):  # words alone need no encoder, which the check loads
            yield from self.check_vectors(capabilities)
        filter_ = all_filters(self.spec, plan.filter, query.filter)
        known = self._knowledge.find(filter_)
        request = build_search(self.spec, plan, query, capabilities, known)
        counts = () if known or plan.shortlist is None else tuple(dict.fromkeys((None, filter_)))
        counting = [build_count(counted, capabilities.dialect) for counted in counts]
        answers = yield from self._send([*counting, *request.bodies])
        for counted, answer in zip(counts, answers, strict=False):
            self._learn(counted, answer)
        if known and answers[0]["_shards"]["total"] != known.shards:
            # an alias moved, or the index was made anew: k was divided among other shards
            self._knowledge.forget()
            return (yield from self.search(capabilities, plan, query))
        results = [parse_search(answer) for answer in answers[len(counts) :]]
        if request.rrf:
            return fuse_ranks(results, request.rrf, query.size, query.offset)
        return results[0]

    def explain(
        self, capabilities: Capabilities, plan: SearchPlan, query: Query
    ) -> Flow[SearchRequest]:
        """Return what `search` sends once what the filter leaves is known; only counts are sent."""
        filter_ = all_filters(self.spec, plan.filter, query.filter)
        if plan.shortlist and self._knowledge.find(filter_) is None:
            counts = tuple(dict.fromkeys((None, filter_)))
            answers = yield from self._send(
                [build_count(counted, capabilities.dialect) for counted in counts]
            )
            for counted, answer in zip(counts, answers, strict=True):
                self._learn(counted, answer)
        known = self._knowledge.find(filter_) if plan.shortlist else None
        return build_search(self.spec, plan, query, capabilities, known)

    def _learn(self, filter_: Filter | None, answer: Json) -> None:
        count = answer["hits"]["total"]["value"]
        self._knowledge.learn(filter_, count, answer["_shards"]["total"])

    def _send(self, bodies: list[Json]) -> Flow[list[Json]]:
        """Send bodies in one request and return their answers."""
        index = self.spec.index
        if len(bodies) == 1:
            return [(yield calls.search(index, bodies[0]))]
        answers: list[Json] = yield calls.msearch(index, bodies)
        return [calls.read_search(index, answer) for answer in answers]
