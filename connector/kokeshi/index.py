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
from kokeshi.mapping import build_index
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

    def create(self, *, recreate: bool = False) -> bool:
        """Create the index where it is missing; returns whether it did.

        recreate: delete one that exists. Raises SpecError where one exists that was made from
        another spec.
        """
        body = build_index(self.spec, self.engine.capabilities)
        if recreate:
            self.engine.delete_index(self.spec.index)
        elif self._exists(body):
            return False
        self.engine.create_index(self.spec.index, body)
        return True

    def _exists(self, body: Json) -> bool:
        """Whether the index exists; raises SpecError where it was made from another spec."""
        mappings = self.engine.get_mapping(self.spec.index)
        for mapping in (mappings or {}).values():
            _check_same(self.spec.index, body["mappings"], mapping)
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
        body = build_index(self.spec, self.engine.capabilities)
        if not recreate:
            self._exists(body)
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
        body = self.build_search(text, **options)
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
        names = list(self.engine.get_mapping(self.spec.index) or {})
        if len(names) > 1:
            raise CapabilityError(
                f"'{self.spec.index}' stands for several indices: {', '.join(names)}"
            )
        if not names:
            raise SpecError(
                f"index '{self.spec.index}' does not exist; create it with: kokeshi ingest"
            )
        return names[0]

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


def _find_field(properties: Json, name: str) -> Json:
    """Return a field of a mapping, where an engine keeps `a.b` as the property b of the object a."""
    field: Json = {"properties": properties}
    for part in name.split("."):
        field = field.get("properties", {}).get(part, {})
    return field


def _check_same(index: str, wanted: Json, found: Json) -> None:
    """Raise SpecError where an index was made from another spec."""
    remedy = "choose another index name, or replace it with --recreate"
    theirs = found.get("_meta", {}).get("kokeshi")
    if theirs is None:
        raise SpecError(f"index '{index}' exists and was not made by Kokeshi; {remedy}")
    if theirs != wanted["_meta"]["kokeshi"]:
        raise SpecError(
            f"index '{index}' was made with other vectors or another id field; {remedy}"
        )
    fields = found.get("properties", {})
    for name, field in wanted["properties"].items():
        kind = _find_field(fields, name).get("type", "missing")
        if kind != field["type"]:
            raise SpecError(
                f"index '{index}': field '{name}' is {kind}, not {field['type']}; {remedy}"
            )
