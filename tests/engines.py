"""The real engines that tests run on, each with its marks; `<name>_url` is the fixture of its address."""

from __future__ import annotations

import pytest

SERVERS = [
    pytest.param(name, marks=[pytest.mark.engine, getattr(pytest.mark, name)])
    for name in ("opensearch", "elasticsearch")
]
