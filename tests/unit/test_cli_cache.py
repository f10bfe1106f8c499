"""`kokeshi cache`: what is kept, and its removal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kokeshi.cli.cache import app
from kokeshi.encoders.cache_file import CacheFile
from kokeshi.errors import InputError


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("KOKESHI_CACHE", str(tmp_path))
    monkeypatch.delenv("KOKESHI_EMBEDDING_CACHE")
    file = CacheFile(tmp_path / "embeddings.sqlite", 10**9)
    file.put({bytes([n]) * 32: np.ones(8, np.float32) for n in range(20)})
    file.close()
    return file.path


def run(*arguments: str) -> str:
    ran = CliRunner().invoke(app, arguments)
    if ran.exception:
        raise ran.exception
    return ran.stdout


def test_info(path):
    assert "20 vectors in 0.1 MB; the oldest was last used today." in run("info")
    found = json.loads(run("info", "--json"))
    assert (found["path"], found["vectors"], found["days"]) == (str(path), 20, 0)


def test_a_file_of_ones_own(path, tmp_path, monkeypatch):
    other = tmp_path / "other.sqlite"
    assert f"{other}: nothing is kept." in run("info", str(other))
    monkeypatch.setenv("KOKESHI_EMBEDDING_CACHE", str(other))
    assert f"{other}: nothing is kept." in run("info")
    monkeypatch.setenv("KOKESHI_EMBEDDING_CACHE", "off")
    assert "20 vectors" in run("info")


def test_clear(path):
    assert f"{path}: removed, 0." in run("clear")
    assert not path.exists()
    assert f"{path}: nothing is kept." in run("clear")


def test_what_is_no_cache_stays(tmp_path):
    products = tmp_path / "products.jsonl"
    products.write_text("{}")
    with pytest.raises(InputError, match=r"products\.jsonl is no embedding cache, so it stays"):
        run("clear", str(products))
    assert products.read_text() == "{}"
