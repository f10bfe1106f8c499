"""An answer in which shards are missing: what can be completed later, and what is an error."""

from __future__ import annotations

import orjson
import pytest

from kokeshi.engines import Connection, calls
from kokeshi.engines.http import HttpEngine
from kokeshi.engines.shards import can_be_completed
from kokeshi.errors import EngineError
from tests.servers import OPENSEARCH, serving, url_of


def failure(kind: str) -> dict:
    cause = {"type": kind, "reason": "n1 disconnected"}
    return {"shard": 0, "reason": {"type": "fetch_phase", "reason": "", "caused_by": cause}}


def answer(*kinds: str, successful: int = 3) -> dict:
    failures = {"failures": [failure(kind) for kind in kinds]} if kinds else {}
    counts = {"total": 3, "successful": successful, "skipped": 0, "failed": len(kinds)}
    return {"took": 1, "count": 7, "_shards": counts | failures, "hits": {"hits": []}}


WHOLE = answer()
AWAY = answer("node_disconnected_exception", successful=2)
NO_COPY = answer(successful=1)
NO_COPY_LISTED = answer("no_shard_available_action_exception", successful=1)
BROKEN = answer("script_exception", successful=2)
BOTH = answer("node_disconnected_exception", "script_exception", successful=1)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (WHOLE, False),
        (AWAY, True),
        (NO_COPY, True),
        (NO_COPY_LISTED, True),
        (BROKEN, False),
        (BOTH, False),
        ({"responses": [WHOLE, AWAY]}, True),
        ({"responses": [WHOLE, BROKEN]}, False),
        ({"responses": [WHOLE, {"error": {"type": "rejected"}, "status": 429}]}, True),
        ({"responses": [WHOLE, {"error": {"type": "parsing"}, "status": 400}]}, False),
        (
            WHOLE | {"hits": {"hits": [{"_source": {"status": 503, "_shards": {"total": 9}}}]}},
            False,
        ),
        (WHOLE | {"hits": {"hits": [{"_source": AWAY}]}}, False),
    ],
)
def test_what_can_be_completed(found, expected):
    assert can_be_completed(orjson.dumps(found)) is expected


CALLS = {
    "search": calls.search("shoes", {}),
    "template": calls.search_template("shoes", {}),
    "count": calls.count("shoes"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("gap", [AWAY, NO_COPY])
def test_it_is_asked_again_until_the_answer_is_whole(call, gap):
    answers = [OPENSEARCH, gap, gap, WHOLE]
    with (
        serving(lambda *_: (200, orjson.dumps(answers.pop(0)))) as server,
        HttpEngine(Connection(url_of(server))) as engine,
    ):
        assert engine.perform(call) in (WHOLE, 7)
    assert answers == []


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (AWAY, "'shoes': node_disconnected_exception: n1 disconnected"),
        (BROKEN, "'shoes': script_exception: n1 disconnected"),
        (NO_COPY, "'shoes': 2 of 3 shards have no copy that answers, so hits are missing; wait"),
        (NO_COPY_LISTED, "'shoes': 2 of 3 shards have no copy that answers, so hits are missing"),
    ],
)
def test_a_part_is_never_taken_for_the_whole(call, gap, words):
    with (
        serving(lambda *_: (200, orjson.dumps(OPENSEARCH | gap))) as server,
        HttpEngine(Connection(url_of(server), retries=1)) as engine,
        pytest.raises(EngineError, match=words),
    ):
        engine.perform(call)
