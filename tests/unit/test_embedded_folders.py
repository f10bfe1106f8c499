"""Folders: who can get there, where the defaults are, what is refused."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kokeshi.embedded.folders import (
    Account,
    cache_folder,
    engine_account,
    find_barrier,
    folder_size,
    home_folder,
    make_folder,
    require_reachable,
    require_space,
)
from kokeshi.errors import EmbeddedError

NOBODY = Account(65534, 65534, drop=True)
ME = Account(os.geteuid(), os.getegid(), drop=False)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody can enter: pytest's own is private."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_root_hands_over_to_nobody() -> None:
    account = engine_account()
    assert account.uid != 0
    assert account.drop == (os.geteuid() == 0)


def test_a_private_parent_is_a_barrier(public: Path) -> None:
    closed = public / "closed"
    (closed / "inner").mkdir(parents=True)
    closed.chmod(0o700)
    assert find_barrier(closed / "inner", NOBODY) == closed
    assert find_barrier(closed / "inner" / "not" / "yet", NOBODY) == closed
    assert find_barrier(public / "not" / "yet", NOBODY) is None
    assert find_barrier(closed / "inner", ME) is None
    with pytest.raises(EmbeddedError, match=rf"cache .* at {closed}: set KOKESHI_CACHE"):
        require_reachable(closed / "inner", NOBODY, "cache", "KOKESHI_CACHE")


def test_root_with_a_closed_home_uses_system_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KOKESHI_CACHE", raising=False)
    monkeypatch.delenv("KOKESHI_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    tmp_path.chmod(0o700)
    stranger = Account(54321, 54321, drop=True)
    assert cache_folder(stranger) == Path("/var/cache/kokeshi")
    assert home_folder(None, stranger) == Path("/var/lib/kokeshi")
    assert cache_folder(ME).is_relative_to(tmp_path)
    assert home_folder(None, ME).is_relative_to(tmp_path)


def test_variables_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOKESHI_CACHE", "~/c")
    monkeypatch.setenv("KOKESHI_HOME", "relative")
    assert cache_folder(ME) == Path.home() / "c"
    assert home_folder(None, ME) == Path.cwd() / "relative"
    assert home_folder("/x", ME) == Path("/x")


def test_created_folders_ignore_the_umask(public: Path) -> None:
    before = os.umask(0o077)
    try:
        make_folder(public / "a" / "b")
    finally:
        os.umask(before)
    assert find_barrier(public / "a" / "b", NOBODY) is None


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match=r"Cannot create .*file/x: Not a directory"):
        make_folder(tmp_path / "file" / "x")
    with pytest.raises(EmbeddedError, match=r"Cannot create .*file: File exists"):
        make_folder(tmp_path / "file")


def test_a_folder_that_is_read_only(
    public: Path, unprivileged: Callable[[Callable[[], None]], None]
) -> None:
    public.chmod(0o555)

    def check() -> None:
        with pytest.raises(EmbeddedError, match="Cannot write to"):
            make_folder(public)

    unprivileged(check)


def test_a_full_disk_is_refused(tmp_path: Path) -> None:
    require_space(tmp_path, 0, "anything")
    with pytest.raises(EmbeddedError, match=r"Disk full: anything needs \d+ MB in .* are free"):
        require_space(tmp_path, 10**9, "anything")


def test_folder_size(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"12345")
    (tmp_path / "dangling").symlink_to("nowhere")
    assert folder_size(tmp_path) == 5 + len("nowhere")
    assert folder_size(tmp_path / "gone") == 0
