"""What integration tests of several files need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kokeshi.engines import Engine
from tests.lifecycle import Shop, a_shop


@pytest.fixture
def shop(engine: Engine, tmp_path: Path, monkeypatch) -> Iterator[Shop]:
    """A catalogue whose index is rebuilt."""
    monkeypatch.chdir(tmp_path)  # failures of an ingest are kept there
    with a_shop(engine, tmp_path) as shop:
        yield shop
