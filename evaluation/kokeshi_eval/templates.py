"""Mustache templates: a whole search body that the server fills with what a query says.

Every template gets the parameters

query_text  the text
size        how many hits are wanted
filter      the clause of the query's filter, `{"match_all": {}}` where it has none

and each attribute of the query under its own name. Text goes between quotation marks, and is escaped
by the server; a clause is written by the server as JSON:

    {"size": {{size}}, "query": {"bool": {
        "must": {"match": {"title": "{{query_text}}"}},
        "filter": [{{#toJson}}filter{{/toJson}}]}}}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kokeshi.engines.base import Dialect
from kokeshi.errors import InputError, KokeshiError
from kokeshi.plans import all_filters, build_filter
from kokeshi.schema import IndexSpec
from kokeshi.types import Json
from kokeshi_eval.queries import EvalQuery

SUFFIX: Final = ".mustache"

_RESERVED: Final = ("query_text", "size", "filter")
_SIZE: Final = re.compile(r"\{\{\{?\s*size\s*\}")
_TAG: Final = re.compile(r"\{\{\{.*?\}\}\}|\{\{.*?\}\}", re.DOTALL)
_TOKEN: Final = re.compile(r'[{}\[\]]|"((?:[^"\\]|\\.)*)"(?=(\s*:)?)', re.DOTALL)


@dataclass(frozen=True)
class Template:
    """A search body with holes. name: of its file, for messages. Raises InputError, see `source`.

    source: has `{{size}}`, or the server would return ten hits whatever is asked for, and no `from`
    of its own; a range query may have one.
    """

    name: str
    source: str

    def __post_init__(self) -> None:
        if not _SIZE.search(self.source):
            raise InputError(
                f"template '{self.name}': it does not ask for {{{{size}}}} hits; add \"size\": {{{{size}}}}"
            )
        if "from" in _own_keys(self.source):
            raise InputError(f"template '{self.name}': 'from' leaves out the first hits; delete it")


@dataclass(frozen=True)
class TemplateRequest:
    """One query by a template. params: what fills it."""

    template: Template
    params: Json

    @property
    def shown(self) -> list[Json]:
        """What `_search/template` takes."""
        return [{"source": self.template.source, "params": self.params}]

    def sized(self, size: int) -> Json:
        """Return the same for so many hits."""
        return {"source": self.template.source, "params": self.params | {"size": size}}


def load_template(path: str | Path) -> Template:
    """Read a `.mustache` file. Raises InputError where it cannot be read or used."""
    path = Path(path)
    try:
        return Template(path.name, path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"template '{path}': {reason}; check the path") from None


def build_params(spec: IndexSpec, query: EvalQuery, size: int, dialect: Dialect) -> Json:
    """Return what fills a template for one query.

    Raises InputError, naming the query, where an attribute has a parameter's name or the filter does
    not fit the spec.
    """
    for name in _RESERVED:
        if name in query.attributes:
            raise InputError(
                f"query '{query.id}': its attribute '{name}' has the name of a parameter that every "
                "template gets; rename the column"
            )
    try:
        checked = all_filters(spec, query.filter)
    except KokeshiError as error:
        raise InputError(f"query '{query.id}': {error}") from error
    clause: Json = build_filter(checked, dialect) if checked is not None else {"match_all": {}}
    return {**query.attributes, "query_text": query.text, "size": size, "filter": clause}


def _own_keys(source: str) -> set[str]:
    """Return the keys of a body itself, not of what is in it, however its holes are filled."""
    keys, depth = set(), 0
    for token in _TOKEN.finditer(_TAG.sub("", source)):
        if token[0] in "{[":
            depth += 1
        elif token[0] in "}]":
            depth -= 1
        elif depth == 1 and token[2]:
            keys.add(token[1])
    return keys
