"""Golden files: values that builders make, kept as JSON and compared exactly.

After a change that is meant, write them anew and read the difference:

    KOKESHI_UPDATE_GOLDEN=1 pytest tests/golden && git diff tests/golden mappings
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

UPDATE = os.environ.get("KOKESHI_UPDATE_GOLDEN") == "1"


@pytest.fixture
def golden() -> Callable[[Path | str, Any], None]:
    """Compare a value with a golden file: a name beside this file, or a path."""

    def check(path: Path | str, value: Any) -> None:
        file = Path(__file__).parent / path
        if UPDATE:
            text = json.dumps(value, indent=2, ensure_ascii=False)
            file.write_text(text + "\n", encoding="utf-8")
        assert value == json.loads(file.read_text(encoding="utf-8"))

    return check
