"""`Index`: one spec on one engine, with everything a user does to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypedDict

import numpy.typing as npt
from typing_extensions import Unpack

from kokeshi.connect import connect
from kokeshi.encoders import Encoder, check_query, embed_query, load_encoder
from kokeshi.engines import Connection, Engine
from kokeshi.errors import CapabilityError, SpecError
from kokeshi.filters import Filter, build_query
from kokeshi.ingest import IngestProgress, IngestReport, Source, ingest_records
from kokeshi.ingest.failures import FailureLog, failures_path
from kokeshi.ingest.pipeline import BATCH_BYTES
from kokeshi.mapping import META, build_index, check_same, check_same_vectors
from kokeshi.plans import Query, build_search, find_plan
from kokeshi.plans.build import all_filters
from kokeshi.plans.stages import find_vector, vector_names
from kokeshi.results import SearchResult, parse_search
from kokeshi.schema import IndexSpec, SearchPlan, load_spec
from kokeshi.types import Float32, Json


class SearchOptions(TypedDict, total=False):
    """What a search takes besides its text.

    vector: (D,) of the full dimension, in place of the text's. filter: an expression or its text.
    plan: a name, a YAML file or a plan; None takes the default. size: how many hits, 10 if not given.
    offset: how many to pass over. fields: of the documents to return; None is all but the vectors.
    """

    vector: npt.ArrayLike | None
    filter: Filter | str | None
    plan: str | SearchPlan | None
    size: int
    offset: int
    fields: tuple[str, ...] | None


class Index:
    """A catalogue in an engine.

    >>> with Index.open("kokeshi.yaml") as index:  # doctest: +SKIP
    ...     index.ingest("products.jsonl.gz")
    ...     index.search("black waterproof jacket", filter=F.price < 50).ids
    """

    def __init__(self, spec: IndexSpec, engine: Engine) -> None:
        self.spec = spec
        self.engine = engine
        self._vectors_checked = False

    @classmethod
    def open(
        cls,
        spec: IndexSpec | str | Path = "kokeshi.yaml",
        connection: Connection | str | None = None,
    ) -> Index:
        """Open an index by its spec, on the engine at `connection` (else KOKESHI_URL, else embedded)."""
        return cls(spec if isinstance(spec, IndexSpec) else load_spec(spec), connect(connection))

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the engine's connections."""
        self.engine.close()

    @cached_property
    def encoders(self) -> dict[str, Encoder]:
        """The encoder of each vector, loaded at first use."""
        return {name: load_encoder(vector) for name, vector in self.spec.vectors.items()}

    def build_body(self) -> Json:
        """Return the body that `create` would PUT."""
        names = {name: encoder.name for name, encoder in self.encoders.items()}
        return build_index(self.spec, self.engine.capabilities, names)

    def exists(self) -> bool:
        """Whether there is an index of that name."""
        return self.engine.get_mapping(self.spec.index) is not None

    def create(self, *, recreate: bool = False) -> bool:
        """Create the index where it is missing; returns whether it did.

        recreate: replace one that Kokeshi made; the new body is tried out under another name
        first, so that one which the engine refuses leaves the old index as it was. Raises SpecError
        where an index exists that was made from another spec, or not by Kokeshi.
        """
        body = self.build_body()
        name = self.spec.index
        if not self._found(body, other_spec=recreate):
            self.engine.create_index(name, body)
        elif recreate:
            trial = f"{name}-kokeshi-trial"
            self.engine.delete_index(trial)  # of a run that was killed here
            self.engine.create_index(trial, body)
            self.engine.delete_index(trial)
            self.engine.delete_index(name)
            self.engine.create_index(name, body)
        else:
            return False
        return True

    def _found(self, body: Json, *, other_spec: bool) -> bool:
        """Whether the index exists; raises SpecError where it is not one that may be written."""
        mappings = self.engine.get_mapping(self.spec.index)
        for mapping in (mappings or {}).values():
            if META not in mapping.get("_meta", {}):
                raise SpecError(
                    f"index '{self.spec.index}' exists and was not made by Kokeshi; "
                    "choose another index name"
                )
            if not other_spec:
                check_same(self.spec.index, body["mappings"], mapping)
        return mappings is not None

    def ingest(
        self,
        source: Source | str | Path,
        *,
        recreate: bool = False,
        batch_bytes: int = BATCH_BYTES,
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
    ) -> IngestReport:
        """Index every document of a file and make it searchable; see `kokeshi.ingest`.

        Documents that fail are kept, with their reason, in `<name>.failures.jsonl`.
        """
        if not isinstance(source, Source):
            source = Source(source)
        # before the first document is read and the index touched: a mistake must change nothing
        encoders = self.encoders
        self._found(self.build_body(), other_spec=recreate)
        with FailureLog(failures_path(source.path)) as failures:
            report = ingest_records(
                self.engine,
                self.spec,
                encoders,
                source,
                failures,
                prepare=lambda: self.create(recreate=recreate),
                batch_bytes=batch_bytes,
                on_progress=on_progress,
            )
        if report.indexed:
            self.engine.refresh(self.spec.index)
        return report

    def count(self, filter: Filter | str | None = None) -> int:  # noqa: A002
        """Count the documents that pass a filter."""
        checked = all_filters(self.spec, filter)
        return self.engine.count(self.spec.index, None if checked is None else build_query(checked))

    def search(self, text: str | None = None, **options: Unpack[SearchOptions]) -> SearchResult:
        """Search by text, or by a vector in place of the text's; see `SearchOptions`.

        Raises SpecError, FilterError or EncoderError where query, plan and spec do not fit, and
        EngineError where the engine refuses.
        """
        plan = options["plan"] = find_plan(self.spec, options.get("plan"))
        body = self.build_search(text, **options)
        if vector_names(self.spec, plan):  # words alone need no encoder, which the check loads
            self.check_vectors()
        return parse_search(self.engine.search(self.spec.index, body))

    def build_search(self, text: str | None = None, **options: Unpack[SearchOptions]) -> Json:
        """Return the body that `search` would send: what `--explain` prints."""
        plan = find_plan(self.spec, options.get("plan"))
        query = Query(
            text=text,
            vectors=self._query_vectors(plan, text, options.get("vector")),
            filter=all_filters(self.spec, options.get("filter")),
            size=options.get("size", 10),
            offset=options.get("offset", 0),
            fields=options.get("fields"),
        )
        return build_search(self.spec, plan, query, self.engine.capabilities)

    def concrete_name(self) -> str:
        """Return the name of the index itself where the spec names an alias.

        Raises CapabilityError where the alias stands for several indices.
        """
        names = list(self._mappings)
        if len(names) > 1:
            raise CapabilityError(
                f"'{self.spec.index}' stands for several indices: {', '.join(names)}"
            )
        return names[0]

    def check_vectors(self) -> None:
        """Raise SpecError where Kokeshi filled the index with vectors of another encoder or shape.

        Looks once; an index that Kokeshi did not make says nothing of its vectors, and passes.
        """
        if not self._vectors_checked:
            wanted = self.build_body()["mappings"]
            for mapping in self._mappings.values():
                if META in mapping.get("_meta", {}):
                    check_same_vectors(self.spec.index, wanted, mapping)
        self._vectors_checked = True

    @property
    def _mappings(self) -> dict[str, Json]:
        found = self.engine.get_mapping(self.spec.index)
        if not found:
            raise SpecError(
                f"index '{self.spec.index}' does not exist; create it with: kokeshi ingest FILE"
            )
        return found

    def _query_vectors(
        self, plan: SearchPlan, text: str | None, vector: npt.ArrayLike | None
    ) -> dict[str, Float32]:
        vectors = {}
        for name in vector_names(self.spec, plan):
            _, spec = find_vector(self.spec, name)
            if vector is not None:
                vectors[name] = check_query(vector, spec)
            elif text:
                vectors[name] = embed_query(self.encoders[name], spec, text)
        return vectors
