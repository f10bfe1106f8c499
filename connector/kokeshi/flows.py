"""What `Index` and `AsyncIndex` do, written once: flows that yield calls and are sent their results."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy.typing as npt

from kokeshi.codebooks import check_codebook, find_codebook, save_codebook
from kokeshi.codes.codebook import Codebook, load_codebook
from kokeshi.encoders import Encoder, check_query, close_encoders, embed_query, load_encoder
from kokeshi.engines import Capabilities, Flow, calls
from kokeshi.errors import CapabilityError, CodebookError, EngineError, SpecError
from kokeshi.filters import Filter
from kokeshi.knowledge import Knowledge
from kokeshi.mapping import META, build_index, check_same, find_digest
from kokeshi.plans import (
    Known,
    Query,
    SearchRequest,
    all_filters,
    build_count,
    build_filter,
    build_search,
    find_plan,
)
from kokeshi.plans.stages import coded_names, find_vector, vector_names
from kokeshi.results import SearchResult, fuse_ranks, parse_search
from kokeshi.schema import IndexSpec, SearchPlan
from kokeshi.served import Served, find_served, is_outdated
from kokeshi.types import Float32, Json


class IndexFlows:
    """One spec, and what is remembered of its index."""

    def __init__(self, spec: IndexSpec) -> None:
        self.spec = spec
        self._knowledge = Knowledge()
        self._served: Served | None = None
        self._encoders: dict[str, Encoder] | None = None
        self._loading = threading.Lock()
        self._plans: dict[str | None, SearchPlan] = {}
        self._codebooks: dict[str, Codebook] = {}
        self._codes_checked: set[str] = set()

    @property
    def encoders(self) -> dict[str, Encoder]:
        """The encoder of each vector, loaded at first use."""
        with self._loading:
            if self._encoders is None:
                vectors = self.spec.vectors.items()
                self._encoders = {name: load_encoder(vector) for name, vector in vectors}
            return self._encoders

    def close(self) -> None:
        """Close the connections of the encoders that were loaded."""
        if self._encoders is not None:
            close_encoders(self._encoders.values())

    def find_plan(self, name: str | SearchPlan | None) -> SearchPlan:
        """Return a plan as `kokeshi.plans.find_plan` does; those of the spec are made once."""
        if isinstance(name, SearchPlan) or (name and Path(name).suffix):  # a file can change
            return find_plan(self.spec, name)
        if name not in self._plans:
            self._plans[name] = find_plan(self.spec, name)
        return self._plans[name]

    def build_body(self, capabilities: Capabilities) -> Flow[Json]:
        """Return the body that `create` would PUT."""
        codebooks = yield from self.find_codebooks()
        digests = {name: codebook.digest for name, codebook in codebooks.items()}
        return build_index(self.spec, capabilities, self._encoder_names(), digests)

    def find_codebooks(self) -> Flow[dict[str, Codebook]]:
        """Return the codebook of each vector that has codes; see `find_codebook`."""
        coded = [name for name, vector in self.spec.vectors.items() if vector.codes]
        return (yield from self._find_codebooks(coded))

    def _find_codebooks(self, names: Sequence[str]) -> Flow[dict[str, Codebook]]:
        for name in names:
            if name not in self._codebooks:
                self._codebooks[name] = yield from self._find_codebook(name)
        return {name: self._codebooks[name] for name in names}

    def _find_codebook(self, name: str) -> Flow[Codebook]:
        """Return a vector's codebook: of its file, or without one, that which made the index's codes.

        Raises CodebookError where there is neither, or it is not what the spec says.
        """
        path = Path(self.spec.codebook_path(name))
        if path.exists():
            codebook = load_codebook(path)
        else:
            index = self._target
            mappings: dict[str, Json] | None = yield calls.get_mapping(index)
            if not mappings:
                raise CodebookError(
                    f"{path}: there is no such codebook, which the codes of '{name}' need; "
                    "train one with: kokeshi codes train FILE"
                )
            codebook = yield from find_codebook(find_digest(index, name, mappings))
        check_codebook(name, self.spec.vectors[name], self.encoders[name].name, codebook)
        return codebook

    def _encoder_names(self) -> dict[str, str]:
        return {name: encoder.name for name, encoder in self.encoders.items()}

    def embed(
        self, plan: SearchPlan, text: str | None, vector: npt.ArrayLike | None
    ) -> dict[str, Float32]:
        """Return the vectors (D,) that the plan compares, from a query's text or its own vector.

        Loads the encoders for both, as the index is checked by their names.
        """
        vectors = {}
        for name in vector_names(self.spec, plan):
            _, spec = find_vector(self.spec, name)
            encoder = self.encoders[name]
            if vector is not None:
                vectors[name] = check_query(vector, spec)
            elif text:
                vectors[name] = embed_query(encoder, spec, text)
        return vectors

    def exists(self) -> Flow[bool]:
        """Return whether there is an index of that name."""
        mappings: dict[str, Json] | None = yield calls.get_mapping(self.spec.index)
        return mappings is not None

    def create(self, capabilities: Capabilities, *, recreate: bool) -> Flow[bool]:
        """Create the index where it is missing; returns whether it did."""
        body = yield from self.build_body(capabilities)
        name = self.spec.index
        found = yield from self.find(body, other_spec=recreate)
        for vector, codebook in (yield from self.find_codebooks()).items():
            yield from save_codebook(codebook, name, vector)
        if not found:
            try:
                yield calls.create_index(name, body)
            except EngineError as error:
                if "already_exists" not in str(error):
                    raise
                yield from self.find(body, other_spec=False)  # another process was faster
                return False
        elif recreate:
            trial = f"{name}-kokeshi-trial"
            yield calls.delete_index(trial)  # of a run that was killed here
            yield calls.create_index(trial, body)
            yield calls.delete_index(trial)
            yield calls.delete_index(name)
            yield calls.create_index(name, body)
        else:
            return False
        self.forget()
        return True

    def find(self, body: Json, *, other_spec: bool) -> Flow[bool]:
        """Return whether the index exists; raises SpecError where it is not one that may be written."""
        mappings: dict[str, Json] | None = yield calls.get_mapping(self.spec.index)
        if other_spec and mappings and self.spec.index not in mappings:
            raise SpecError(
                f"'{self.spec.index}' is an alias of {', '.join(sorted(mappings))}, which is not replaced "
                "in place; build a new version with: kokeshi reindex FILE"
            )
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

    def check_vectors(self, capabilities: Capabilities) -> Flow[Served]:
        """Return which index holds vectors as the spec has them: what its name stands for, or a version.

        Looks once. Raises SpecError where Kokeshi filled it with those of another encoder or shape.
        """
        found = self._served
        if found is None:
            wanted = build_index(self.spec, capabilities, self._encoder_names())["mappings"]
            mappings = yield from self.mappings()
            self._served = found = yield from find_served(self.spec.index, wanted, mappings)
        return found

    def count(self, capabilities: Capabilities, filter_: Filter | None) -> Flow[int]:
        """Count the documents that pass a filter."""
        query = None if filter_ is None else build_filter(filter_, capabilities.dialect)
        found: int = yield calls.count(self.spec.index, query)
        return found

    def search(
        self, capabilities: Capabilities, plan: SearchPlan, query: Query
    ) -> Flow[SearchResult]:
        """Search by what `build_request` returns."""
        request, known, answers = yield from self._answer(capabilities, plan, query)
        if known and is_outdated(known, answers, coded=bool(coded_names(self.spec, plan))):
            self.forget()
            request, _, answers = yield from self._answer(capabilities, plan, query)
        results = [parse_search(answer) for answer in answers]
        if request.rrf:
            return fuse_ranks(results, request.rrf, query.size, query.offset)
        return results[0]

    def _answer(
        self, capabilities: Capabilities, plan: SearchPlan, query: Query
    ) -> Flow[tuple[SearchRequest, Known | None, list[Json]]]:
        """Return what was sent and answered; asks again where the index was swapped meanwhile."""
        served = None
        if vector_names(self.spec, plan):  # words alone need no encoder, which the check loads
            served = yield from self.check_vectors(capabilities)
        try:
            request, known = yield from self._fit(capabilities, plan, query)
            answers = yield from self._send(request.bodies, served)
            if served is None or served.answered(answers):
                return request, known, answers
        except EngineError as error:
            if served is None or not (yield from served.has_changed(error)):
                raise
        self.forget()
        served = yield from self.check_vectors(capabilities)
        request, known = yield from self._fit(capabilities, plan, query)
        return request, known, (yield from self._send(request.bodies, served))

    def build_request(
        self, capabilities: Capabilities, plan: SearchPlan, query: Query
    ) -> Flow[SearchRequest]:
        """Return what `search` sends; counts what the filter leaves where that is not known."""
        request, _ = yield from self._fit(capabilities, plan, query)
        return request

    def forget(self) -> None:
        """Ask anew what there is: documents were added, or the name stands for another index."""
        self._knowledge.forget()
        self._served = None
        self._codebooks.clear()
        self._codes_checked.clear()

    def _fit(
        self, capabilities: Capabilities, plan: SearchPlan, query: Query
    ) -> Flow[tuple[SearchRequest, Known | None]]:
        """Return the request that fits what the filter leaves, and what is known of that.

        The count goes before the search, not beside it: the same query must always get the same
        request, whatever was asked before. (Both in one request take no less time.)
        """
        known = None
        query = yield from self._with_codebooks(plan, query)
        if plan.is_adaptive:
            filter_ = all_filters(self.spec, plan.filter, query.filter)
            known = self._knowledge.find(filter_)
            if known is None:
                yield from self._count(capabilities, filter_)
                known = self._knowledge.find(filter_)
        return build_search(self.spec, plan, query, capabilities, known), known

    def _with_codebooks(self, plan: SearchPlan, query: Query) -> Flow[Query]:
        """Return the query with the codebooks that the plan needs.

        Raises CodebookError where the index has no codes, or those of another codebook.
        """
        names = [name for name in coded_names(self.spec, plan) if self.spec.vectors[name].codes]
        if not names:
            return query
        codebooks = yield from self._find_codebooks(names)
        if self._codes_checked.issuperset(names):
            return replace(query, codebooks=codebooks)
        index = self._target
        mappings: dict[str, Json] = (yield calls.get_mapping(index)) or {}
        for name in names:
            theirs, ours = find_digest(index, name, mappings), codebooks[name].digest
            if theirs != ours:
                raise CodebookError(
                    f"the codes of '{name}' in the index '{index}' were made by the codebook "
                    f"{theirs[:12]}, here is {ours[:12]} ({self.spec.codebook_path(name)}); bring back "
                    "the file, delete it to take that of the engine, or ingest with --recreate"
                )
        self._codes_checked.update(names)
        return replace(query, codebooks=codebooks)

    def _count(self, capabilities: Capabilities, filter_: Filter | None) -> Flow[None]:
        """Learn how many documents there are, how many pass the filter, and on how many shards."""
        counted = tuple(dict.fromkeys((None, filter_)))
        bodies = [build_count(one, capabilities.dialect) for one in counted]
        answers = yield from self._send(bodies)
        shards = answers[0]["_shards"]["total"]
        indices = len((yield from self.mappings())) if shards > 1 else 1
        for one, answer in zip(counted, answers, strict=True):
            self._knowledge.learn(one, answer["hits"]["total"]["value"], shards, indices)

    def _send(self, bodies: Sequence[Json], served: Served | None = None) -> Flow[list[Json]]:
        """Send bodies in one request and return their answers."""
        index = served.name if served else self._target
        if len(bodies) == 1:
            return [(yield calls.search(index, bodies[0]))]
        answers: list[Json] = yield calls.msearch(index, bodies)
        return [calls.read_search(index, answer) for answer in answers]

    @property
    def _target(self) -> str:
        """What searches are sent to, as far as is known."""
        return self._served.name if self._served else self.spec.index
