"""What a user writes: the index spec (`kokeshi.yaml`) and the search plans, as checked, frozen models."""

from kokeshi.schema.cache import CacheSpec
from kokeshi.schema.codes import CodesSpec
from kokeshi.schema.engine import EngineSpec
from kokeshi.schema.index import (
    FIELD_TYPES,
    EncoderSpec,
    IndexSpec,
    Quantization,
    Space,
    SubField,
    TextField,
    VectorSpec,
)
from kokeshi.schema.load import load_plan, load_spec, parse_spec
from kokeshi.schema.plan import Fuse, Match, Rescore, Rrf, SearchPlan, Shortlist
from kokeshi.schema.template import Template
from kokeshi.types import FieldType

__all__ = [
    "FIELD_TYPES",
    "CacheSpec",
    "CodesSpec",
    "EncoderSpec",
    "EngineSpec",
    "FieldType",
    "Fuse",
    "IndexSpec",
    "Match",
    "Quantization",
    "Rescore",
    "Rrf",
    "SearchPlan",
    "Shortlist",
    "Space",
    "SubField",
    "Template",
    "TextField",
    "VectorSpec",
    "load_plan",
    "load_spec",
    "parse_spec",
]
