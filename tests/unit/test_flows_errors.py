"""A flow is thrown what a call raises, and can go on: by an engine, and by one for asyncio."""

from __future__ import annotations

import asyncio

import pytest

from kokeshi.engines import Flow, calls
from kokeshi.engines.memory import AsyncMemoryEngine, MemoryEngine
from kokeshi.errors import EngineError


def careful() -> Flow[str]:
    try:
        yield calls.refresh("missing")
    except EngineError as error:
        yield calls.get_aliases("missing")
        return f"went on after {error.status}"
    return "not refused"


def careless() -> Flow[None]:
    yield calls.refresh("missing")


def test_a_flow_goes_on_after_a_refusal() -> None:
    assert MemoryEngine().run(careful()) == "went on after 404"
    assert asyncio.run(AsyncMemoryEngine().run(careful())) == "went on after 404"


def test_what_a_flow_does_not_catch_is_raised() -> None:
    with pytest.raises(EngineError, match="no such index"):
        MemoryEngine().run(careless())
    with pytest.raises(EngineError, match="no such index"):
        asyncio.run(AsyncMemoryEngine().run(careless()))
