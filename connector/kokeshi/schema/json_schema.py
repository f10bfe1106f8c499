"""The JSON Schema of `kokeshi.yaml`, for editors: completion, help and errors while one writes.

It is made from the models, so it says what they say. What needs two places of the file, such as a
prefix shorter than its dimension, and the form of names, only `kokeshi spec check` finds.
"""

from __future__ import annotations

import inspect
import re

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from kokeshi.schema.index import IndexSpec
from kokeshi.types import Json

DIALECT = GenerateJsonSchema.schema_dialect
"""The address of the dialect, draft 2020-12."""


def build_json_schema(model: type[BaseModel] = IndexSpec) -> Json:
    """Return the JSON Schema of what a user writes for a model, with every shorthand.

    Descriptions come from the docstrings of the classes: the text after `name: ` is that of the
    field `name`, what stands before the first is that of the class.
    """
    schema = model.model_json_schema(mode="validation")
    definitions = schema.get("$defs", {})
    for each in _models(model):
        _describe(definitions.get(each.__name__, schema), each)
    return {"$schema": DIALECT} | schema


def _models(model: type[BaseModel]) -> set[type[BaseModel]]:
    """Return the model and all that its fields lead to."""
    found = {model}
    for field in model.model_fields.values():
        for inner in _classes(field.annotation):
            found |= _models(inner)
    return found


def _classes(annotation: object) -> list[type[BaseModel]]:
    """Return the models that a type names: `dict[str, X]` and `X | None` lead to X."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [model for argument in inner for model in _classes(argument)]


def _describe(schema: Json, model: type[BaseModel]) -> None:
    summary, fields = split_docstring(inspect.getdoc(model) or "", list(model.model_fields))
    schema["description"] = summary
    for name, part in schema["properties"].items():
        # an editor shows the name already; a title made from it says nothing more
        part.pop("title", None)
        if name in fields:
            part["description"] = fields[name]


def split_docstring(text: str, names: list[str]) -> tuple[str, dict[str, str]]:
    """Return the text before the first `name: ` of a docstring, and the text after each.

    >>> split_docstring("A box. width: in mm. height: in mm; not 0.", ["width", "height"])
    ('A box.', {'width': 'In mm.', 'height': 'In mm; not 0.'})
    """
    mark = "|".join(map(re.escape, names))
    summary, *parts = re.split(rf"(?:^|(?<=\s))({mark}): ", " ".join(text.split()))
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    return summary.strip(), {name: _sentence(part) for name, part in found.items()}


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:]
