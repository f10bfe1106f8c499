"""What the tests of all engines share: the engines, and indices that are deleted afterwards.

Every test runs on the memory engine, OpenSearch and Elasticsearch; one that asks for `server` or
`send` runs on the latter two. KOKESHI_TEST_OPENSEARCH and KOKESHI_TEST_ELASTICSEARCH name running
ones; without them embedded ones are started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from kokeshi import Index
from kokeshi.async_index import AsyncIndex
from kokeshi.engines import Call, Connection, Engine
from kokeshi.engines.http import AsyncHttpEngine, HttpEngine
from kokeshi.engines.memory import AsyncMemoryEngine, MemoryEngine
from kokeshi.schema import parse_spec
from tests.engines import SERVERS

Send = Callable[..., dict[str, Any]]
Open = Callable[[str], Index]
Fill = Callable[[str, Sequence[dict[str, Any]]], Index]

MEMORY = "memory"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        engines = SERVERS if "server" in metafunc.fixturenames else [MEMORY, *SERVERS]
        metafunc.parametrize("engine", engines, indirect=True, scope="session")


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn."""
    if request.param == MEMORY:
        yield MemoryEngine()
        return
    with HttpEngine(Connection(request.getfixturevalue(f"{request.param}_url"))) as engine:
        assert engine.capabilities.dialect == request.param
        yield engine


@pytest.fixture(scope="session")
def server(engine: Engine) -> HttpEngine:
    """The engine, which is no memory engine."""
    assert isinstance(engine, HttpEngine)
    return engine


@pytest.fixture(scope="session")
def send(server: HttpEngine) -> Send:
    """A raw request, for what Kokeshi itself never asks: method, path, body, params."""

    def send(method, path, body=None, params=None):
        return server.perform(
            Call("raw", method, path, lambda answer: answer.body, body=body, params=params or {})
        )

    return send


@pytest.fixture(scope="module")
def open_index(engine: Engine) -> Iterator[Open]:
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


@pytest.fixture(scope="module")
def fill_index(open_index: Open, tmp_path_factory: pytest.TempPathFactory) -> Fill:
    """From the YAML of a spec and documents to their index."""

    def fill(yaml: str, documents: Sequence[dict[str, Any]]) -> Index:
        index = open_index(yaml)
        path = write_documents(tmp_path_factory.mktemp("documents"), documents)
        assert index.ingest(path).indexed == len(documents)
        return index

    return fill


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Fill:
    """The same in memory: the index whose answers are exact."""

    def fill(yaml: str, documents: Sequence[dict[str, Any]]) -> Index:
        index = Index(parse_spec(yaml), MemoryEngine())
        index.create()
        path = write_documents(tmp_path_factory.mktemp("oracle"), documents)
        assert index.ingest(path).indexed == len(documents)
        return index

    return fill


@pytest.fixture
def open_async(engine: Engine):
    """The index of a spec on the same engine, for asyncio."""

    @asynccontextmanager
    async def open_(index: Index):
        if isinstance(engine, MemoryEngine):
            found = AsyncMemoryEngine(engine)
        else:
            found = AsyncHttpEngine(engine.connection)
        async with AsyncIndex(index.spec, found) as opened:
            yield opened

    return open_


def write_documents(folder: Path, documents: Sequence[dict[str, Any]]) -> Path:
    path = folder / "documents.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(document) for document in documents))
    return path
