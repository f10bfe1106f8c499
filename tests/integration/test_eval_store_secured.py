"""The least privileges for evaluations in an Elasticsearch with security on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kokeshi.engines import Connection, Engine
from kokeshi.engines.http import HttpEngine
from kokeshi.errors import EngineError
from kokeshi_eval.store import INDEX, list_evaluations, load_evaluation, save_evaluation
from tests.evaluations import build_evaluation
from tests.secured import Secured

pytestmark = [pytest.mark.engine, pytest.mark.elasticsearch]

EVALUATION = build_evaluation()
SAVE = ("index", "view_index_metadata")
LIST = ("read", "view_index_metadata")


@contextmanager
def opened(secured: Secured, *privileges: str) -> Iterator[Engine]:
    """The engine as one sees it who has these privileges on the index, and no others."""
    indices = [{"names": [INDEX], "privileges": privileges}]
    key = secured.create_api_key("least", {"least": {"cluster": [], "indices": indices}})
    with HttpEngine(Connection(secured.url, ca_file=str(secured.ca), api_key=key)) as engine:
        yield engine


@pytest.fixture
def saved(secured_engine) -> Iterator[None]:
    """An evaluation that is in the engine."""
    with opened(secured_engine, "all") as engine:
        engine.delete_index(INDEX)
        save_evaluation(engine, EVALUATION)
        yield
        engine.delete_index(INDEX)


def test_who_may_write_saves(secured_engine, saved):
    later = EVALUATION.model_copy(update={"id": "later"})
    with opened(secured_engine, *SAVE) as engine:
        save_evaluation(engine, later)
    with opened(secured_engine, "read") as engine:
        assert load_evaluation(engine, "later") == later


def test_the_first_to_save_creates_the_index(secured_engine, saved):
    secured_engine.request(f"/{INDEX}", method="DELETE")
    with (
        opened(secured_engine, *SAVE) as engine,
        pytest.raises(EngineError, match="it lacks the index privilege create_index"),
    ):
        save_evaluation(engine, EVALUATION)
    with opened(secured_engine, *SAVE, "create_index") as engine:
        save_evaluation(engine, EVALUATION)


def test_who_may_read_lists_and_loads(secured_engine, saved):
    with opened(secured_engine, *LIST) as engine:
        assert [one["evaluation"] for one in list_evaluations(engine)] == [EVALUATION.id]
    with opened(secured_engine, "read") as engine:
        assert load_evaluation(engine, EVALUATION.id) == EVALUATION


@pytest.mark.parametrize("missing", SAVE)
def test_each_privilege_is_needed_to_save(secured_engine, saved, missing):
    with (
        opened(secured_engine, *(one for one in SAVE if one != missing)) as engine,
        pytest.raises(EngineError, match=f"it lacks the index privilege {missing} on '{INDEX}'"),
    ):
        save_evaluation(engine, EVALUATION)


@pytest.mark.parametrize("missing", LIST)
def test_each_privilege_is_needed_to_list(secured_engine, saved, missing):
    with (
        opened(secured_engine, *(one for one in LIST if one != missing)) as engine,
        pytest.raises(EngineError, match=f"it lacks the index privilege {missing} on '{INDEX}'"),
    ):
        list_evaluations(engine)
