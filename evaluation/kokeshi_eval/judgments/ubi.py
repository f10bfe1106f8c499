"""User Behavior Insights (UBI 1.x): searches and events, from exports or an engine, to a log of clicks.

A search (`ubi_queries`) has query_id, user_query and the ids that came back, query_response_hit_ids. An
event (`ubi_events`) has query_id, action_name and in event_attributes the object (object_id) and the
position (ordinal, from 1). What was shown are the events named `impression`, or, of a search
without such events, the ids that came back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kokeshi.engines import Engine
from kokeshi.errors import InputError
from kokeshi.types import Json
from kokeshi_eval.files import open_text
from kokeshi_eval.judgments.click_log import ClickLog, Shown, count_clicks
from kokeshi_eval.judgments.paging import read_documents
from kokeshi_eval.tables import read_objects

QUERIES: Final = "ubi_queries"
EVENTS: Final = "ubi_events"
IMPRESSION: Final = "impression"
CLICKS: Final = ("click",)

_QUERY_FIELDS: Final = ("query_id", "user_query", "query_response_hit_ids")
_EVENT_FIELDS: Final = (
    "action_name",
    "query_id",
    "user_query",
    "event_attributes.object.object_id",
    "event_attributes.position.ordinal",
)
_BULK: Final = ({"index"}, {"create"})


@dataclass(frozen=True)
class UbiLog:
    """A log of clicks, and what of the data is not in it.

    searches: that showed something. unknown: searches whose text is not known. unplaced: clicks on what
    was not shown, and impressions without a position.
    """

    log: ClickLog
    searches: int
    unknown: int
    unplaced: int


@dataclass
class _Search:
    """One search. shown: document -> position."""

    text: str | None = None
    returned: Sequence[str] = ()
    shown: dict[str, int] = field(default_factory=dict)
    clicked: set[str] = field(default_factory=set)

    def positions(self) -> Mapping[str, int]:
        return self.shown or {id_: place for place, id_ in enumerate(self.returned, start=1)}


def read_ubi_files(*paths: str | Path, clicks: Sequence[str] = CLICKS) -> UbiLog:
    """Read exports: JSON lines of searches and events in any order, one file or several.

    Lines may be documents, hits of a search (`_source`) or a bulk body. clicks: names of actions that
    count as a click.
    """
    documents = (document for path in paths for document in _read_export(path))
    return collect_ubi(documents, clicks, ", ".join(map(str, paths)))


def read_ubi_engine(
    engine: Engine,
    queries: str = QUERIES,
    events: str = EVENTS,
    clicks: Sequence[str] = CLICKS,
) -> UbiLog:
    """Read the indices of an engine; raises EngineError where they cannot be."""
    wanted: Json = {"terms": {"action_name": [IMPRESSION, *clicks]}}
    found = (
        read_documents(engine, queries, _QUERY_FIELDS),
        read_documents(engine, events, _EVENT_FIELDS, wanted),
    )
    documents = (document for source in found for document in source)
    return collect_ubi(documents, clicks, f"{queries}, {events}")


def collect_ubi(documents: Iterable[Json], clicks: Sequence[str], name: str) -> UbiLog:
    """Return the log of documents: events are those with an action_name.

    Raises InputError where a position is below 1, or nothing was shown or clicked.
    """
    searches: dict[str, _Search] = {}
    unplaced = 0
    for document in documents:
        if (id_ := document.get("query_id")) is None:
            continue  # an event of no search, such as a login
        search = searches.setdefault(str(id_), _Search())
        search.text = _text(document.get("user_query")) or search.text
        if "action_name" not in document:
            search.returned = _ids(document.get("query_response_hit_ids"))
        elif document["action_name"] == IMPRESSION:
            unplaced += not _show(search, document, name)
        elif document["action_name"] in clicks and (clicked := _object_id(document)):
            search.clicked.add(clicked)
    known = [search for search in searches.values() if search.text]
    return UbiLog(
        count_clicks(_shown(known), name),
        searches=sum(bool(search.positions()) for search in known),
        unknown=len(searches) - len(known),
        unplaced=unplaced
        + sum(len(search.clicked - search.positions().keys()) for search in known),
    )


def _shown(searches: Iterable[_Search]) -> Iterator[Shown]:
    for search in searches:
        for doc_id, position in search.positions().items():
            yield Shown(search.text or "", doc_id, position, 1, int(doc_id in search.clicked))


def _show(search: _Search, event: Json, name: str) -> bool:
    """Note an impression; returns whether it names a document and a position."""
    id_, ordinal = _object_id(event), _find(event, "position", "ordinal")
    if id_ is None or isinstance(ordinal, bool) or not isinstance(ordinal, int):
        return False
    if ordinal < 1:
        raise InputError(
            f"{name}: an event of search '{event.get('query_id')}' has the position {ordinal}; "
            "positions count from 1, so add 1 to event_attributes.position.ordinal"
        )
    search.shown[id_] = min(ordinal, search.shown.get(id_, ordinal))
    return True


def _read_export(path: str | Path) -> Iterator[Json]:
    with open_text(path) as lines:
        for row in read_objects(lines, str(path)):
            document = row.cells.get("_source", row.cells)
            if set(document) not in _BULK:
                yield dict(document)


def _object_id(event: Json) -> str | None:
    found = _find(event, "object", "object_id")
    return None if found is None else str(found)


def _ids(value: Any) -> list[str]:  # noqa: ANN401
    """Return ids; an index may hold a single one without a list."""
    return [str(id_) for id_ in value] if isinstance(value, list) else [value] if value else []


def _find(event: Json, *keys: str) -> Any:  # noqa: ANN401
    found: Any = event.get("event_attributes")
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _text(value: Any) -> str | None:  # noqa: ANN401
    return value.strip() or None if isinstance(value, str) else None
