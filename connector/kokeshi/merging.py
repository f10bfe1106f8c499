"""A partial update of a document."""

from __future__ import annotations

from typing import Any

from kokeshi.types import Json


def merge(fields: Json, update: Json) -> Json:
    """Return fields with those of an update, objects merged into objects, as the engines do.

    >>> merge({"a": {"b": 1}, "c": [1]}, {"a": {"d": 2}, "c": None})
    {'a': {'b': 1, 'd': 2}, 'c': None}
    """
    return fields | {name: _merge(fields.get(name), value) for name, value in update.items()}


def _merge(old: Any, new: Any) -> Any:  # noqa: ANN401
    return merge(old, new) if isinstance(old, dict) and isinstance(new, dict) else new
