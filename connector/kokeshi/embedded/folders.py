"""Where the engine lives, who runs it, and whether that user can get there."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from kokeshi.errors import EmbeddedError


@dataclass(frozen=True)
class Account:
    """The unprivileged user that runs the engine; `drop` says whether we must change to it."""

    uid: int
    gid: int
    drop: bool


def engine_account() -> Account:
    """Return the current user, or `nobody` where that is root: no engine starts as root."""
    import pwd  # absent on Windows, where this module must still import

    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), drop=False)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534, drop=True)
    return Account(nobody.pw_uid, nobody.pw_gid, drop=True)


def cache_folder(account: Account) -> Path:
    """Return the shared folder of assembled engines: $KOKESHI_CACHE, or the user's cache."""
    chosen = os.environ.get("KOKESHI_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return _default(platformdirs.user_cache_path("kokeshi"), Path("/var/cache/kokeshi"), account)


def home_folder(home: str | os.PathLike[str] | None, account: Account) -> Path:
    """Return the instance folder: the argument, $KOKESHI_HOME, or the user's data folder."""
    chosen = home or os.environ.get("KOKESHI_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    data = platformdirs.user_data_path("kokeshi") / "engine"
    return _default(data, Path("/var/lib/kokeshi"), account)


def _default(preferred: Path, system: Path, account: Account) -> Path:
    return system if account.drop and find_barrier(preferred, account) else preferred


def find_barrier(path: Path, account: Account) -> Path | None:
    """Return the outermost existing folder on the way to `path` that the account cannot enter."""
    for folder in reversed([path, *path.parents]):
        try:
            info = folder.stat()
        except FileNotFoundError:
            return None
        except PermissionError:
            return folder.parent
        if stat.S_ISDIR(info.st_mode) and not _may_enter(info, account):
            return folder
    return None


def _may_enter(info: os.stat_result, account: Account) -> bool:
    if info.st_uid == account.uid:
        return bool(info.st_mode & stat.S_IXUSR)
    if info.st_gid == account.gid or info.st_gid in ([] if account.drop else os.getgroups()):
        return bool(info.st_mode & stat.S_IXGRP)
    return bool(info.st_mode & stat.S_IXOTH)


def require_reachable(path: Path, account: Account, name: str, variable: str) -> None:
    """Refuse a folder that the engine's user cannot reach.

    Raises:
        EmbeddedError: names the closed folder and the variable that moves it.
    """
    barrier = find_barrier(path, account)
    if barrier is not None:
        raise EmbeddedError(
            f"The {name} {path} is closed to the engine's user (uid {account.uid}) at {barrier}: "
            f"set {variable} to a folder that it can enter"
        )


def make_folder(path: Path, account: Account | None = None) -> None:
    """Create a folder that everybody may enter, or that belongs to the account.

    Raises:
        EmbeddedError: it cannot be created or written.
    """
    try:
        missing = [p for p in (path, *path.parents) if not p.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for created in missing:
            created.chmod(0o755)  # whatever the umask says: another user must get through
        if account is not None and account.drop:
            os.chown(path, account.uid, account.gid)
    except OSError as error:
        raise EmbeddedError(f"Cannot create {path}: {error.strerror}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise EmbeddedError(f"Cannot write to {path}: choose another folder or its permissions")


def require_space(path: Path, megabytes: int, purpose: str) -> None:
    """Refuse to begin on a full disk.

    Raises:
        EmbeddedError: names the folder, what is free and what is needed.
    """
    free = shutil.disk_usage(path).free // 2**20
    if free < megabytes:
        raise EmbeddedError(
            f"Disk full: {purpose} needs {megabytes} MB in {path}, {free} MB are free"
        )


def folder_size(path: Path) -> int:
    """Return the bytes of all files below a folder; files that vanish meanwhile count 0."""
    return sum(_size(Path(root, name)) for root, _, files in os.walk(path) for name in files)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # a merge has just removed it
        return 0
