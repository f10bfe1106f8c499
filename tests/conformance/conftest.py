"""What the tests on a live engine share: raw requests, and indices that are deleted afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kokeshi import Index
from kokeshi.engines.opensearch import OpenSearchEngine
from kokeshi.schema import parse_spec

Send = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def send(engine: OpenSearchEngine) -> Send:
    """A raw request, for what Kokeshi itself never asks: method, path, body, params."""
    return engine._send


@pytest.fixture(scope="module")
def open_index(engine: OpenSearchEngine) -> Iterator[Callable[[str], Index]]:
    """From the YAML of a spec to its new, empty index, deleted when the module ends."""
    opened: list[Index] = []

    def open_(yaml: str) -> Index:
        index = Index(parse_spec(yaml), engine)
        index.create(recreate=True)
        opened.append(index)
        return index

    yield open_
    for index in opened:
        engine.delete_index(index.spec.index)
