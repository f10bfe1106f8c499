"""Read a spec or a plan from YAML; every error names the path in the file, the value, the remedy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from kokeshi.errors import SpecError
from kokeshi.schema.base import Model
from kokeshi.schema.index import IndexSpec
from kokeshi.schema.plan import SearchPlan

M = TypeVar("M", bound=Model)


def load_spec(path: str | Path) -> IndexSpec:
    """Read `kokeshi.yaml`; raises SpecError where it is missing, malformed or not valid."""
    text = _read(path, "write one with: kokeshi init FILE")
    return parse_spec(text, origin=str(path))


def parse_spec(text: str, *, origin: str = "kokeshi.yaml") -> IndexSpec:
    """Parse the YAML text of a spec; `origin` is the name that errors give it."""
    return _validate(IndexSpec, _parse_mapping(text, origin), origin)


def load_plan(path: str | Path) -> SearchPlan:
    """Read one plan from a YAML or JSON file."""
    text = _read(path, "give the name of a plan or of a YAML file that holds one")
    return _validate(SearchPlan, _parse_mapping(text, str(path)), str(path))


def _read(path: str | Path, remedy: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file; {remedy}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read: {error}") from None


_MERGE_TAG = "tag:yaml.org,2002:merge"
"""Of the key `<<`, which takes over the keys of another mapping."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader for which a repeated key is an error, not a silent loss of the first."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == _MERGE_TAG:
            continue
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, str) and key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"the key '{key}' stands twice", problem_mark=key_node.start_mark
            )
        seen.add(key if isinstance(key, str) else id(key_node))
    return loader.construct_mapping(node, deep=True)


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def _parse_mapping(text: str, origin: str) -> dict[str, Any]:
    try:
        data = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        where = error.problem_mark
        place = f"line {where.line + 1}, column {where.column + 1}: " if where else ""
        raise SpecError(f"{origin}: {place}not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{origin}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        found = "nothing" if data is None else type(data).__name__
        raise SpecError(f"{origin}: a mapping of keys to values is expected, found {found}")
    return data


def _validate(model: type[M], data: dict[str, Any], origin: str) -> M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SpecError(f"{origin}: {describe(error, data)}") from None


def describe(error: ValidationError, data: dict[str, Any]) -> str:
    """One line for a pydantic error: path, value, what is accepted, and how many more there are."""
    problems = error.errors(include_url=False)
    first = problems[0]
    path = _path(first["loc"], data)
    if first["type"] == "extra_forbidden":
        message = "this key is not known here; check its spelling and indentation"
    elif first["type"] == "missing":
        message = "this key is required"
    else:
        value = first["input"]
        shown = f"{value!r} is not accepted: " if _is_short(value) else ""
        # a union reports each of its branches as a problem of its own
        same = [p for p in problems if p["input"] is value and _path(p["loc"], data) == path]
        message = shown + " or ".join(_accepted(problem["msg"]) for problem in same)
        problems = [first, *(p for p in problems if p not in same)]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{path or 'the file'}: {message}{more}"


def _accepted(message: str) -> str:
    """Return pydantic's message in the words of YAML."""
    text = message.removeprefix("Value error, ").removeprefix("Input should be ")
    text = re.sub(r" or instance of \w+|, unable to parse string as an? \w+", "", text)
    return text.replace("a valid tuple", "a list").replace("a valid dictionary", "a mapping")


def _path(location: tuple[int | str, ...], data: Any) -> str:  # noqa: ANN401
    """Return `a.b.0`: pydantic's location without the names of its own union branches."""
    parts = []
    for position, part in enumerate(location):
        if (isinstance(data, dict) and part in data) or isinstance(data, list):
            data = data[part]  # type: ignore[index]
        elif position < len(location) - 1 or not isinstance(data, dict):
            continue
        parts.append(str(part))
    return ".".join(parts)


def _is_short(value: Any) -> bool:  # noqa: ANN401
    return not isinstance(value, dict | Model) and len(repr(value)) <= 80
