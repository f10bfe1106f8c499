"""The index spec: what `kokeshi.yaml` says about fields, vectors and the index that holds them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field, field_validator, model_validator

from kokeshi.schema.base import Model
from kokeshi.schema.cache import CacheSpec
from kokeshi.schema.codes import CODE_FIELDS, CodeField, CodesSpec, code_field
from kokeshi.schema.engine import EngineSpec
from kokeshi.schema.plan import SearchPlan
from kokeshi.schema.template import Template
from kokeshi.types import FieldType

FIELD_TYPES: tuple[str, ...] = get_args(FieldType)
Space = Literal["cosine", "dot", "l2"]
Quantization = Literal["none", "int8", "int4", "binary", "on_disk", "trained"]
Dimension = Annotated[int, Field(ge=1, le=16_000)]

_INDEX_NAME = re.compile(r"[a-z0-9][a-z0-9_.\-]{0,199}")
_FIELD_NAME = re.compile(r"[^\W\d][\w\-]*(\.[\w\-]+)*")
_SUBFIELD_NAME = re.compile(r"[^\W\d][\w\-]*")
_RESERVED = frozenset(
    [
        "_id",
        "_index",
        "_source",
        "_score",
        "_meta",
        "_routing",
        "_ignored",
        "_version",
        "_seq_no",
        "_field_names",
        "_nested_path",
        "_tier",
        "_doc_count",
        "_data_stream_timestamp",
        "_feature",
        "_inference_fields",
        "_index_mode",
    ]
)


class SubField(Model):
    """A second analysis of a text field, searched as `field.name`.

    analyzer: by name, built in or from `analysis`. search_analyzer: for the words of a query, where
    it differs. type: `text`, or `keyword` for the whole value.
    """

    analyzer: str | None = None
    search_analyzer: str | None = None
    type: Literal["text", "keyword"] = "text"

    @model_validator(mode="after")
    def _keyword_whole(self) -> SubField:
        if self.type == "keyword" and (self.analyzer or self.search_analyzer):
            raise ValueError(
                "a keyword is not analysed: leave the analyzer out, or take type: text"
            )
        return self


class TextField(Model):
    """A text field, searched by its words.

    analyzer: by name, built in or from `analysis`. search_analyzer: for the words of a query, where
    it differs. boost: the weight of the field in BM25. subfields: more analyses of the same text.
    """

    analyzer: str | None = None
    search_analyzer: str | None = None
    boost: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    subfields: dict[str, SubField] = Field(default={})


class EncoderSpec(Model):
    """An encoder by its name; every other key is an option that the encoder checks.

    name: its entry point, such as `wordllama` or `precomputed`.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The options of the encoder, without its name."""
        return dict(self.model_extra or {})


class VectorSpec(Model):
    """One embedding: the full vector without a graph, and HNSW graphs over its prefixes.

    encoder: entry-point name, or a mapping with `name` and options. source: template of the text
    that is embedded. dimension: of the full vector. prefixes: dimensions that get a graph. graph:
    whether the full vector gets one too (more memory; the plan `single` then walks it).
    space: how vectors are compared.
    quantization: how the graphs keep the vectors that they compare; the full vector, which
    decides the order in the end, is always float32. model: of quantization `trained`, the id of a
    model that OpenSearch's k-NN plugin trained (faiss: PQ, IVF). codes: short codes of the full
    vector, for the plan stages `scan` and `cells`. cache: whether vectors are kept on disk by their
    text, or in which file; if not given, those of encoders that are slower than the disk.
    """

    encoder: EncoderSpec
    source: str | None = None
    dimension: Dimension
    prefixes: tuple[Dimension, ...] = ()
    space: Space = "cosine"
    graph: bool = False
    quantization: Quantization = "int8"
    model: str | None = None
    codes: CodesSpec | None = None
    cache: CacheSpec | bool | None = None

    @field_validator("encoder", mode="before", json_schema_input_type=EncoderSpec | str)
    @classmethod
    def _name_alone(cls, value: Any) -> Any:  # noqa: ANN401
        return {"name": value} if isinstance(value, str) else value

    @field_validator("cache", mode="before", json_schema_input_type=CacheSpec | bool | str | None)
    @classmethod
    def _path_alone(cls, value: Any) -> Any:  # noqa: ANN401
        return {"path": value} if isinstance(value, str) else value

    @field_validator("source")
    @classmethod
    def _source_parses(cls, value: str | None) -> str | None:
        if value is not None:
            Template.parse(value)
        return value

    @model_validator(mode="after")
    def _prefixes_shorter(self) -> VectorSpec:
        if any(dims >= self.dimension for dims in self.prefixes):
            raise ValueError(f"every prefix must be shorter than the dimension {self.dimension}")
        if len(set(self.prefixes)) < len(self.prefixes):
            raise ValueError("prefixes must differ from each other")
        return self

    @model_validator(mode="after")
    def _model_of_the_whole(self) -> VectorSpec:
        if (self.quantization == "trained") != (self.model is not None):
            raise ValueError("quantization: trained and model go together: give both or neither")
        if self.model and (self.prefixes or not self.graph):
            raise ValueError(
                "a model is of the whole vector: give graph: true and no prefixes beside it"
            )
        return self

    @model_validator(mode="after")
    def _codes_fit(self) -> VectorSpec:
        if self.codes:
            self.codes.check_vector(self.dimension, self.space)
        return self

    @property
    def template(self) -> Template | None:
        """The parsed source template."""
        return None if self.source is None else Template.parse(self.source)


class IndexSpec(Model):
    """Everything that `kokeshi.yaml` says.

    index: the name of the index, in lower case. id: the field that names a document; the same id
    again replaces it. text: fields searched by their words; nothing after the colon takes every
    default. metadata: fields that filters use, and their types. vectors: embeddings of a document.
    shards: into how many parts the index is split. replicas: copies of each shard on other nodes.
    plans: searches of your own; their names replace the built-in ones. engine: where the engine is.
    analysis: custom analyzers, as the engine takes them. settings: other index settings, such as
    `max_ngram_diff` or `refresh_interval`, without the leading `index.`.
    """

    index: str
    id: str = "id"
    text: dict[str, TextField] = Field(default={})
    metadata: dict[str, FieldType] = Field(default={})
    vectors: dict[str, VectorSpec] = Field(default={})
    analysis: dict[str, Any] = Field(default={})
    settings: dict[str, Any] = Field(default={})
    shards: Annotated[int, Field(ge=1, le=1024)] = 1
    replicas: Annotated[int, Field(ge=0, le=100)] = 0
    plans: dict[str, SearchPlan] = Field(default={})
    engine: EngineSpec | None = None

    @field_validator("index")
    @classmethod
    def _index_name(cls, value: str) -> str:
        if not _INDEX_NAME.fullmatch(value):
            raise ValueError(
                "an index name has lower-case letters, digits, '-', '_' and '.', "
                "and begins with a letter or digit"
            )
        return value

    @field_validator(
        "text", mode="before", json_schema_input_type=dict[str, TextField | None] | list[str]
    )
    @classmethod
    def _bare_text(cls, value: Any) -> Any:  # noqa: ANN401
        """`title:` with nothing after it, and a plain list of names, take every default."""
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            if twice := sorted({name for name in value if value.count(name) > 1}):
                raise ValueError(f"the field '{twice[0]}' stands twice")
            return {name: {} for name in value}
        if isinstance(value, dict):
            return {name: {} if field is None else field for name, field in value.items()}
        return value

    @model_validator(mode="after")
    def _names_fit(self) -> IndexSpec:
        for name in (self.id, *self.text, *self.metadata, *self.vectors):
            if not _FIELD_NAME.fullmatch(name) or name in _RESERVED:
                raise ValueError(f"'{name}' cannot be a field name")
        others = {self.id, *self.text, *self.metadata}
        if twice := sorted(set(self.vectors) & others):
            raise ValueError(f"'{twice[0]}' is a vector and another field too; rename one")
        both = [n for n in self.text if self.metadata.get(n, "keyword") != "keyword"]
        if both:
            raise ValueError(f"'{both[0]}' is text, so as metadata it can only be a keyword")
        self._names_apart()
        if clash := sorted(set(self._prefix_fields()) & (others | set(self.vectors))):
            raise ValueError(f"the prefix field '{clash[0]}' is another field too; rename")
        if clash := sorted(set(self.code_fields()) & (others | set(self.vectors))):
            raise ValueError(f"the field of codes '{clash[0]}' is another field too; rename")
        return self

    def _names_apart(self) -> None:
        names = {self.id, *self.text, *self.metadata, *self.vectors}
        for name in sorted(names):
            parts = name.split(".")
            above = [a for n in range(1, len(parts)) if (a := ".".join(parts[:n])) in names]
            if above:
                raise ValueError(f"'{name}' lies within '{above[0]}', which is a field; rename one")
        subfields = (sub for field in self.text.values() for sub in field.subfields)
        if wrong := [sub for sub in subfields if not _SUBFIELD_NAME.fullmatch(sub)]:
            raise ValueError(f"'{wrong[0]}' cannot be the name of a subfield")

    def _prefix_fields(self) -> dict[str, tuple[str, int]]:
        return {
            f"{name}_{dims}": (name, dims)
            for name, vector in self.vectors.items()
            for dims in vector.prefixes
        }

    def vector_fields(self) -> dict[str, tuple[str, int]]:
        """The field in the engine of each vector and prefix: field -> (vector, dimension)."""
        full = {name: (name, vector.dimension) for name, vector in self.vectors.items()}
        return full | self._prefix_fields()

    def code_fields(self) -> dict[str, tuple[str, CodeField]]:
        """The fields in the engine that codes take: field -> (vector, what it holds)."""
        return {
            code_field(name, kind): (name, kind)
            for name, vector in self.vectors.items()
            if vector.codes
            for kind in (CODE_FIELDS if vector.codes.cells else CODE_FIELDS[:2])
        }

    def codebook_path(self, name: str) -> str:
        """Return the path of the codebook file of a vector that has codes."""
        codes = self.vectors[name].codes
        return (codes and codes.codebook) or f"{self.index}-{name}.codebook"

    @property
    def bm25_k1(self) -> float:
        """The parameter k1 of BM25: Lucene's, unless the settings give the default similarity another."""
        default = self.settings.get("similarity", {}).get("default", {})
        return float(default.get("k1", 1.2)) if default.get("type") == "BM25" else 1.2

    def search_field(self, name: str) -> str:
        """Where BM25 finds a text field: a field that is a keyword too keeps its words beside it."""
        return f"{name}.text" if name == self.id or name in self.metadata else name
