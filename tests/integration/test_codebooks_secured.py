"""The least privileges for codebooks on an Elasticsearch with security on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from kokeshi.codebooks import INDEX, find_codebook, save_codebook
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.engines import Connection, Engine
from kokeshi.engines.http import HttpEngine
from kokeshi.errors import EngineError
from tests.secured import Secured

pytestmark = [pytest.mark.engine, pytest.mark.elasticsearch]

SAVE = ("read", "index", "view_index_metadata")
"""What saving needs on the index of codebooks where that exists."""


def make(seed: int) -> Codebook:
    words = np.random.default_rng(seed).normal(size=(2, 16, 2)).astype(np.float32)
    return Codebook(ProductQuantizer(2, 16).restore(words, 4), None, False, "dot", "e")


@contextmanager
def opened(secured: Secured, *privileges: str) -> Iterator[Engine]:
    """The engine as one sees it who has these privileges on the index, and no others."""
    indices = [{"names": [INDEX], "privileges": privileges}]
    key = secured.create_api_key("least", {"least": {"cluster": [], "indices": indices}})
    with HttpEngine(Connection(secured.url, ca_file=str(secured.ca), api_key=key)) as engine:
        yield engine


@pytest.fixture
def saved(secured_engine) -> Iterator[Codebook]:
    """A codebook that is in the engine."""
    with opened(secured_engine, "all") as engine:
        engine.delete_index(INDEX)
        engine.run(save_codebook(make(1), "shop", "v"))
        yield make(1)
        engine.delete_index(INDEX)


def test_who_may_read_finds_and_need_not_save_again(secured_engine, saved):
    with opened(secured_engine, "read") as engine:
        assert engine.run(find_codebook(saved.digest)).digest == saved.digest
        assert engine.run(save_codebook(saved, "shop", "v")) is False


def test_who_may_write_saves(secured_engine, saved):
    with opened(secured_engine, *SAVE) as engine:
        assert engine.run(save_codebook(make(2), "shop", "v")) is True


def test_the_first_to_save_creates_the_index(secured_engine, saved):
    secured_engine.request(f"/{INDEX}", method="DELETE")
    with (
        opened(secured_engine, *SAVE) as engine,
        pytest.raises(EngineError, match="it lacks the index privilege create_index"),
    ):
        engine.run(save_codebook(saved, "shop", "v"))
    with opened(secured_engine, *SAVE, "create_index") as engine:
        assert engine.run(save_codebook(saved, "shop", "v")) is True


@pytest.mark.parametrize("missing", SAVE)
def test_each_privilege_is_needed(secured_engine, saved, missing):
    with (
        opened(secured_engine, *(one for one in SAVE if one != missing)) as engine,
        pytest.raises(EngineError, match=f"it lacks the index privilege {missing} on '{INDEX}'"),
    ):
        engine.run(save_codebook(make(3), "shop", "v"))
