"""Every kind of damage to an assembled engine is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kokeshi.embedded.manifest import MANIFEST, find_damage, sha256_of, write_manifest


@pytest.fixture
def assembled(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.jar").write_bytes(b"aaaa")
    (tmp_path / "lib" / "b.jar").write_bytes(b"bbbb")
    write_manifest(tmp_path)
    return tmp_path


def test_sound(assembled: Path) -> None:
    assert find_damage(assembled) is None
    assert find_damage(assembled, full=True) is None


def test_missing_file(assembled: Path) -> None:
    (assembled / "lib" / "a.jar").unlink()
    assert find_damage(assembled) == "lib/a.jar cannot be read (No such file or directory)"


def test_wrong_size(assembled: Path) -> None:
    (assembled / "lib" / "a.jar").write_bytes(b"aaa")
    assert find_damage(assembled) == "lib/a.jar has 3 bytes, not 4"


def test_wrong_content_needs_the_full_check(assembled: Path) -> None:
    (assembled / "lib" / "a.jar").write_bytes(b"axaa")
    assert find_damage(assembled) is None
    assert find_damage(assembled, full=True) == "lib/a.jar has another content"


def test_a_foreign_file(assembled: Path) -> None:
    (assembled / "lib" / "c.jar").write_bytes(b"")
    assert find_damage(assembled) == "lib/c.jar does not belong there"


def test_no_manifest_means_incomplete(assembled: Path) -> None:
    (assembled / MANIFEST).unlink()
    assert find_damage(assembled) == "it is incomplete"
    assert find_damage(assembled / "gone") == "it is incomplete"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"lib/a.jar": 4}', '{"lib/a.jar": ["x", "y"]}'])
def test_a_broken_manifest(assembled: Path, text: str) -> None:
    (assembled / MANIFEST).write_text(text)
    assert find_damage(assembled) == f"{MANIFEST} cannot be read"


def test_sha256(assembled: Path) -> None:
    expected = "61be55a8e2f6b4e172338bddf184d6dbee29c98853e0a0485ecee7f27b9af0b4"
    assert sha256_of(assembled / "lib" / "a.jar") == expected
