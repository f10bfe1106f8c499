"""What a server has and shows, asked once before rankings are: modules, shards, a time limit."""

from __future__ import annotations

from typing import Any

from kokeshi.engines import calls
from kokeshi.engines.calls import Answer, Call
from kokeshi.types import Json

_NO_LIMIT = "-1"
_ACCEPTED = frozenset({400, 404, 405, 410})


def find_rank_eval(index: str) -> Call[bool]:
    """Ask whether the engine has `_rank_eval`."""
    return _find_module("find_rank_eval", calls.rank_eval(index, {}))


def find_templates(index: str) -> Call[bool]:
    """Ask whether the engine fills mustache templates."""
    return _find_module("find_templates", calls.search_template(index, {}))


def count_shards(index: str) -> Call[int]:
    """Ask on how many shards a search runs."""
    body = {"size": 0, "track_total_hits": False}
    path = calls.search(index, body).path
    return Call(
        "count_shards", "POST", path, lambda a: int(a.body["_shards"]["total"]), index, body
    )


def find_time_limit() -> Call[bool]:
    """Ask whether the server may end searches by a limit of its own; one that does not say may."""
    name = "default_search_timeout"
    params = {"include_defaults": "true", "filter_path": f"**.{name}"}
    accept = _ACCEPTED | {403}
    return Call(
        "find_time_limit", "GET", "/_cluster/settings", _limits, params=params, accept=accept
    )


def _find_module(operation: str, call: Call[Any]) -> Call[bool]:
    """Send a body that must be refused: a module refuses it with a typed error.

    A server without the module says in plain text that no handler is found (400), a proxy that there
    is no such path or method (404, 405), a service that it is not offered (410).
    """
    return Call(operation, "POST", call.path, _is_there, call.index, {}, accept=_ACCEPTED)


def _is_there(answer: Answer) -> bool:
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    return answer.status != 410 and isinstance(error, dict)


def _limits(answer: Answer) -> bool:
    """Of persistent, transient and default settings, those that are given; the transient ones win."""
    settings: Json = answer.body if answer.status == 200 and isinstance(answer.body, dict) else {}
    given = (
        settings.get(kind, {}).get("search", {}) for kind in ("transient", "persistent", "defaults")
    )
    found = [one["default_search_timeout"] for one in given if "default_search_timeout" in one]
    return not found or found[0] != _NO_LIMIT
